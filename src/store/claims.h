/*
 * claims.h
 *		Claims: executions leased to a worker, and how a claim ends.
 */
#ifndef CPW_CLAIMS_H
#define CPW_CLAIMS_H

#include "postgres.h"

#include "store/statement.h"

typedef struct CpwClaim
{
	const char *worker;
	char	  **pipelines;		/* without a name twice; NULL: any */
	int			pipeline_count;
	int			max;
	Interval   *lease;
} CpwClaim;

/*
 * Leases the oldest executions that wait, as their pipelines' modes allow, and
 * puts a row for each into the store, in the columns of claim_executions().
 * Must not run in a transaction that keeps one snapshot.
 */
extern void cpw_claims_take(const CpwClaim *claim, Tuplestorestate *store,
							TupleDesc descriptor);

/*
 * The ends of a claim. They return false, and change nothing, where the nonce
 * is not that of a lease that runs. One that is Stopping becomes Stopped.
 */
extern bool cpw_claims_complete(const pg_uuid_t *id, const char *nonce,
								Jsonb *result);

/* Without retry_in, or after the last attempt, the execution has Failed. */
extern bool cpw_claims_fail(const pg_uuid_t *id, const char *nonce,
							const char *reason, Interval *retry_in);

/* *until is the lease's new end. */
extern bool cpw_claims_extend(const pg_uuid_t *id, const char *nonce,
							  Interval *lease, TimestampTz *until);

/* What became of an execution, in a clause; for the message of a lost lease. */
extern char *cpw_claims_describe(const pg_uuid_t *id);

#endif							/* CPW_CLAIMS_H */
