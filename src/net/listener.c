/*
 * listener.c
 *		HTTP in: the only user of libmicrohttpd.
 *
 * The daemon runs in external-epoll mode, without threads and without a
 * listening socket of its own: the owner's sockets are accepted here and
 * handed over, so that an address or a limit can change while it runs.
 *
 * Deadlines. libmicrohttpd's own time-out is one of inactivity, which a client
 * that drips bytes never meets. Here a connection has one deadline at a time:
 * keepalive_timeout while it waits for a request's first line, then
 * request_timeout for the whole exchange (from the start for the first one).
 * Each list is kept in the order of its deadlines. A connection that is
 * overdue is shut down; libmicrohttpd then sees its end.
 *
 * States of a request. A handler call after a resume looks just like the one
 * at the end of an empty body, so the state tells them apart.
 */
#include "net/listener.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* Connections taken from one listening socket a round. */
#define ACCEPTS_PER_ROUND		64

/* A body's buffer starts at its length, but not above this. */
#define FIRST_BODY_CAPACITY		(64 * 1024)

/*
 * What is read and thrown away of a body that turned out too large, so that
 * its sender gets to read the answer. Beyond it the connection is cut.
 */
#define DISCARD_LIMIT			(4 * 1024 * 1024)

enum RequestState
{
	STATE_NEW,					/* its first line is here */
	STATE_ARRIVED,				/* the owner has it, or will take it */
	STATE_ADMITTED,				/* resumed; the next call only goes on */
	STATE_READING,				/* its body comes */
	STATE_COMPLETE,				/* the owner has it, or will take it */
	STATE_ANSWERED_EARLY,		/* answered before its (empty) end */
	STATE_ANSWERED
};

typedef struct CpwConnection
{
	int			fd;
	int64_t		deadline;		/* milliseconds of the monotonic clock */
	struct DeadlineList *list;
	struct CpwConnection *previous;
	struct CpwConnection *next;
	struct MHD_Connection *mhd;
	bool		served;			/* it has had a whole exchange */
} CpwConnection;

typedef struct DeadlineList
{
	CpwConnection *first;		/* due next */
	CpwConnection *last;
} DeadlineList;

typedef struct RequestList
{
	CpwRequest *first;
	CpwRequest **end;
} RequestList;

/*
 * A daemon of libmicrohttpd. What it fixes at its start (the memory of a
 * connection) changes by starting another one: new connections go to that,
 * and the old one ends with its last connection.
 */
typedef struct Daemon
{
	struct MHD_Daemon *mhd;
	CpwListener *listener;
	int			connections;
	struct Daemon *next;		/* an older one */
} Daemon;

struct CpwListener
{
	Daemon	   *daemons;		/* the first one takes new connections */
	int			epoll_fd;		/* holds the daemons' own */
	CpwListenerLimits limits;
	int			connections;
	size_t		buffered;
	bool		resumed;		/* libmicrohttpd has work that epoll won't tell */
	DeadlineList exchanging;
	DeadlineList idle;
	RequestList arrived;
	RequestList complete;
	char		message[256];
	bool		has_message;
};

static void (*panic_function) (const char *message);

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- lists ---- */

static void
deadline_remove(CpwConnection *connection)
{
	DeadlineList *list = connection->list;

	if (list == NULL)
		return;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		list->first = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	else
		list->last = connection->previous;
	connection->list = NULL;
}

/* Deadlines of one list mostly come in order; after a reload they may not. */
static void
deadline_set(CpwConnection *connection, DeadlineList *list, int timeout)
{
	CpwConnection *before;

	deadline_remove(connection);
	connection->deadline = now_ms() + timeout;
	before = list->last;
	while (before && before->deadline > connection->deadline)
		before = before->previous;
	connection->list = list;
	connection->previous = before;
	connection->next = before ? before->next : list->first;
	if (connection->next)
		connection->next->previous = connection;
	else
		list->last = connection;
	if (before)
		before->next = connection;
	else
		list->first = connection;
}

