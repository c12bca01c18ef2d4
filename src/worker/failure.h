/*
 * failure.h
 *		What a worker makes of an error that is nobody's request's fault.
 */
#ifndef CPW_FAILURE_H
#define CPW_FAILURE_H

#include "postgres.h"

#include "pg/counters.h"

/* Whether the same may succeed a little later: its SQLSTATE says so. */
extern bool cpw_failure_may_pass(int state);

/*
 * Whether the log is to hear of a failure with this SQLSTATE and what came of
 * it (a constant, or NULL): of a kind that lasts it hears the first ten, and
 * from then on one in ten seconds, for every request of a stranger may fail.
 * *untold is how many it did not hear of since.
 */
extern bool cpw_failure_is_told(int state, const char *consequence,
								uint64 *untold);

/* As the DETAIL of a failure: how many the log did not hear of; 0 for none. */
extern int	cpw_failure_detail(uint64 untold);

/* Tells the log and the worker's slot what failed while what was performed. */
extern void cpw_failure_tell(CpwWorkerSlot *slot, const char *what,
							 const ErrorData *error);

#endif							/* CPW_FAILURE_H */
