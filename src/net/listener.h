/*
 * listener.h
 *		HTTP in, the owner's side: limits, requests, answers, deadlines.
 *
 * The listener has no threads and never blocks. Its owner waits on
 * cpw_listener_descriptor() and calls cpw_listener_run() after every wake.
 * A request passes through the owner's hands twice, each time standing still
 * (suspended) until the owner has decided:
 *
 *	arrived		its headers are here: read its body, or answer at once
 *	complete	its body is here: answer
 *
 * So no code of the owner ever runs below a frame of libmicrohttpd, and an
 * error thrown by the owner never crosses one. Memory here is malloc's; what
 * cannot be had becomes a refused request, never an error.
 */
#ifndef CPW_LISTENER_H
#define CPW_LISTENER_H

#include "net/request.h"

typedef struct CpwListener CpwListener;

/* All are per listener; times in milliseconds, sizes in bytes. */
typedef struct CpwListenerLimits
{
	int			max_connections;
	size_t		max_header_size;
	size_t		max_body_size;
	size_t		max_json_values;
	size_t		max_buffered;	/* memory of all bodies together */
	int			request_timeout;	/* a whole exchange */
	int			keepalive_timeout;	/* between two */
	bool		tls;			/* with what net/certificate serves */

	/* Of one address; 0: any number. exempt (not NULL) names those of it. */
	int			max_connections_per_ip;
	bool		(*is_exempt) (const struct sockaddr_storage *peer);
} CpwListenerLimits;

/*
 * Makes a listener that listens nowhere yet. panic is called when
 * libmicrohttpd finds itself broken, and must not return. NULL when it cannot
 * be made.
 */
extern CpwListener *cpw_listener_create(const CpwListenerLimits *limits,
										void (*panic) (const char *message));

/*
 * Applies to requests from now on (max_header_size and tls: to new
 * connections). False when these two could not be made effective.
 */
extern bool cpw_listener_set_limits(CpwListener *listener,
									const CpwListenerLimits *limits);

/* Readable when cpw_listener_run() has something to do. */
extern int	cpw_listener_descriptor(const CpwListener *listener);

/*
 * Accepts what waits at a listening socket, up to the limit of connections
 * and a few dozen at once. True when more may wait.
 */
extern bool cpw_listener_accept(CpwListener *listener, int listen_socket);

/* Whether more connections can be taken now. */
extern bool cpw_listener_has_room(const CpwListener *listener);

/* Reads and writes what can be read and written; ends what is overdue. */
extern void cpw_listener_run(CpwListener *listener);

/*
 * Between two of those: reads and writes only. What was answered goes out, and
 * a body that came with its headers is read.
 */
extern void cpw_listener_move(CpwListener *listener);

/* Milliseconds until cpw_listener_run() must be called, or -1. */
extern long cpw_listener_timeout(const CpwListener *listener);

/* The requests that arrived or became complete, in that order; NULL: none. */
extern CpwRequest *cpw_listener_take_arrived(CpwListener *listener);
extern CpwRequest *cpw_listener_take_complete(CpwListener *listener);

/*
 * Lets an arrived request go on to its body. count_values: it is JSON, to be
 * refused when it holds more than max_json_values.
 */
extern void cpw_listener_read_body(CpwListener *listener, CpwRequest *request,
								   bool count_values);

/*
 * Answers a request with a body (JSON, where answer_type of the request does
 * not say otherwise). allow (a constant, may be NULL) and retry_after (seconds,
 * 0: none) become headers. The request is the listener's again.
 */
extern void cpw_listener_answer(CpwListener *listener, CpwRequest *request,
								int status, const char *body, size_t length,
								const char *allow, int retry_after);

/*
 * Answers a request that has arrived, and has no body, with 200 and a body that
 * goes on until the owner or the client ends it. Its deadline is over: the
 * owner sends from time to time, or never learns that the client is gone. The
 * request stays the owner's until on_end is called, below a frame of
 * libmicrohttpd: it may not throw. False: memory is short, nothing is done.
 */
extern bool cpw_listener_open_stream(CpwListener *listener,
									 CpwRequest *request,
									 void (*on_end) (CpwRequest *request));

/*
 * Sends on a stream. Where its client is too far behind to take that, it is
 * cut: on_end follows in the next cpw_listener_run().
 */
extern void cpw_listener_send(CpwListener *listener, CpwRequest *request,
							  const char *bytes, size_t length);

/* Ends a stream when all is sent; on_end follows. */
extern void cpw_listener_end_stream(CpwListener *listener,
									CpwRequest *request);

/* Connections that were closed because their address had too many. */
extern uint64_t cpw_listener_refused(const CpwListener *listener);

extern int	cpw_listener_connections(const CpwListener *listener);
extern size_t cpw_listener_buffered(const CpwListener *listener);

/* Takes what libmicrohttpd last complained of, or NULL. */
extern const char *cpw_listener_take_message(CpwListener *listener);

#endif							/* CPW_LISTENER_H */
