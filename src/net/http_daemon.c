/*
 * http_daemon.c
 *		libmicrohttpd: daemons, and what they call back. The only file that
 *		knows the library.
 *
 * Callbacks only move bytes, in memory of malloc's: an error of the server
 * never crosses a frame of the library. libmicrohttpd's own time-out is one of
 * inactivity, which a client that drips bytes never meets: deadlines are ours
 * (connections.c).
 */
#include "net/http_daemon.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "net/certificate.h"
#include "net/head.h"

/* A time-out of libmicrohttpd's that every deadline of ours comes before. */
#define NEVER_MET_SECONDS		(30u * 24 * 3600)

/* GnuTLS's words for TLS 1.2 and 1.3 with its usual choice of ciphers. */
#define TLS_PRIORITIES			"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

typedef struct CpwHttpDaemon
{
	struct MHD_Daemon *mhd;
	CpwHttp    *http;
	int			connections;
	struct CpwHttpDaemon *next; /* an older one */
} CpwHttpDaemon;

static void (*panic_function) (const char *message);

/* ---- what the library calls: from bytes to a CpwRequest ---- */

/* The request's first line is here; libmicrohttpd keeps what this returns. */
static void *
on_first_line(void *arg, const char *uri, struct MHD_Connection *mhd)
{
	CpwHttp    *http = ((CpwHttpDaemon *) arg)->http;
	CpwRequest *request = cpw_head_begin(uri);
	const union MHD_ConnectionInfo *info;

	if (request == NULL)
		return NULL;
	request->state = CPW_REQUEST_NEW;
	http->progressed = true;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	request->connection = info->socket_context;
	if (request->connection != NULL)
		cpw_connections_begin_exchange(&http->connections,
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
arrive(CpwHttp *http, CpwRequest *request, struct MHD_Connection *mhd,
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
	request->state = CPW_REQUEST_ARRIVED;
	cpw_request_list_append(&http->arrived, request);
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
	request->state = CPW_REQUEST_STREAMING;
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
	CpwHttp    *http = ((CpwHttpDaemon *) arg)->http;
	CpwRequest *request = *context;
	size_t		length;

	http->progressed = true;
	if (request == NULL || request->connection == NULL)
		return MHD_NO;
	if (request->state != CPW_REQUEST_NEW && request->state != CPW_REQUEST_READING)
		MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	switch (request->state)
	{
		case CPW_REQUEST_NEW:
			return arrive(http, request, mhd, method, url, version);
		case CPW_REQUEST_ADMITTED:
			request->state = CPW_REQUEST_READING;
			return MHD_YES;
		case CPW_REQUEST_READING:
			if (*upload_length > 0)
			{
				length = *upload_length;
				*upload_length = 0;
				return cpw_request_append(request, &http->budget, upload,
										  length) ? MHD_YES : MHD_NO;
			}
			request->state = CPW_REQUEST_COMPLETE;
			cpw_request_complete_body(request);
			cpw_request_list_append(&http->complete, request);
			suspend(mhd);
			return MHD_YES;
		case CPW_REQUEST_ANSWERED_EARLY:

			/*
			 * An answer in the first call makes libmicrohttpd close the
			 * connection: right where a body would follow, a waste where none
			 * does.
			 */
			request->state = CPW_REQUEST_ANSWERED;
			if (!request->has_body && !request->closes)
				return MHD_YES;
			request->lingers = true;
			return send_answer(request, mhd);
		case CPW_REQUEST_ANSWERED:
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
	CpwHttp    *http = ((CpwHttpDaemon *) arg)->http;
	CpwRequest *request = *context;

	(void) mhd;
	(void) code;
	if (request == NULL)
		return;
	*context = NULL;
	if (request->stream != NULL)
	{
		request->stream->on_end(request);
		cpw_stream_unlink(&http->streams, request->stream);
		free(request->stream);
	}
	if (request->connection != NULL)
		cpw_connections_end_exchange(&http->connections,
									 request->connection, request->lingers);
	cpw_request_free_body(request, &http->budget);
	free(request->header_memory);
	free(request->answer);
	free(request);
}

static void
on_connection(void *arg, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	CpwHttpDaemon *daemon = arg;
	CpwHttp    *http = daemon->http;
	const union MHD_ConnectionInfo *info;

	http->progressed = true;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
	{
		info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
		*context = cpw_connections_begin(&http->connections,
										 info->connect_fd, mhd,
										 http->accepting);
		if (*context != NULL)
			daemon->connections++;
	}
	else if (*context != NULL)
	{
		cpw_connections_end(&http->connections, *context);
		*context = NULL;
		daemon->connections--;
	}
}

static void on_message(void *arg, const char *format, va_list arguments)
			__attribute__((format(printf, 2, 0)));

static void
on_message(void *arg, const char *format, va_list arguments)
{
	CpwHttp    *http = ((CpwHttpDaemon *) arg)->http;
	size_t		length;

	vsnprintf(http->message, sizeof(http->message), format, arguments);
	length = strcspn(http->message, "\r\n");
	http->message[length] = '\0';
	http->has_message = true;
}

static void
on_panic(void *arg, const char *file, unsigned int line, const char *reason)
{
	(void) arg;
	(void) file;
	(void) line;
	panic_function(reason ? reason : "unknown reason");
}

/* ---- the listener's calls ---- */

void
cpw_http_set_panic(void (*panic) (const char *message))
{
	panic_function = panic;
	MHD_set_panic_func(on_panic, NULL);
}

/* The library's daemon; NULL when it cannot be started. */
static struct MHD_Daemon *
start_library(CpwHttpDaemon *daemon, size_t max_header_size, bool tls)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
		MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls_options[] = {
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, cpw_certificate_callback()},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES},
		{MHD_OPTION_END, 0, NULL}
	};
	struct MHD_OptionItem no_options[] = {{MHD_OPTION_END, 0, NULL}};

	/*
	 * The listener counts connections, so the library's limit is out of the
	 * way. A pool of twice the header limit lets the usual excess reach us,
	 * to be answered in JSON.
	 */
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, daemon,
							MHD_OPTION_EXTERNAL_LOGGER, on_message, daemon,
							MHD_OPTION_URI_LOG_CALLBACK, on_first_line, daemon,
							MHD_OPTION_NOTIFY_COMPLETED, on_completed, daemon,
							MHD_OPTION_NOTIFY_CONNECTION, on_connection, daemon,
							MHD_OPTION_CONNECTION_LIMIT, 1000000u,
							MHD_OPTION_CONNECTION_TIMEOUT, 0u,
							MHD_OPTION_CONNECTION_MEMORY_LIMIT,
							max_header_size * 2,
							MHD_OPTION_STRICT_FOR_CLIENT,
							cpw_head_library_is_lenient(MHD_get_version()) ? 0 : 1,
							MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
							MHD_OPTION_ARRAY, tls ? tls_options : no_options,
							MHD_OPTION_END);
}

