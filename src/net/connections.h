/*
 * connections.h
 *		A listener's connections: how many there are, of which address, what
 *		deadline each has, which of their clients have hung up.
 *
 * A connection has one deadline at a time: keepalive_timeout while it waits for
 * a request's first line, then request_timeout for the whole exchange (from
 * its start for the first one).
 */
#ifndef CPW_CONNECTIONS_H
#define CPW_CONNECTIONS_H

#include "net/deadline.h"
#include "net/hangup.h"
#include "net/linger.h"
#include "net/peers.h"
#include "net/request.h"

typedef struct CpwConnection
{
	CpwDeadline deadline;		/* first: a deadline is its connection */
	CpwHangup	hangup;
	const CpwRequest *request;	/* whose exchange goes on */
	int			fd;
	void	   *handle;			/* the library's own */
	bool		served;			/* it has had a whole exchange */
	bool		counted;		/* among the peers */
	CpwPeer		peer;
} CpwConnection;

typedef struct CpwConnections
{
	/* Limits; times in milliseconds. */
	int			max;
	int			max_per_ip;		/* 0: any number */
	bool		(*is_exempt) (const struct sockaddr_storage *peer);
	int			request_timeout;
	int			keepalive_timeout;

	int			count;
	uint64_t	refused;		/* their address had too many */
	CpwPeers	peers;
	CpwDeadlines exchanging;
	CpwDeadlines idle;
	CpwDeadline pause;			/* none is taken before it is over */
	CpwDeadlines pauses;
	CpwHangups	hangups;
	CpwLingering lingering;
} CpwConnections;

/* Zeroed before, limits set; epoll_fd is what becomes readable. */
extern bool cpw_connections_init(CpwConnections *connections, int epoll_fd);
extern void cpw_connections_free(CpwConnections *connections);

/* Whether one more can be taken now. */
extern bool cpw_connections_have_room(const CpwConnections *connections);

/* Whether one more of the address may be taken; counts those that may not. */
extern bool cpw_connections_admit(CpwConnections *connections,
								  const struct sockaddr_storage *peer);

/* Takes none for a moment: the system is short of what they need. */
extern void cpw_connections_pause(CpwConnections *connections);

/* A connection begins (NULL: memory is short), and ends. */
extern CpwConnection *cpw_connections_begin(CpwConnections *connections,
											int fd, void *handle,
											const struct sockaddr_storage *peer);
extern void cpw_connections_end(CpwConnections *connections,
								CpwConnection *connection);

/* An exchange begins with a request's first line, and ends. */
extern void cpw_connections_begin_exchange(CpwConnections *connections,
										   CpwConnection *connection,
										   const CpwRequest *request);
extern void cpw_connections_end_exchange(CpwConnections *connections,
										 CpwConnection *connection,
										 bool lingers);

/*
 * Before and after the library has run: cuts what is overdue. give_up tells
 * the library of a connection whose socket was shut down.
 */
extern void cpw_connections_cut_overdue(CpwConnections *connections,
										void (*give_up) (CpwConnection *connection));
extern void cpw_connections_look_after(CpwConnections *connections,
									   bool (*waits) (const CpwHangup *hangup));

/* Milliseconds until one of the two has something to do, or -1. */
extern long cpw_connections_timeout(const CpwConnections *connections);

#endif							/* CPW_CONNECTIONS_H */
