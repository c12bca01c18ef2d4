/*
 * hangup.h
 *		Clients that say that nothing more comes in the middle of a request.
 *
 * libmicrohttpd takes a read that got less than it had room for as a sign that
 * it has read everything, and so misses the end of a connection that came
 * together with its last bytes. Such a connection would be kept until its
 * deadline, with nobody at the other end.
 */
#ifndef CPW_HANGUP_H
#define CPW_HANGUP_H

#include <stdbool.h>

#include "net/deadline.h"

/* A connection's part. */
typedef struct CpwHangup
{
	CpwDeadline check;			/* first: a deadline is its hangup */
	int			fd;
	bool		over;			/* it was shut down */
} CpwHangup;

typedef struct CpwHangups
{
	CpwDeadlines checks;		/* of those that hung up */
	int			epoll_fd;
} CpwHangups;

/* Prepares; holder is an epoll descriptor that shall tell of hangups. */
extern bool cpw_hangups_init(CpwHangups *hangups, int holder);
extern void cpw_hangups_end(CpwHangups *hangups);

/* From when the connection of fd is accepted until before it is closed. */
extern void cpw_hangup_watch(CpwHangups *hangups, CpwHangup *hangup, int fd);
extern void cpw_hangup_forget(CpwHangups *hangups, CpwHangup *hangup);

/*
 * Shuts down the connections that hung up, have no unread bytes, and still
 * wait for some. To be called after libmicrohttpd has read.
 */
extern void cpw_hangups_run(CpwHangups *hangups,
							bool (*waits) (const CpwHangup *hangup));

#endif							/* CPW_HANGUP_H */