static void
request_append(RequestList *list, CpwRequest *request)
{
	request->next = NULL;
	*list->end = request;
	list->end = &request->next;
}

static CpwRequest *
request_take_all(RequestList *list)
{
	CpwRequest *first = list->first;

	list->first = NULL;
	list->end = &list->first;
	return first;
}

/* ---- requests: from bytes to a CpwRequest ---- */

static void
body_free(CpwListener *listener, CpwRequest *request)
{
	free(request->body);
	listener->buffered -= request->body_capacity;
	request->body = NULL;
	request->body_length = 0;
	request->body_capacity = 0;
}

/* The request's first line is here; libmicrohttpd keeps what this returns. */
static void *
on_first_line(void *arg, const char *uri, struct MHD_Connection *mhd)
{
	CpwListener *listener = ((Daemon *) arg)->listener;
	size_t		length = strlen(uri);
	CpwRequest *request = calloc(1, sizeof(CpwRequest) + length + 1);
	const union MHD_ConnectionInfo *info;

	if (request == NULL)
		return NULL;
	memcpy((char *) (request + 1), uri, length + 1);
	request->target = (char *) (request + 1);
	request->state = STATE_NEW;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	request->connection = info->socket_context;
	if (request->connection != NULL && request->connection->served)
		deadline_set(request->connection, &listener->exchanging,
					 listener->limits.request_timeout);
	return request;
}

typedef struct HeaderSizes
{
	int			count;
	size_t		bytes;			/* names and values alone */
} HeaderSizes;

static enum MHD_Result
measure_header(void *arg, enum MHD_ValueKind kind, const char *name,
			   size_t name_length, const char *value, size_t value_length)
{
	HeaderSizes *sizes = arg;

	(void) kind;
	(void) name;
	(void) value;
	sizes->count++;
	sizes->bytes += name_length + value_length;
	return MHD_YES;
}

typedef struct HeaderCopy
{
	CpwHeader  *item;
	CpwHeader  *end;
	char	   *text;
	bool		has_nul;
} HeaderCopy;

static enum MHD_Result
copy_header(void *arg, enum MHD_ValueKind kind, const char *name,
			size_t name_length, const char *value, size_t value_length)
{
	HeaderCopy *copy = arg;

	(void) kind;
	if (copy->item == copy->end)
		return MHD_NO;
	for (size_t i = 0; i < name_length; i++)
	{
		char		c = name[i];

		copy->text[i] = c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
	}
	copy->item->name = copy->text;
	copy->item->name_length = name_length;
	copy->text += name_length;
	if (value_length > 0)
		memcpy(copy->text, value, value_length);
	copy->item->value = copy->text;
	copy->item->value_length = value_length;
	copy->text += value_length;
	if (memchr(copy->item->name, '\0', name_length) != NULL ||
		memchr(copy->item->value, '\0', value_length) != NULL)
		copy->has_nul = true;
	copy->item++;
	return MHD_YES;
}

/* Copies the headers in lower case; false when memory is short. */
static bool
take_headers(CpwRequest *request, struct MHD_Connection *mhd)
{
	HeaderSizes sizes = {0, 0};
	HeaderCopy	copy;
	CpwHeader  *items;
	int			kept;

	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, measure_header, &sizes);
	/* ": " and the line's end */
	request->header_size = sizes.bytes + 4 * (size_t) sizes.count;
	kept = sizes.count <= CPW_MAX_HEADERS ? sizes.count : CPW_MAX_HEADERS;
	request->header_memory = malloc((size_t) kept * sizeof(CpwHeader) +
									sizes.bytes + 1);
	if (request->header_memory == NULL)
		return false;
	items = request->header_memory;
	copy.item = items;
	copy.end = items + kept;
	copy.text = (char *) (items + kept);
	copy.has_nul = false;
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, copy_header, &copy);
	request->headers.items = items;
	request->headers.count = kept;
	request->has_nul = copy.has_nul;
	/* Too many is too large, whatever their size. */
	if (sizes.count > CPW_MAX_HEADERS)
		request->header_size = SIZE_MAX;
	return true;
}