bool
cpw_http_start_daemon(CpwHttp *http, size_t max_header_size, bool tls)
{
	CpwHttpDaemon *daemon = calloc(1, sizeof(CpwHttpDaemon));
	struct epoll_event event = {.events = EPOLLIN};
	const union MHD_DaemonInfo *info;

	if (daemon == NULL)
		return false;
	daemon->http = http;
	daemon->mhd = start_library(daemon, max_header_size, tls);
	if (daemon->mhd == NULL)
	{
		free(daemon);
		return false;
	}
	info = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &event) != 0)
	{
		MHD_stop_daemon(daemon->mhd);
		free(daemon);
		return false;
	}
	daemon->next = http->daemons;
	http->daemons = daemon;
	return true;
}

void
cpw_http_stop_replaced(CpwHttp *http)
{
	CpwHttpDaemon **link = &http->daemons->next;

	while (*link != NULL)
	{
		CpwHttpDaemon *daemon = *link;

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

void
cpw_http_take_connection(CpwHttp *http, int fd,
						 const struct sockaddr_storage *peer, socklen_t length)
{
	http->accepting = peer;
	MHD_add_connection(http->daemons->mhd, fd,
					   (const struct sockaddr *) peer, length);
	http->resumed = true;
}

void
cpw_http_run(CpwHttp *http)
{
	http->resumed = false;
	for (CpwHttpDaemon *daemon = http->daemons; daemon != NULL;
		 daemon = daemon->next)
		MHD_run(daemon->mhd);
}

/* Its deadlines are not in use, so what it says else is no time of ours. */
bool
cpw_http_wants_to_run(const CpwHttp *http)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	for (CpwHttpDaemon *daemon = http->daemons; daemon != NULL;
		 daemon = daemon->next)
		if (MHD_get_timeout(daemon->mhd, &timeout) == MHD_YES && timeout == 0)
			return true;
	return false;
}

/* libmicrohttpd does not tell epoll of a resumed connection. */
void
cpw_http_resume(CpwHttp *http, const CpwRequest *request)
{
	http->resumed = true;
	MHD_resume_connection(request->connection->handle);
}

void
cpw_http_give_up(CpwConnection *connection)
{
	MHD_set_connection_option(connection->handle,
							  MHD_CONNECTION_OPTION_TIMEOUT, 1u);
}
