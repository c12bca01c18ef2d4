/*
 * http_client.h
 *		HTTP out: requests to other servers, many at once. Only http_client.c
 *		knows libcurl.
 *
 * The client has no threads of its own and never blocks; libcurl resolves
 * names in a thread, which is started with all signals blocked. Its owner
 * waits on cpw_http_client_descriptor() for at most cpw_http_client_timeout()
 * and calls cpw_http_client_run() after every wake. Memory here is malloc's;
 * what cannot be had becomes a failed transfer, never an error.
 *
 * TLS is always verified. Redirects are followed to the same scheme, host and
 * port only. The environment (proxies, .netrc) counts for nothing, and what
 * libcurl could tell of its doings, which would hold secrets, is never asked
 * for.
 */
#ifndef CPW_HTTP_CLIENT_H
#define CPW_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct CpwHttpClient CpwHttpClient;
typedef struct CpwHttpTransfer CpwHttpTransfer;

/* Copied when it starts; NULL and 0: none. */
typedef struct CpwHttpRequest
{
	const char *method;
	const char *url;
	const char *const *headers; /* lines */
	int			header_count;
	const char *body;			/* NULL: none */
	const char *proxy;			/* URL of a proxy */
	const char *ca_file;		/* authorities in place of the system's */
	long		timeout;		/* of the whole exchange, ms */
	long		connect_timeout;
	size_t		max_body;		/* more is a failure */
} CpwHttpRequest;

/* Why there is no answer. */
typedef enum CpwHttpFailure
{
	CPW_HTTP_FINE = 0,
	CPW_HTTP_CONNECTION,		/* none, or it broke */
	CPW_HTTP_TIMEOUT,
	CPW_HTTP_TLS,				/* the certificate, or the handshake */
	CPW_HTTP_TOO_LARGE
} CpwHttpFailure;

typedef struct CpwHttpAnswer
{
	CpwHttpFailure failure;
	const char *text;			/* what the failure is, in words */
	bool		was_sent;		/* the request may have come to the other side */
	int			status;
	const char *headers;		/* of the last answer, line by line */
	const char *body;			/* a NUL is behind it */
	size_t		length;
} CpwHttpAnswer;

/* Once a process, never in one that others are forked of. NULL: it cannot be. */
extern CpwHttpClient *cpw_http_client_create(void);

/* Readable when cpw_http_client_run() has something to do. */
extern int	cpw_http_client_descriptor(const CpwHttpClient *client);

/* Milliseconds until cpw_http_client_run() must be called, or -1. */
extern long cpw_http_client_timeout(const CpwHttpClient *client);

extern void cpw_http_client_run(CpwHttpClient *client);

/* Starts a request for an owner of the caller's. NULL: no memory. */
extern CpwHttpTransfer *cpw_http_client_start(CpwHttpClient *client,
											  const CpwHttpRequest *request,
											  void *owner);

/* A transfer that has ended, with its owner; NULL: none has. */
extern CpwHttpTransfer *cpw_http_client_take(CpwHttpClient *client,
											 void **owner,
											 CpwHttpAnswer *answer);

/* Wipes and frees a transfer that has been taken, its answer with it. */
extern void cpw_http_client_forget(CpwHttpTransfer *transfer);

#endif							/* CPW_HTTP_CLIENT_H */