static const CpwHeader *
find_header(const CpwRequest *request, const char *name)
{
	size_t		length = strlen(name);

	for (int i = 0; i < request->headers.count; i++)
		if (request->headers.items[i].name_length == length &&
			memcmp(request->headers.items[i].name, name, length) == 0)
			return &request->headers.items[i];
	return NULL;
}

/* Content-Length has been checked by libmicrohttpd: digits, in range. */
static uint64_t
parse_length(const CpwHeader *header)
{
	uint64_t	length = 0;

	for (size_t i = 0; i < header->value_length; i++)
	{
		char		c = header->value[i];

		if (c < '0' || c > '9' || length > UINT64_MAX / 10 - 1)
			break;
		length = length * 10 + (uint64_t) (c - '0');
	}
	return length;
}

/* The headers are here: hand the request to the owner. */
static enum MHD_Result
arrive(CpwListener *listener, CpwRequest *request,
	   struct MHD_Connection *mhd, const char *method)
{
	const union MHD_ConnectionInfo *info;
	const CpwHeader *length;

	if (!take_headers(request, mhd))
		return MHD_NO;
	request->method = method;
	length = find_header(request, "content-length");
	if (length != NULL)
	{
		request->length_known = true;
		request->content_length = parse_length(length);
	}
	request->has_body = request->content_length > 0 ||
		find_header(request, "transfer-encoding") != NULL;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (info != NULL && info->client_addr != NULL)
		memcpy(&request->peer, info->client_addr,
			   info->client_addr->sa_family == AF_INET6
			   ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	request->state = STATE_ARRIVED;
	request_append(&listener->arrived, request);
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

/* Makes room for length more bytes and a NUL, or refuses the request. */
static bool
body_reserve(CpwListener *listener, CpwRequest *request, size_t length)
{
	size_t		needed = request->body_length + length + 1;
	size_t		capacity = request->body_capacity;
	char	   *body;

	if (needed - 1 > listener->limits.max_body_size)
	{
		request->refused = CPW_VERDICT_BODY_TOO_LARGE;
		return false;
	}
	if (needed <= capacity)
		return true;
	if (capacity == 0 && request->content_length < FIRST_BODY_CAPACITY)
		capacity = (size_t) request->content_length + 1;
	else
		capacity = capacity == 0 ? FIRST_BODY_CAPACITY : capacity * 2;
	if (capacity > request->content_length + 1 && request->length_known)
		capacity = (size_t) request->content_length + 1;
	if (capacity < needed)
		capacity = needed;
	if (listener->buffered - request->body_capacity + capacity >
		listener->limits.max_buffered ||
		(body = realloc(request->body, capacity)) == NULL)
	{
		request->refused = CPW_VERDICT_UNAVAILABLE;
		return false;
	}
	listener->buffered += capacity - request->body_capacity;
	request->body = body;
	request->body_capacity = capacity;
	return true;
}

/*
 * Counts the values of a body once it is so long that it could hold too many:
 * an ordinary one is never looked at.
 */
static bool
values_in_bounds(const CpwListener *listener, CpwRequest *request,
				 size_t before)
{
	size_t		limit = listener->limits.max_json_values;

	if (!request->count_values || request->body_length <= limit)
		return true;
	if (before <= limit)
		before = 0;
	cpw_json_scan(&request->scan, request->body + before,
				  request->body_length - before);
	return request->scan.structural <= limit;
}

/* Takes the next bytes of a body, or throws them away. */
static enum MHD_Result
read_bytes(CpwListener *listener, CpwRequest *request,
		   const char *bytes, size_t length)
{
	size_t		before = request->body_length;

	if (request->refused == CPW_VERDICT_PENDING &&
		body_reserve(listener, request, length))
	{
		memcpy(request->body + before, bytes, length);
		request->body_length += length;
		request->body[request->body_length] = '\0';
		if (!values_in_bounds(listener, request, before))
			request->refused = CPW_VERDICT_BODY_TOO_LARGE;
	}
	if (request->refused != CPW_VERDICT_PENDING)
	{
		body_free(listener, request);
		request->discarded += length;
		if (request->discarded > DISCARD_LIMIT)
			return MHD_NO;
	}
	return MHD_YES;
}

static enum MHD_Result
send_answer(CpwRequest *request, struct MHD_Connection *mhd)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	char		seconds[16];

	response = MHD_create_response_from_buffer(request->answer_length,
											   request->answer,
											   MHD_RESPMEM_MUST_COPY);
	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "application/json");
	if (request->allow != NULL)
		MHD_add_response_header(response, "Allow", request->allow);
	if (request->retry_after > 0)
	{
		snprintf(seconds, sizeof(seconds), "%d", request->retry_after);
		MHD_add_response_header(response, "Retry-After", seconds);
	}
	result = MHD_queue_response(mhd, (unsigned int) request->status, response);
	MHD_destroy_response(response);
	return result;
}

