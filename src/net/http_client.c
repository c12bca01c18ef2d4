/*
 * http_client.c
 *		HTTP out, on libcurl's multi interface.
 *
 * libcurl tells which sockets it waits for and for how long; they go into an
 * epoll descriptor, which is one more socket in the owner's wait set.
 * https://curl.se/libcurl/c/curl_multi_socket_action.html
 */
#include "net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/deadline.h"

_Static_assert(LIBCURL_VERSION_NUM >= 0x074a00, "libcurl 7.74 or newer is needed");

#define MAX_EVENTS			32
#define MAX_REDIRECTS		3
#define MAX_HEADERS_SIZE	(32 * 1024)

typedef struct Bytes
{
	char	   *data;			/* ends in NUL, or NULL */
	size_t		length;
	size_t		limit;
	bool		is_over;		/* more came than the limit */
} Bytes;

struct CpwHttpTransfer
{
	CURL	   *handle;
	struct curl_slist *headers;
	char	   *request_body;
	void	   *owner;
	Bytes		answer_headers;
	Bytes		body;
	int			redirects;
	CURLcode	result;
	char		error[CURL_ERROR_SIZE];
	CpwHttpTransfer *next;		/* of the client's list of those that ended */
};

struct CpwHttpClient
{
	CURLM	   *multi;
	int			epoll;
	int64_t		due;			/* on the monotonic clock; -1: none */
	CpwHttpTransfer *ended;
	CpwHttpTransfer **ended_end;
};

/* ---- signals ---- */

/*
 * Any call may start the resolver's thread, which must not be the one that a
 * signal of the process is delivered to.
 */
static void
block_signals(sigset_t *before)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

static void
restore_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* ---- callbacks ---- */

static int
on_socket(CURL *handle, curl_socket_t fd, int what, void *arg, void *unused)
{
	CpwHttpClient *client = arg;
	struct epoll_event event = {0};

	(void) handle;
	(void) unused;
	if (what == CURL_POLL_REMOVE)
	{
		(void) epoll_ctl(client->epoll, EPOLL_CTL_DEL, fd, &event);
		return 0;
	}
	event.data.fd = fd;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		event.events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(client->epoll, EPOLL_CTL_MOD, fd, &event) != 0 &&
		errno == ENOENT)
		(void) epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int
on_timer(CURLM *multi, long timeout, void *arg)
{
	CpwHttpClient *client = arg;

	(void) multi;
	client->due = timeout < 0 ? -1 : cpw_deadline_now() + timeout;
	return 0;
}

/* Takes in bytes, or fails the transfer by returning less. */
static size_t
append(Bytes *bytes, const char *data, size_t length)
{
	char	   *grown;

	if (length > bytes->limit - bytes->length)
	{
		bytes->is_over = true;
		return 0;
	}
	grown = realloc(bytes->data, bytes->length + length + 1);
	if (grown == NULL)
		return 0;
	bytes->data = grown;
	memcpy(bytes->data + bytes->length, data, length);
	bytes->length += length;
	bytes->data[bytes->length] = '\0';
	return length;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	CpwHttpTransfer *transfer = arg;

	return append(&transfer->body, data, size * count);
}

static void
clear(Bytes *bytes)
{
	if (bytes->data != NULL)
		explicit_bzero(bytes->data, bytes->length);
	free(bytes->data);
	bytes->data = NULL;
	bytes->length = 0;
	bytes->is_over = false;
}

/* A status line begins another answer: of a 100, a proxy, a redirect. */
static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	CpwHttpTransfer *transfer = arg;

	if (size * count > 5 && memcmp(data, "HTTP/", 5) == 0)
		clear(&transfer->answer_headers);
	return append(&transfer->answer_headers, data, size * count);
}

/* ---- the client ---- */

