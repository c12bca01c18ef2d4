/*
 * listener.c
 *		HTTP in, the owner's side: what may come in, when to look again, and
 *		what becomes of a request that stands still.
 *
 * The bytes are libmicrohttpd's business, and that is http_daemon.c's.
 */
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/http_daemon.h"

/* Connections taken from one listening socket a round. */
#define ACCEPTS_PER_ROUND		64

/*
 * Rounds in which libmicrohttpd may do nothing and still want the next one at
 * once; then it has to wait, ever longer.
 */
#define FUTILE_ROUNDS			8
#define MAX_PAUSE_MS			50

struct CpwListener
{
	CpwHttp		http;
	CpwListenerLimits limits;
	int			futile;			/* rounds in a row without a call of the library */
};

static void
take_limits(CpwListener *listener, const CpwListenerLimits *limits)
{
	CpwConnections *connections = &listener->http.connections;
	CpwBodyBudget *budget = &listener->http.budget;

	listener->limits = *limits;
	connections->max = limits->max_connections;
	connections->max_per_ip = limits->max_connections_per_ip;
	connections->is_exempt = limits->is_exempt;
	connections->request_timeout = limits->request_timeout;
	connections->keepalive_timeout = limits->keepalive_timeout;
	budget->max_body_size = limits->max_body_size;
	budget->max_json_values = limits->max_json_values;
	budget->max_buffered = limits->max_buffered;
}

static bool
start_daemon(CpwListener *listener)
{
	return cpw_http_start_daemon(&listener->http,
								 listener->limits.max_header_size,
								 listener->limits.tls);
}

CpwListener *
cpw_listener_create(const CpwListenerLimits *limits,
					void (*panic) (const char *message))
{
	CpwListener *listener = calloc(1, sizeof(CpwListener));
	CpwHttp    *http;

	if (listener == NULL)
		return NULL;
	http = &listener->http;
	take_limits(listener, limits);
	cpw_request_list_take(&http->arrived);
	cpw_request_list_take(&http->complete);
	cpw_http_set_panic(panic);
	http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->epoll_fd >= 0 &&
		cpw_connections_init(&http->connections, http->epoll_fd))
	{
		if (start_daemon(listener))
			return listener;
		cpw_connections_free(&http->connections);
	}
	if (http->epoll_fd >= 0)
		close(http->epoll_fd);
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
	return listener->http.epoll_fd;
}

bool
cpw_listener_has_room(const CpwListener *listener)
{
	return cpw_connections_have_room(&listener->http.connections);
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
				cpw_connections_pause(&listener->http.connections);
			return false;
		}
		if (!cpw_connections_admit(&listener->http.connections, &peer))
		{
			close(fd);
			continue;
		}
		cpw_http_take_connection(&listener->http, fd, &peer, length);
	}
	return cpw_listener_has_room(listener);
}

/* Whether the connection of a hangup can only go on with more bytes. */
static bool
waits_for_bytes(const CpwHangup *hangup)
{
	const CpwConnection *connection = (const CpwConnection *)
		((const char *) hangup - offsetof(CpwConnection, hangup));
	const CpwRequest *request = connection->request;

	return request == NULL || request->state == CPW_REQUEST_NEW ||
		request->state == CPW_REQUEST_READING ||
		request->state == CPW_REQUEST_STREAMING;
}

static void
wake_stream(CpwListener *listener, CpwStream *stream)
{
	if (!stream->waits)
		return;
	stream->waits = false;
	cpw_http_resume(&listener->http, stream->request);
}

/* A stream that stands still does not see that its client has hung up. */
static void
end_hung_up_streams(CpwListener *listener)
{
	for (CpwStream *stream = listener->http.streams; stream != NULL;
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
	cpw_http_run(&listener->http);
}

void
cpw_listener_run(CpwListener *listener)
{
	CpwHttp    *http = &listener->http;

	cpw_connections_cut_overdue(&http->connections, cpw_http_give_up);
	cpw_http_run(http);
	listener->futile = http->progressed ? 0 : listener->futile + 1;
	http->progressed = false;
	cpw_http_stop_replaced(http);
	cpw_connections_look_after(&http->connections, waits_for_bytes);
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
	const CpwHttp *http = &listener->http;
	long		first;
	long		left;

	if (http->resumed || http->arrived.first || http->complete.first)
		return 0;
	first = cpw_http_wants_to_run(http) ? pause_when_futile(listener) : -1;
	left = cpw_connections_timeout(&http->connections);
	return first < 0 || (left >= 0 && left < first) ? left : first;
}

CpwRequest *
cpw_listener_take_arrived(CpwListener *listener)
{
	return cpw_request_list_take(&listener->http.arrived);
}

CpwRequest *
cpw_listener_take_complete(CpwListener *listener)
{
	return cpw_request_list_take(&listener->http.complete);
}

void
cpw_listener_read_body(CpwListener *listener, CpwRequest *request,
					   bool count_values)
{
	request->count_values = count_values;
	request->state = CPW_REQUEST_ADMITTED;
	cpw_http_resume(&listener->http, request);
}

void
cpw_listener_answer(CpwListener *listener, CpwRequest *request, int status,
					const char *body, size_t length, const char *allow,
					int retry_after)
{
	bool		early = request->state == CPW_REQUEST_ARRIVED;

	cpw_request_free_body(request, &listener->http.budget);
	request->status = status;
	request->allow = allow;
	request->retry_after = retry_after;
	request->answer = malloc(length + 1);
	if (request->answer != NULL)
		memcpy(request->answer, body, length);
	request->answer_length = request->answer != NULL ? length : 0;
	request->state = early ? CPW_REQUEST_ANSWERED_EARLY : CPW_REQUEST_ANSWERED;
	cpw_http_resume(&listener->http, request);
}

bool
cpw_listener_open_stream(CpwListener *listener, CpwRequest *request,
						 void (*on_end) (CpwRequest *request))
{
	CpwStream  *stream = calloc(1, sizeof(CpwStream));

	if (stream == NULL)
		return false;
	stream->request = request;
	stream->progressed = &listener->http.progressed;
	stream->on_end = on_end;
	cpw_stream_link(&listener->http.streams, stream);
	request->stream = stream;
	request->status = 200;
	cpw_deadline_clear(&request->connection->deadline);
	request->state = CPW_REQUEST_ANSWERED_EARLY;
	cpw_http_resume(&listener->http, request);
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
		cpw_http_give_up(request->connection);
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
	return listener->http.connections.refused;
}

int
cpw_listener_connections(const CpwListener *listener)
{
	return listener->http.connections.count;
}

size_t
cpw_listener_buffered(const CpwListener *listener)
{
	return listener->http.budget.buffered;
}

const char *
cpw_listener_take_message(CpwListener *listener)
{
	CpwHttp    *http = &listener->http;

	if (!http->has_message)
		return NULL;
	http->has_message = false;
	return http->message;
}