/* libmicrohttpd's access handler. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *mhd, const char *url,
		   const char *method, const char *version,
		   const char *upload, size_t *upload_length, void **context)
{
	CpwListener *listener = ((Daemon *) arg)->listener;
	CpwRequest *request = *context;
	enum MHD_Result result;

	(void) url;
	(void) version;
	if (request == NULL || request->connection == NULL)
		return MHD_NO;
	switch (request->state)
	{
		case STATE_NEW:
			return arrive(listener, request, mhd, method);
		case STATE_ADMITTED:
			request->state = STATE_READING;
			return MHD_YES;
		case STATE_READING:
			if (*upload_length > 0)
			{
				result = read_bytes(listener, request, upload, *upload_length);
				*upload_length = 0;
				return result;
			}
			request->state = STATE_COMPLETE;
			request_append(&listener->complete, request);
			MHD_suspend_connection(mhd);
			return MHD_YES;
		case STATE_ANSWERED_EARLY:

			/*
			 * An answer in the first call makes libmicrohttpd close the
			 * connection: right where a body would follow, a waste where none
			 * does.
			 */
			request->state = STATE_ANSWERED;
			if (!request->has_body)
				return MHD_YES;
			return send_answer(request, mhd);
		case STATE_ANSWERED:
			return send_answer(request, mhd);
		default:
			return MHD_NO;
	}
}

/* An exchange has ended, one way or another. */
static void
on_completed(void *arg, struct MHD_Connection *mhd, void **context,
			 enum MHD_RequestTerminationCode code)
{
	CpwListener *listener = ((Daemon *) arg)->listener;
	CpwRequest *request = *context;

	(void) mhd;
	(void) code;
	if (request == NULL)
		return;
	*context = NULL;
	if (request->connection != NULL)
	{
		request->connection->served = true;
		deadline_set(request->connection, &listener->idle,
					 listener->limits.keepalive_timeout);
	}
	body_free(listener, request);
	free(request->header_memory);
	free(request->answer);
	free(request);
}

static void
on_connection(void *arg, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	Daemon	   *daemon = arg;
	CpwListener *listener = daemon->listener;
	CpwConnection *connection;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
	{
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

		connection = calloc(1, sizeof(CpwConnection));
		*context = connection;
		if (connection == NULL)
			return;
		connection->fd = info->connect_fd;
		connection->mhd = mhd;
		daemon->connections++;
		listener->connections++;
		deadline_set(connection, &listener->exchanging,
					 listener->limits.request_timeout);
		return;
	}
	connection = *context;
	if (connection == NULL)
		return;
	*context = NULL;
	deadline_remove(connection);
	daemon->connections--;
	listener->connections--;
	free(connection);
}

