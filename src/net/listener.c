/*
 * listener.c
 *		HTTP in: connections, exchanges, answers.
 *
 * The daemon runs in external-epoll mode, without threads and without a
 * listening socket of its own: the owner's sockets are accepted here and
 * handed over, so that an address or a limit can change while it runs.
 * libmicrohttpd's own time-out is one of inactivity, which a client that drips
 * bytes never meets: deadlines are ours (connections.c).
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
#include <unistd.h>

#include "net/certificate.h"
#include "net/connections.h"
#include "net/head.h"

/* Connections taken from one listening socket a round. */
#define ACCEPTS_PER_ROUND		64

/*
 * Rounds in which libmicrohttpd may do nothing and still want the next one at
 * once; then it has to wait, ever longer.
 */
#define FUTILE_ROUNDS			8
#define MAX_PAUSE_MS			50

/* A time-out of libmicrohttpd's that every deadline of ours comes before. */
#define NEVER_MET_SECONDS		(30u * 24 * 3600)

/* GnuTLS's words for TLS 1.2 and 1.3 with its usual choice of ciphers. */
#define TLS_PRIORITIES			"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum RequestState
{
	STATE_NEW,					/* its first line is here */
	STATE_ARRIVED,				/* the owner has it, or will take it */
	STATE_ADMITTED,				/* resumed; the next call only goes on */
	STATE_READING,				/* its body comes */
	STATE_COMPLETE,				/* the owner has it, or will take it */
	STATE_ANSWERED_EARLY,		/* answered before its (empty) end */
	STATE_ANSWERED,
	STATE_STREAMING				/* its answer goes on */
};

/*
 * A daemon of libmicrohttpd. What it fixes at its start (the memory of a
 * connection, TLS or not) changes by starting another one: new connections go to that,
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
	CpwConnections connections;
	const struct sockaddr_storage *accepting;	/* whose connection begins */
	CpwBodyBudget budget;
	bool		resumed;		/* libmicrohttpd has work that epoll won't tell */
	bool		progressed;		/* it has called back since the last round */
	int			futile;			/* rounds in a row in which it has not */
	CpwRequestList arrived;
	CpwRequestList complete;
	CpwStream  *streams;
	char		message[256];
	bool		has_message;
};

static void (*panic_function) (const char *message);

/* ---- requests: from bytes to a CpwRequest ---- */

/* The request's first line is here; libmicrohttpd keeps what this returns. */
static void *
on_first_line(void *arg, const char *uri, struct MHD_Connection *mhd)
{
	CpwListener *listener = ((Daemon *) arg)->listener;
	CpwRequest *request = cpw_head_begin(uri);
	const union MHD_ConnectionInfo *info;

	if (request == NULL)
		return NULL;
	request->state = STATE_NEW;
	listener->progressed = true;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	request->connection = info->socket_context;
	if (request->connection != NULL)
		cpw_connections_begin_exchange(&listener->connections,
									   request->connection, request);
	return request;
}

typedef struct Visit
{
	CpwHeadVisitor visitor;
	void	   *arg;
} Visit;

static enum MHD_Result
visit_header(void *arg, enum MHD_ValueKind kind, const char *name,
			 size_t name_length, const char *value, size_t value_length)
{
	Visit	   *visit = arg;

	(void) kind;
	return visit->visitor(visit->arg, name, name_length, value, value_length)
		? MHD_YES : MHD_NO;
}

static void
each_header(void *mhd, CpwHeadVisitor visitor, void *arg)
{
	Visit		visit = {visitor, arg};

	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, visit_header, &visit);
}

/*
 * Until the owner resumes it.
 *
 * libmicrohttpd up to 1.0.1 reads from a resumed connection before it goes on
 * with what it has read, and where the client has shut down its side
 * meanwhile, which it may, that ends the exchange: a whole request would be
 * lost, or the answer of one that is committed. Connections with a time-out of
 * their own are looked at before any are read from: so it has one, until the
 * handler is called. From 1.0 on it takes none while it is suspended.
 */
static void
suspend(struct MHD_Connection *mhd)
{
	MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT,
							  NEVER_MET_SECONDS);
	MHD_suspend_connection(mhd);
}

