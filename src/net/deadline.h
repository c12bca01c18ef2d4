/*
 * deadline.h
 *		Deadlines in the order in which they come, on the monotonic clock.
 *
 * All deadlines of one list are set with the same time-out, so a new one goes
 * to the end; only after a change of the time-out is there a way to walk.
 */
#ifndef CPW_DEADLINE_H
#define CPW_DEADLINE_H

#include <stdint.h>

/* Part of whatever has the deadline; zero it before its first use. */
typedef struct CpwDeadline
{
	int64_t		due;			/* milliseconds */
	struct CpwDeadlines *list;	/* NULL: none is set */
	struct CpwDeadline *previous;
	struct CpwDeadline *next;
} CpwDeadline;

typedef struct CpwDeadlines
{
	CpwDeadline *first;			/* due next */
	CpwDeadline *last;
} CpwDeadlines;

/* Sets a deadline timeout ms from now, in place of the one it has. */
extern void cpw_deadline_set(CpwDeadline *deadline, CpwDeadlines *list,
							 int timeout);
extern void cpw_deadline_clear(CpwDeadline *deadline);

/* Takes one that is over out of the list; NULL: none is. */
extern CpwDeadline *cpw_deadline_take_overdue(CpwDeadlines *list);

/* Milliseconds until the first is over, or -1. */
extern long cpw_deadline_timeout(const CpwDeadlines *list);

#endif							/* CPW_DEADLINE_H */