static void on_message(void *arg, const char *format, va_list arguments)
			__attribute__((format(printf, 2, 0)));

static void
on_message(void *arg, const char *format, va_list arguments)
{
	CpwListener *listener = ((Daemon *) arg)->listener;
	size_t		length;

	vsnprintf(listener->message, sizeof(listener->message), format, arguments);
	length = strcspn(listener->message, "\r\n");
	listener->message[length] = '\0';
	listener->has_message = true;
}

static void
on_panic(void *arg, const char *file, unsigned int line, const char *reason)
{
	(void) arg;
	(void) file;
	(void) line;
	panic_function(reason ? reason : "unknown reason");
}

/* ---- the owner's side ---- */

/* Puts a daemon with today's limits before the others. */
static bool
start_daemon(CpwListener *listener)
{
	Daemon	   *daemon = calloc(1, sizeof(Daemon));
	struct epoll_event event = {.events = EPOLLIN};
	const union MHD_DaemonInfo *info;

	if (daemon == NULL)
		return false;
	daemon->listener = listener;

	/*
	 * The owner counts connections, so its own limit is out of the way. A
	 * pool of twice the header limit lets the usual excess reach us, to be
	 * answered in JSON.
	 */
	daemon->mhd =
		MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
						 MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
						 NULL, NULL, on_request, daemon,
						 MHD_OPTION_EXTERNAL_LOGGER, on_message, daemon,
						 MHD_OPTION_URI_LOG_CALLBACK, on_first_line, daemon,
						 MHD_OPTION_NOTIFY_COMPLETED, on_completed, daemon,
						 MHD_OPTION_NOTIFY_CONNECTION, on_connection, daemon,
						 MHD_OPTION_CONNECTION_LIMIT, 1000000u,
						 MHD_OPTION_CONNECTION_TIMEOUT, 0u,
						 MHD_OPTION_CONNECTION_MEMORY_LIMIT,
						 listener->limits.max_header_size * 2,
						 MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
						 MHD_OPTION_END);
	if (daemon->mhd == NULL)
	{
		free(daemon);
		return false;
	}
	info = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (epoll_ctl(listener->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd,
				  &event) != 0)
	{
		MHD_stop_daemon(daemon->mhd);
		free(daemon);
		return false;
	}
	daemon->next = listener->daemons;
	listener->daemons = daemon;
	return true;
}

/* Stops the replaced daemons that have no connection left. */
static void
stop_replaced(CpwListener *listener)
{
	Daemon	  **link = &listener->daemons->next;

	while (*link != NULL)
	{
		Daemon	   *daemon = *link;

		if (daemon->connections > 0)
		{
			link = &daemon->next;
			continue;
		}
		*link = daemon->next;
		MHD_stop_daemon(daemon->mhd);
		free(daemon);
	}
}

CpwListener *
cpw_listener_create(const CpwListenerLimits *limits,
					void (*panic) (const char *message))
{
	CpwListener *listener = calloc(1, sizeof(CpwListener));

	if (listener == NULL)
		return NULL;
	listener->limits = *limits;
	request_take_all(&listener->arrived);
	request_take_all(&listener->complete);

	/* Its default would abort(), and so restart the whole server. */
	panic_function = panic;
	MHD_set_panic_func(on_panic, NULL);
	listener->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (listener->epoll_fd >= 0 && start_daemon(listener))
		return listener;
	if (listener->epoll_fd >= 0)
		close(listener->epoll_fd);
	free(listener);
	return NULL;
}

bool
cpw_listener_set_limits(CpwListener *listener, const CpwListenerLimits *limits)
{
	size_t		header_size = listener->limits.max_header_size;

	listener->limits = *limits;
	return limits->max_header_size == header_size || start_daemon(listener);
}

int
cpw_listener_descriptor(const CpwListener *listener)
{
	return listener->epoll_fd;
}