CpwHttpClient *
cpw_http_client_create(void)
{
	CpwHttpClient *client = calloc(1, sizeof(CpwHttpClient));
	sigset_t	signals;

	if (client == NULL)
		return NULL;
	block_signals(&signals);
	client->epoll = epoll_create1(EPOLL_CLOEXEC);
	client->due = -1;
	client->ended_end = &client->ended;
	if (client->epoll >= 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		client->multi = curl_multi_init();
	restore_signals(&signals);
	if (client->multi == NULL)
	{
		if (client->epoll >= 0)
			close(client->epoll);
		free(client);
		return NULL;
	}
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	return client;
}

int
cpw_http_client_descriptor(const CpwHttpClient *client)
{
	return client->epoll;
}

long
cpw_http_client_timeout(const CpwHttpClient *client)
{
	int64_t		left;

	if (client->due < 0)
		return -1;
	left = client->due - cpw_deadline_now();
	return left > 0 ? (long) left : 0;
}

/* Sets what every transfer is held to. False where libcurl cannot. */
static bool
set_bounds(CURL *handle, const CpwHttpRequest *request)
{
	bool		is_fine;

#if LIBCURL_VERSION_NUM >= 0x075500
	is_fine = curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
	is_fine = curl_easy_setopt(handle, CURLOPT_PROTOCOLS,
							   (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS)) == CURLE_OK;
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);

	/*
	 * On a connection that is used again libcurl repeats by itself what got no
	 * answer, also a POST that has been heard.
	 */
	curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(handle, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, request->timeout);
	curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout);

	/* An empty proxy is none, whatever the environment has. */
	is_fine = is_fine &&
		curl_easy_setopt(handle, CURLOPT_PROXY,
						 request->proxy != NULL ? request->proxy : "") == CURLE_OK;
	curl_easy_setopt(handle, CURLOPT_NOPROXY, "");
	if (request->ca_file != NULL)
	{
		is_fine = is_fine &&
			curl_easy_setopt(handle, CURLOPT_CAINFO, request->ca_file) == CURLE_OK;
		curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
	}
	return is_fine;
}

static bool
set_request(CpwHttpTransfer *transfer, const CpwHttpRequest *request)
{
	CURL	   *handle = transfer->handle;

	/* Without it a large body waits a second for a 100. */
	transfer->headers = curl_slist_append(NULL, "Expect:");
	for (int i = 0; i < request->header_count && transfer->headers != NULL; i++)
	{
		struct curl_slist *more = curl_slist_append(transfer->headers,
													request->headers[i]);

		if (more == NULL)
			return false;
		transfer->headers = more;
	}
	if (request->body != NULL)
	{
		transfer->request_body = strdup(request->body);
		if (transfer->request_body == NULL)
			return false;
		curl_easy_setopt(handle, CURLOPT_POST, 1L);
		curl_easy_setopt(handle, CURLOPT_POSTFIELDS, transfer->request_body);
		curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE,
						 (long) strlen(transfer->request_body));
	}
	else
		curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
	return transfer->headers != NULL &&
		curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK &&
		curl_easy_setopt(handle, CURLOPT_URL, request->url) == CURLE_OK &&
		curl_easy_setopt(handle, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK;
}

CpwHttpTransfer *
cpw_http_client_start(CpwHttpClient *client, const CpwHttpRequest *request,
					  void *owner)
{
	CpwHttpTransfer *transfer = calloc(1, sizeof(CpwHttpTransfer));
	sigset_t	signals;
	bool		is_fine;

	if (transfer == NULL)
		return NULL;
	block_signals(&signals);
	transfer->owner = owner;
	transfer->body.limit = request->max_body;
	transfer->answer_headers.limit = MAX_HEADERS_SIZE;
	transfer->handle = curl_easy_init();
	is_fine = transfer->handle != NULL;
	if (is_fine)
	{
		curl_easy_setopt(transfer->handle, CURLOPT_PRIVATE, transfer);
		curl_easy_setopt(transfer->handle, CURLOPT_ERRORBUFFER, transfer->error);
		curl_easy_setopt(transfer->handle, CURLOPT_WRITEFUNCTION, on_body);
		curl_easy_setopt(transfer->handle, CURLOPT_WRITEDATA, transfer);
		curl_easy_setopt(transfer->handle, CURLOPT_HEADERFUNCTION, on_header);
		curl_easy_setopt(transfer->handle, CURLOPT_HEADERDATA, transfer);
		is_fine = set_bounds(transfer->handle, request) &&
			set_request(transfer, request) &&
			curl_multi_add_handle(client->multi, transfer->handle) == CURLM_OK;
	}
	restore_signals(&signals);
	if (is_fine)
		return transfer;
	cpw_http_client_forget(transfer);
	return NULL;
}

/* ---- redirects ---- */

/* Whether two URLs have the same scheme, host and port. */
static bool
same_origin(const char *one, const char *other)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU	   *first = curl_url();
	CURLU	   *second = curl_url();
	bool		same = first != NULL && second != NULL &&
		curl_url_set(first, CURLUPART_URL, one, 0) == CURLUE_OK &&
		curl_url_set(second, CURLUPART_URL, other, 0) == CURLUE_OK;

	for (size_t i = 0; same && i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		char	   *left = NULL;
		char	   *right = NULL;

		same = curl_url_get(first, parts[i], &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
			curl_url_get(second, parts[i], &right, CURLU_DEFAULT_PORT) == CURLUE_OK &&
			strcasecmp(left, right) == 0;
		curl_free(left);
		curl_free(right);
	}
	curl_url_cleanup(first);
	curl_url_cleanup(second);
	return same;
}

