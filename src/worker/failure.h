/*
 * failure.h
 *		What the api worker makes of an error that is nobody's request's fault.
 */
#ifndef CPW_FAILURE_H
#define CPW_FAILURE_H

#include "postgres.h"

#include "pg/counters.h"

/* Whether the same may succeed a little later: its SQLSTATE says so. */
extern bool cpw_failure_may_pass(int state);

/*
 * Tells the log and the worker's slot what failed while what was performed; of
 * failures of one kind the log gets one in ten seconds.
 */
extern void cpw_failure_tell(CpwWorkerSlot *slot, const char *what,
							 const ErrorData *error);

#endif							/* CPW_FAILURE_H */
