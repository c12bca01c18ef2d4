/*
 * registration.h
 *		The maintenance worker's part in registrations: it takes those that are
 *		due, talks to the third parties, and notes what has become of them.
 *
 * No transaction is open while a request is on its way. A step that was
 * answered is judged in a short transaction of its own, which notes what must
 * be known after a crash before the next step is done.
 */
#ifndef CPW_REGISTRATION_H
#define CPW_REGISTRATION_H

#include "postgres.h"

/* Once a process. The descriptor that it waits for, or -1: there is none. */
extern int	cpw_registration_init(void);

/* A job: takes what is due. In a transaction; ms until its next run. */
extern long cpw_registration_take(void);

/* After that transaction, whether it has committed or not. */
extern void cpw_registration_start(bool committed);

/* A job: sees what must be registered anew. In a transaction. */
extern long cpw_registration_review(void);

/*
 * Moves requests on and judges answers; outside a transaction, after every
 * wake. True: others can be taken now.
 */
extern bool cpw_registration_run(void);

/* Milliseconds until cpw_registration_run() must be called, or -1. */
extern long cpw_registration_timeout(void);

#endif							/* CPW_REGISTRATION_H */