bool
cpw_listener_has_room(const CpwListener *listener)
{
	return listener->connections < listener->limits.max_connections;
}

void
cpw_listener_accept(CpwListener *listener, int listen_socket)
{
	for (int i = 0; i < ACCEPTS_PER_ROUND && cpw_listener_has_room(listener); i++)
	{
		struct sockaddr_storage peer;
		socklen_t	length = sizeof(peer);
		int			fd = accept4(listen_socket, (struct sockaddr *) &peer,
								 &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;				/* none waits, or descriptors are short */
		/* It closes the socket when it cannot take it. */
		MHD_add_connection(listener->daemons->mhd, fd, (struct sockaddr *) &peer,
						   length);
		listener->resumed = true;
	}
}

/* Cuts the connections whose time is over. */
static void
end_overdue(DeadlineList *list, int64_t now)
{
	while (list->first != NULL && list->first->deadline <= now)
	{
		CpwConnection *connection = list->first;

		deadline_remove(connection);
		shutdown(connection->fd, SHUT_RDWR);
	}
}

void
cpw_listener_run(CpwListener *listener)
{
	int64_t		now = now_ms();

	end_overdue(&listener->exchanging, now);
	end_overdue(&listener->idle, now);
	listener->resumed = false;
	for (Daemon *daemon = listener->daemons; daemon != NULL;
		 daemon = daemon->next)
		MHD_run(daemon->mhd);
	stop_replaced(listener);
}

long
cpw_listener_timeout(const CpwListener *listener)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	int64_t		due = INT64_MAX;

	if (listener->resumed || listener->arrived.first || listener->complete.first)
		return 0;
	for (Daemon *daemon = listener->daemons; daemon != NULL;
		 daemon = daemon->next)
		if (MHD_get_timeout(daemon->mhd, &timeout) == MHD_YES && timeout == 0)
			return 0;
	if (listener->exchanging.first)
		due = listener->exchanging.first->deadline;
	if (listener->idle.first && listener->idle.first->deadline < due)
		due = listener->idle.first->deadline;
	if (due == INT64_MAX)
		return -1;
	due -= now_ms();
	return due < 0 ? 0 : (long) due + 1;
}

CpwRequest *
cpw_listener_take_arrived(CpwListener *listener)
{
	return request_take_all(&listener->arrived);
}

CpwRequest *
cpw_listener_take_complete(CpwListener *listener)
{
	return request_take_all(&listener->complete);
}

/* libmicrohttpd does not tell epoll of a resumed connection. */
static void
resume(CpwListener *listener, CpwRequest *request)
{
	listener->resumed = true;
	MHD_resume_connection(request->connection->mhd);
}

void
cpw_listener_read_body(CpwListener *listener, CpwRequest *request,
					   bool count_values)
{
	request->count_values = count_values;
	request->state = STATE_ADMITTED;
	resume(listener, request);
}

void
cpw_listener_answer(CpwListener *listener, CpwRequest *request, int status,
					const char *body, size_t length, const char *allow,
					int retry_after)
{
	bool		early = request->state == STATE_ARRIVED;

	body_free(listener, request);
	request->status = status;
	request->allow = allow;
	request->retry_after = retry_after;
	request->answer = malloc(length + 1);
	if (request->answer != NULL)
		memcpy(request->answer, body, length);
	request->answer_length = request->answer != NULL ? length : 0;
	request->state = early ? STATE_ANSWERED_EARLY : STATE_ANSWERED;
	resume(listener, request);
}

int
cpw_listener_connections(const CpwListener *listener)
{
	return listener->connections;
}

size_t
cpw_listener_buffered(const CpwListener *listener)
{
	return listener->buffered;
}

const char *
cpw_listener_take_message(CpwListener *listener)
{
	if (!listener->has_message)
		return NULL;
	listener->has_message = false;
	return listener->message;
}