/* Repeats the very request elsewhere; false where the answer is to be taken. */
static bool
follow_redirect(CpwHttpClient *client, CpwHttpTransfer *transfer)
{
	long		status = 0;
	char	   *target = NULL;
	char	   *url = NULL;

	curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
	if (status != 301 && status != 302 && status != 307 && status != 308)
		return false;
	curl_easy_getinfo(transfer->handle, CURLINFO_REDIRECT_URL, &target);
	curl_easy_getinfo(transfer->handle, CURLINFO_EFFECTIVE_URL, &url);
	if (target == NULL || url == NULL || transfer->redirects >= MAX_REDIRECTS ||
		!same_origin(url, target) ||
		curl_easy_setopt(transfer->handle, CURLOPT_URL, target) != CURLE_OK)
		return false;
	transfer->redirects++;
	clear(&transfer->body);
	clear(&transfer->answer_headers);
	return curl_multi_add_handle(client->multi, transfer->handle) == CURLM_OK;
}

/* ---- running ---- */

static void
collect_ended(CpwHttpClient *client)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL)
	{
		CpwHttpTransfer *transfer;
		CURL	   *handle = message->easy_handle;
		CURLcode	result = message->data.result;
		char	   *private = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(handle, CURLINFO_PRIVATE, &private);
		transfer = (CpwHttpTransfer *) private;
		curl_multi_remove_handle(client->multi, handle);
		if (result == CURLE_OK && follow_redirect(client, transfer))
			continue;
		transfer->result = result;
		*client->ended_end = transfer;
		client->ended_end = &transfer->next;
	}
}

void
cpw_http_client_run(CpwHttpClient *client)
{
	struct epoll_event events[MAX_EVENTS];
	int			running;
	int			count;
	sigset_t	signals;

	block_signals(&signals);
	count = epoll_wait(client->epoll, events, MAX_EVENTS, 0);
	for (int i = 0; i < count; i++)
	{
		int			what = 0;

		if ((events[i].events & EPOLLIN) != 0)
			what |= CURL_CSELECT_IN;
		if ((events[i].events & EPOLLOUT) != 0)
			what |= CURL_CSELECT_OUT;
		if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0)
			what |= CURL_CSELECT_ERR;
		curl_multi_socket_action(client->multi, events[i].data.fd, what, &running);
	}
	if (client->due >= 0 && client->due <= cpw_deadline_now())
	{
		client->due = -1;
		curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	collect_ended(client);
	restore_signals(&signals);
}

/* ---- answers ---- */

static CpwHttpFailure
failure_of(const CpwHttpTransfer *transfer)
{
	if (transfer->body.is_over || transfer->answer_headers.is_over)
		return CPW_HTTP_TOO_LARGE;
	switch (transfer->result)
	{
		case CURLE_OK:
			return CPW_HTTP_FINE;
		case CURLE_OPERATION_TIMEDOUT:
			return CPW_HTTP_TIMEOUT;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_ISSUER_ERROR:
			return CPW_HTTP_TLS;
		default:
			return CPW_HTTP_CONNECTION;
	}
}

CpwHttpTransfer *
cpw_http_client_take(CpwHttpClient *client, void **owner,
					 CpwHttpAnswer *answer)
{
	CpwHttpTransfer *transfer = client->ended;
	long		status = 0;
	long		sent = 0;

	if (transfer == NULL)
		return NULL;
	client->ended = transfer->next;
	if (client->ended == NULL)
		client->ended_end = &client->ended;
	*owner = transfer->owner;
	curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->handle, CURLINFO_REQUEST_SIZE, &sent);
	answer->failure = failure_of(transfer);
	answer->was_sent = sent > 0;
	answer->text = answer->failure == CPW_HTTP_FINE ? NULL :
		answer->failure == CPW_HTTP_TOO_LARGE ? "the answer is too large" :
		transfer->error[0] != '\0' ? transfer->error :
		curl_easy_strerror(transfer->result);
	answer->status = (int) status;
	answer->headers = transfer->answer_headers.data != NULL ?
		transfer->answer_headers.data : "";
	answer->body = transfer->body.data != NULL ? transfer->body.data : "";
	answer->length = transfer->body.length;
	return transfer;
}

void
cpw_http_client_forget(CpwHttpTransfer *transfer)
{
	sigset_t	signals;

	block_signals(&signals);
	if (transfer->handle != NULL)
		curl_easy_cleanup(transfer->handle);
	restore_signals(&signals);
	for (struct curl_slist *header = transfer->headers; header != NULL;
		 header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	curl_slist_free_all(transfer->headers);
	if (transfer->request_body != NULL)
		explicit_bzero(transfer->request_body, strlen(transfer->request_body));
	free(transfer->request_body);
	clear(&transfer->body);
	clear(&transfer->answer_headers);
	free(transfer);
}
