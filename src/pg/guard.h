/*
 * guard.h
 *		Work whose errors become values.
 */
#ifndef CPW_GUARD_H
#define CPW_GUARD_H

#include "postgres.h"

/*
 * Runs work(arg) in a subtransaction. Returns NULL when it went well, else the
 * error, allocated in the current context. Cancels and shutdowns are no
 * errors of the work: they are raised again.
 */
extern ErrorData *cpw_guard_run(void (*work) (void *arg), void *arg);

#endif							/* CPW_GUARD_H */
