/*
 * guard.h
 *		Work whose errors become values.
 */
#ifndef CPW_GUARD_H
#define CPW_GUARD_H

#include "postgres.h"

/*
 * Runs work(arg) in a subtransaction. Returns NULL when it went well, else the
 * error, allocated in the current context, with everything that work did
 * undone. It must write nothing that others could wait for.
 */
extern ErrorData *cpw_guard_run(void (*work) (void *arg), void *arg);

/* The same, but a cancel is no error of the work: it is raised again. */
extern ErrorData *cpw_guard_run_cancelable(void (*work) (void *arg),
										   void *arg);

#endif							/* CPW_GUARD_H */
