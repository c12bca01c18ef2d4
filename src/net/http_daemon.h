/*
 * http_daemon.h
 *		libmicrohttpd: daemons, and what they call back. Only http_daemon.c
 *		knows the library.
 *
 * The daemons run in external-epoll mode, without threads and without a
 * listening socket of their own: connections are accepted by the listener and
 * handed over, so that an address or a limit can change while they run.
 *
 * What the callbacks leave behind (requests that arrived or are complete, the
 * library's complaint) stands in CpwHttp, which is the listener's to read; what
 * it decides about a request it writes into that, and resumes it.
 */
#ifndef CPW_HTTP_DAEMON_H
#define CPW_HTTP_DAEMON_H

#include "net/connections.h"
#include "net/request.h"

/*
 * States of a request. A call of the library after a resume looks just like
 * the one at the end of an empty body, so the state tells them apart.
 */
typedef enum CpwRequestState
{
	CPW_REQUEST_NEW,			/* its first line is here */
	CPW_REQUEST_ARRIVED,		/* the owner has it, or will take it */
	CPW_REQUEST_ADMITTED,		/* resumed; the next call only goes on */
	CPW_REQUEST_READING,		/* its body comes */
	CPW_REQUEST_COMPLETE,		/* the owner has it, or will take it */
	CPW_REQUEST_ANSWERED_EARLY, /* answered before its (empty) end */
	CPW_REQUEST_ANSWERED,
	CPW_REQUEST_STREAMING		/* its answer goes on */
} CpwRequestState;

typedef struct CpwHttp
{
	struct CpwHttpDaemon *daemons;	/* the first one takes new connections */
	int			epoll_fd;		/* holds the daemons' own */
	CpwConnections connections;
	const struct sockaddr_storage *accepting;	/* whose connection begins */
	CpwBodyBudget budget;
	bool		resumed;		/* the library has work that epoll won't tell */
	bool		progressed;		/* it has called back since the last round */
	CpwRequestList arrived;
	CpwRequestList complete;
	CpwStream  *streams;
	char		message[256];
	bool		has_message;
} CpwHttp;

/*
 * What is called when the library finds itself broken, in place of its own
 * abort(), which would restart the whole server. It must not return.
 */
extern void cpw_http_set_panic(void (*panic) (const char *message));

/*
 * Puts a daemon before the others: what the library fixes at a daemon's start
 * (the memory of a connection, TLS or not) changes by starting another one. New
 * connections go to that, and the old one ends with its last connection. False
 * when it could not be started: nothing has changed.
 */
extern bool cpw_http_start_daemon(CpwHttp *http, size_t max_header_size,
								  bool tls);

/* Stops the replaced daemons that have no connection left. */
extern void cpw_http_stop_replaced(CpwHttp *http);

/* Hands over an accepted socket, which is closed when it cannot be taken. */
extern void cpw_http_take_connection(CpwHttp *http, int fd,
									 const struct sockaddr_storage *peer,
									 socklen_t length);

/* Reads and writes what can be read and written, and calls back. */
extern void cpw_http_run(CpwHttp *http);

/* Whether the library wants to run again at once. */
extern bool cpw_http_wants_to_run(const CpwHttp *http);

/* Goes on with a request that stood still: its state says how. */
extern void cpw_http_resume(CpwHttp *http, const CpwRequest *request);

/*
 * The library sees at once that a socket was shut down, but where it does not
 * watch the socket, because its buffer is full, it never does: this ends the
 * connection by the library's own time-out.
 */
extern void cpw_http_give_up(CpwConnection *connection);

#endif							/* CPW_HTTP_DAEMON_H */
