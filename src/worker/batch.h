/*
 * batch.h
 *		Deliveries that share one transaction, and what becomes of them when it
 *		fails.
 */
#ifndef CPW_BATCH_H
#define CPW_BATCH_H

#include "postgres.h"

#include "pg/counters.h"
#include "worker/evaluation.h"

/* Before all others: whose batches these are. */
extern void cpw_batch_init(CpwWorkerSlot *slot);

/*
 * Records the items: afterwards each has a final verdict, and what was to be
 * kept of those with a 2xx is committed. Never raises an error (but FATAL):
 * what cannot be recorded is UNAVAILABLE.
 *
 * When the transaction fails: a deadlock or a serialization failure repeats it
 * once; a full notification queue repeats it without NOTIFY; what the system or
 * another session is to blame for (a lock, a cancel, a right, the disk, a
 * read-only database) refuses all of it at once; for any other error, which a
 * member's own data can cause, the batch is bisected. All repeating together
 * stops after a second.
 */
extern void cpw_batch_record(CpwItem **items, int count);

/* Whether the database takes writes; never raises an error. */
extern bool cpw_batch_check_health(void);

/*
 * Loads the webhooks of tokens into the cache; false when the database is not
 * ready for that. Never raises an error.
 */
extern bool cpw_batch_load_webhooks(const char *const *tokens, int count);

/* Writes counts behind, when they are due. Never raises an error. */
extern void cpw_batch_write_counts(int worker);

#endif							/* CPW_BATCH_H */