/* The headers are here: hand the request to the owner. */
static enum MHD_Result
arrive(CpwListener *listener, CpwRequest *request, struct MHD_Connection *mhd,
	   const char *method, const char *url, const char *version)
{
	const union MHD_ConnectionInfo *info;
	CpwHeadSource source = {
		.method = method, .url = url, .version = version,
		.is_lenient = cpw_head_library_is_lenient(MHD_get_version()),
		.each_header = each_header, .connection = mhd,
	};

	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	source.size = info->header_size;
	if (!cpw_head_take(request, &source))
		return MHD_NO;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (info != NULL && info->client_addr != NULL)
		memcpy(&request->peer, info->client_addr,
			   info->client_addr->sa_family == AF_INET6
			   ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	request->state = STATE_ARRIVED;
	cpw_request_list_append(&listener->arrived, request);
	suspend(mhd);
	return MHD_YES;
}

/* What a stream has to send; without anything the connection stands still. */
static ssize_t
read_stream(void *arg, uint64_t position, char *buffer, size_t room)
{
	CpwStream  *stream = arg;
	size_t		taken = cpw_stream_take(stream, buffer, room);

	(void) position;
	*stream->progressed = true;
	if (taken > 0)
		return (ssize_t) taken;
	if (stream->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	stream->waits = true;
	MHD_suspend_connection(stream->request->connection->handle);
	return 0;
}

static struct MHD_Response *
make_response(CpwRequest *request)
{
	if (request->stream == NULL)
		return MHD_create_response_from_buffer(request->answer_length,
											   request->answer,
											   MHD_RESPMEM_MUST_COPY);
	request->state = STATE_STREAMING;
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
											 CPW_STREAM_SIZE, read_stream,
											 request->stream, NULL);
}

static enum MHD_Result
send_answer(CpwRequest *request, struct MHD_Connection *mhd)
{
	struct MHD_Response *response = make_response(request);
	enum MHD_Result result;
	char		seconds[16];

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type",
							request->answer_type != NULL
							? request->answer_type : "application/json");
	for (const CpwAnswerHeader *header = request->answer_headers;
		 header != NULL && header->name != NULL; header++)
		MHD_add_response_header(response, header->name, header->value);
	if (request->answer_header != NULL)
		MHD_add_response_header(response, request->answer_header,
								request->answer_value);
	if (request->closes)
	{
		MHD_add_response_header(response, "Connection", "close");
		request->lingers = true;
	}
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
	size_t		length;

	listener->progressed = true;
	if (request == NULL || request->connection == NULL)
		return MHD_NO;
	if (request->state != STATE_NEW && request->state != STATE_READING)
		MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	switch (request->state)
	{
		case STATE_NEW:
			return arrive(listener, request, mhd, method, url, version);
		case STATE_ADMITTED:
			request->state = STATE_READING;
			return MHD_YES;
		case STATE_READING:
			if (*upload_length > 0)
			{
				length = *upload_length;
				*upload_length = 0;
				return cpw_request_append(request, &listener->budget, upload,
										  length) ? MHD_YES : MHD_NO;
			}
			request->state = STATE_COMPLETE;
			cpw_request_complete_body(request);
			cpw_request_list_append(&listener->complete, request);
			suspend(mhd);
			return MHD_YES;
		case STATE_ANSWERED_EARLY:

			/*
			 * An answer in the first call makes libmicrohttpd close the
			 * connection: right where a body would follow, a waste where none
			 * does.
			 */
			request->state = STATE_ANSWERED;
			if (!request->has_body && !request->closes)
				return MHD_YES;
			request->lingers = true;
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
	if (request->stream != NULL)
	{
		request->stream->on_end(request);
		cpw_stream_unlink(&listener->streams, request->stream);
		free(request->stream);
	}
	if (request->connection != NULL)
		cpw_connections_end_exchange(&listener->connections,
									 request->connection, request->lingers);
	cpw_request_free_body(request, &listener->budget);
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
	const union MHD_ConnectionInfo *info;

	listener->progressed = true;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
	{
		info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
		*context = cpw_connections_begin(&listener->connections,
										 info->connect_fd, mhd,
										 listener->accepting);
		if (*context != NULL)
			daemon->connections++;
	}
	else if (*context != NULL)
	{
		cpw_connections_end(&listener->connections, *context);
		*context = NULL;
		daemon->connections--;
	}
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
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
		MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
		(listener->limits.tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls_options[] = {
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, cpw_certificate_callback()},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES},
		{MHD_OPTION_END, 0, NULL}
	};
	struct MHD_OptionItem no_options[] = {{MHD_OPTION_END, 0, NULL}};

	if (daemon == NULL)
		return false;
	daemon->listener = listener;

	/*
	 * The owner counts connections, so its own limit is out of the way. A
	 * pool of twice the header limit lets the usual excess reach us, to be
	 * answered in JSON.
	 */
	daemon->mhd =
		MHD_start_daemon(flags, 0, NULL, NULL, on_request, daemon,
						 MHD_OPTION_EXTERNAL_LOGGER, on_message, daemon,
						 MHD_OPTION_URI_LOG_CALLBACK, on_first_line, daemon,
						 MHD_OPTION_NOTIFY_COMPLETED, on_completed, daemon,
						 MHD_OPTION_NOTIFY_CONNECTION, on_connection, daemon,
						 MHD_OPTION_CONNECTION_LIMIT, 1000000u,
						 MHD_OPTION_CONNECTION_TIMEOUT, 0u,
						 MHD_OPTION_CONNECTION_MEMORY_LIMIT,
						 listener->limits.max_header_size * 2,
						 MHD_OPTION_STRICT_FOR_CLIENT,
						 cpw_head_library_is_lenient(MHD_get_version()) ? 0 : 1,
						 MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
						 MHD_OPTION_ARRAY,
						 listener->limits.tls ? tls_options : no_options,
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

static void
take_limits(CpwListener *listener, const CpwListenerLimits *limits)
{
	listener->limits = *limits;
	listener->connections.max = limits->max_connections;
	listener->connections.max_per_ip = limits->max_connections_per_ip;
	listener->connections.is_exempt = limits->is_exempt;
	listener->connections.request_timeout = limits->request_timeout;
	listener->connections.keepalive_timeout = limits->keepalive_timeout;
	listener->budget.max_body_size = limits->max_body_size;
	listener->budget.max_json_values = limits->max_json_values;
	listener->budget.max_buffered = limits->max_buffered;
}

CpwListener *
cpw_listener_create(const CpwListenerLimits *limits,
					void (*panic) (const char *message))
{
	CpwListener *listener = calloc(1, sizeof(CpwListener));

	if (listener == NULL)
		return NULL;
	take_limits(listener, limits);
	cpw_request_list_take(&listener->arrived);
	cpw_request_list_take(&listener->complete);

	/* Its default would abort(), and so restart the whole server. */
	panic_function = panic;
	MHD_set_panic_func(on_panic, NULL);
	listener->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (listener->epoll_fd >= 0 &&
		cpw_connections_init(&listener->connections, listener->epoll_fd))
	{
		if (start_daemon(listener))
			return listener;
		cpw_connections_free(&listener->connections);
	}
	if (listener->epoll_fd >= 0)
		close(listener->epoll_fd);
	free(listener);
	return NULL;
}

bool
cpw_listener_set_limits(CpwListener *listener, const CpwListenerLimits *limits)
{
	size_t		header_size = listener->limits.max_header_size;
	bool		tls = listener->limits.tls;

	take_limits(listener, limits);
	if ((limits->max_header_size == header_size && limits->tls == tls) ||
		start_daemon(listener))
		return true;

	/* The next call tries again. */
	listener->limits.max_header_size = header_size;
	listener->limits.tls = tls;
	return false;
}

int
cpw_listener_descriptor(const CpwListener *listener)
{
	return listener->epoll_fd;
}

bool
cpw_listener_has_room(const CpwListener *listener)
{
	return cpw_connections_have_room(&listener->connections);
}

bool
cpw_listener_accept(CpwListener *listener, int listen_socket)
{
	for (int i = 0; i < ACCEPTS_PER_ROUND && cpw_listener_has_room(listener); i++)
	{
		struct sockaddr_storage peer;
		socklen_t	length = sizeof(peer);
		int			fd = accept4(listen_socket, (struct sockaddr *) &peer,
								 &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
		{
			/* Short of descriptors, the socket stays readable: leave it. */
			if (errno != EAGAIN && errno != EWOULDBLOCK &&
				errno != ECONNABORTED && errno != EINTR)
				cpw_connections_pause(&listener->connections);
			return false;
		}
		if (!cpw_connections_admit(&listener->connections, &peer))
		{
			close(fd);
			continue;
		}
		listener->accepting = &peer;
		/* It closes the socket when it cannot take it. */
		MHD_add_connection(listener->daemons->mhd, fd, (struct sockaddr *) &peer,
						   length);
		listener->resumed = true;
	}
	return cpw_listener_has_room(listener);
}

/*
 * libmicrohttpd sees at once that a socket was shut down, but where it does
 * not watch the socket, because its buffer is full, it never does: there its
 * own time-out ends the connection.
 */
static void
give_up(CpwConnection *connection)
{
	MHD_set_connection_option(connection->handle,
							  MHD_CONNECTION_OPTION_TIMEOUT, 1u);
}

/* Whether the connection of a hangup can only go on with more bytes. */
static bool
waits_for_bytes(const CpwHangup *hangup)
{
	const CpwConnection *connection = (const CpwConnection *)
		((const char *) hangup - offsetof(CpwConnection, hangup));
	const CpwRequest *request = connection->request;

	return request == NULL || request->state == STATE_NEW ||
		request->state == STATE_READING || request->state == STATE_STREAMING;
}

static void
wake_stream(CpwListener *listener, CpwStream *stream)
{
	if (!stream->waits)
		return;
	stream->waits = false;
	listener->resumed = true;
	MHD_resume_connection(stream->request->connection->handle);
}

/* A stream that stands still does not see that its client has hung up. */
static void
end_hung_up_streams(CpwListener *listener)
{
	for (CpwStream *stream = listener->streams; stream != NULL;
		 stream = stream->next)
		if (stream->request->connection->hangup.over)
		{
			stream->over = true;
			wake_stream(listener, stream);
		}
}

void
cpw_listener_move(CpwListener *listener)
{
	listener->resumed = false;
	for (Daemon *daemon = listener->daemons; daemon != NULL;
		 daemon = daemon->next)
		MHD_run(daemon->mhd);
}

void
cpw_listener_run(CpwListener *listener)
{
	cpw_connections_cut_overdue(&listener->connections, give_up);
	cpw_listener_move(listener);
	listener->futile = listener->progressed ? 0 : listener->futile + 1;
	listener->progressed = false;
	stop_replaced(listener);
	cpw_connections_look_after(&listener->connections, waits_for_bytes);
	end_hung_up_streams(listener);
}

/*
 * How long to wait although libmicrohttpd wants to be called at once. It goes
 * on wanting that while a line between two chunks fills its buffer, for which
 * it can do nothing, until the deadline ends the connection. What happens on
 * a socket meanwhile ends the wait.
 */
static long
pause_when_futile(const CpwListener *listener)
{
	int			doublings = listener->futile - FUTILE_ROUNDS;

	if (doublings < 0)
		return 0;
	return doublings < 5 ? 1L << doublings : MAX_PAUSE_MS;
}

long
cpw_listener_timeout(const CpwListener *listener)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	long		first = -1;
	long		left;

	if (listener->resumed || listener->arrived.first || listener->complete.first)
		return 0;
	for (Daemon *daemon = listener->daemons; daemon != NULL;
		 daemon = daemon->next)
		if (MHD_get_timeout(daemon->mhd, &timeout) == MHD_YES && timeout == 0)
			first = pause_when_futile(listener);
	left = cpw_connections_timeout(&listener->connections);
	return first < 0 || (left >= 0 && left < first) ? left : first;
}

CpwRequest *
cpw_listener_take_arrived(CpwListener *listener)
{
	return cpw_request_list_take(&listener->arrived);
}

CpwRequest *
cpw_listener_take_complete(CpwListener *listener)
{
	return cpw_request_list_take(&listener->complete);
}

/* libmicrohttpd does not tell epoll of a resumed connection. */
static void
resume(CpwListener *listener, CpwRequest *request)
{
	listener->resumed = true;
	MHD_resume_connection(request->connection->handle);
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

	cpw_request_free_body(request, &listener->budget);
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

bool
cpw_listener_open_stream(CpwListener *listener, CpwRequest *request,
						 void (*on_end) (CpwRequest *request))
{
	CpwStream  *stream = calloc(1, sizeof(CpwStream));

	if (stream == NULL)
		return false;
	stream->request = request;
	stream->progressed = &listener->progressed;
	stream->on_end = on_end;
	cpw_stream_link(&listener->streams, stream);
	request->stream = stream;
	request->status = 200;
	cpw_deadline_clear(&request->connection->deadline);
	request->state = STATE_ANSWERED_EARLY;
	resume(listener, request);
	return true;
}

void
cpw_listener_send(CpwListener *listener, CpwRequest *request,
				  const char *bytes, size_t length)
{
	CpwStream  *stream = request->stream;

	if (stream->over)
		return;
	if (!cpw_stream_put(stream, bytes, length))
	{
		stream->over = true;
		shutdown(request->connection->fd, SHUT_RDWR);
		give_up(request->connection);
	}
	wake_stream(listener, stream);
}

void
cpw_listener_end_stream(CpwListener *listener, CpwRequest *request)
{
	request->stream->over = true;
	wake_stream(listener, request->stream);
}

uint64_t
cpw_listener_refused(const CpwListener *listener)
{
	return listener->connections.refused;
}

int
cpw_listener_connections(const CpwListener *listener)
{
	return listener->connections.count;
}

size_t
cpw_listener_buffered(const CpwListener *listener)
{
	return listener->budget.buffered;
}

const char *
cpw_listener_take_message(CpwListener *listener)
{
	if (!listener->has_message)
		return NULL;
	listener->has_message = false;
	return listener->message;
}
