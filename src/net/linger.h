/*
 * linger.h
 *		Sockets whose answer went out before their request was read to its end.
 *
 * To close a socket that still has bytes to read resets the connection, and
 * the reset may overtake the answer (RFC 9112, 9.6). So such a socket is kept
 * for a moment: its writing side is shut, what comes is thrown away.
 */
#ifndef CPW_LINGER_H
#define CPW_LINGER_H

#include "net/deadline.h"

typedef struct CpwLingering
{
	CpwDeadlines sockets;
	int			count;
	int			epoll_fd;		/* readable when a socket is */
} CpwLingering;

/* No more than these linger at once; the others are closed at once. */
#define CPW_MAX_LINGERING	256

/*
 * Keeps the connection of fd, which the caller will close, a descriptor of its
 * own. Does nothing when there is no room.
 */
extern void cpw_linger_add(CpwLingering *lingering, int fd);

/* Throws away what has come, and closes what has ended or is overdue. */
extern void cpw_linger_run(CpwLingering *lingering);

#endif							/* CPW_LINGER_H */
