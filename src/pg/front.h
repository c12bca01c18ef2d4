/*
 * front.h
 *		Where each pipeline's executions begin that wait, that are leased, that
 *		are to be retried: bounds in shared memory, below which there is none.
 *
 * While a transaction holds back vacuum, the entries of executions that have
 * left an index stay in it, at its front: whoever looks for the first one that
 * waits walks over all of them. So a look begins at a bound.
 *
 * A bound must never be above an execution that others can see. A trigger
 * (claim_api.c) notes each one that a transaction makes wait, leases or puts
 * off. Before the transaction commits, the bounds are lowered to what it noted,
 * and until it has ended they can't be raised above that. They are raised to
 * what a look has seen, when no transaction has ended between the beginning of
 * that look and the raising: one that ended later is not in its snapshot.
 *
 * A few executions may wait below the bound: those that were passed over
 * because another transaction has them locked, and single late comers. They are
 * held by id.
 *
 * This is a cache. A server starts with nothing, and the first claim looks at
 * everything; so does a claim a minute later, for what the trigger was not
 * there for (a restore with triggers disabled). Without shared memory (the
 * library is not preloaded) every claim does.
 */
#ifndef CPW_FRONT_H
#define CPW_FRONT_H

#include "postgres.h"

#include "pg/bounds.h"

/* In _PG_init() of a preloaded library: asks for the shared memory. */
extern void cpw_front_request(void);

/* ---- what a transaction changes ---- */

/*
 * Notes that this transaction changes an execution: afterwards it waits
 * (cpw_front_note_waiting), or has a lease or a retry until then.
 */
extern void cpw_front_note_change(void);
extern void cpw_front_note_waiting(Oid table, const char *pipeline,
								   const pg_uuid_t *id);
extern void cpw_front_note_lease(Oid table, const char *pipeline,
								 TimestampTz until);
extern void cpw_front_note_retry(Oid table, const char *pipeline,
								 TimestampTz at);

/*
 * Whether this transaction has changed executions: what it sees of them is not
 * what others would, so that it may not raise a bound.
 */
extern bool cpw_front_is_changed(void);

/* Lowers a front to what this transaction has noted for its pipeline. */
extern void cpw_front_add_own(Oid table, CpwFront *front);

/* ---- looks ---- */

/* Which transactions had ended; begins a look. 0: there is no memory. */
extern uint64 cpw_front_generation(void);

/*
 * The fronts of the table that are not idle, palloc'd; of these pipelines only
 * when there are any. -1: nobody knows them, so look at everything.
 */
extern int	cpw_front_read(Oid table, char **pipelines, int count,
						   CpwFront **fronts);

/* Whether something may wait in a pipeline. */
extern bool cpw_front_may_wait(Oid table, char *pipeline);

/* Tells what a look at everything has found, which is then known. */
extern void cpw_front_learn(Oid table, const CpwFront *fronts, int count);

/*
 * Raises a pipeline's bound to what a look that began at that generation has
 * seen, the front having been read after it: seen->waiting is the first that
 * waits, seen->held those below that still do. Does nothing where that could
 * lose one.
 */
extern void cpw_front_raise(Oid table, uint64 generation,
							const CpwFront *seen);

/* The same for leases and retries; what has not been looked for is 0. */
extern void cpw_front_raise_times(Oid table, uint64 generation,
								  const char *pipeline, TimestampTz leased,
								  TimestampTz retrying);

#endif							/* CPW_FRONT_H */
