/*
 * expiry.h
 *		What is old in the tables that are not partitioned, removed in small
 *		batches.
 */
#ifndef CPW_EXPIRY_H
#define CPW_EXPIRY_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* An execution that has not ended. */
typedef struct CpwUnfinished
{
	pg_uuid_t	id;
	char	   *pipeline;
} CpwUnfinished;

/*
 * Finds the first execution from an id on that has not ended and whose
 * delivery is in that range of ids; its pipeline's name is in the current
 * context. False: there is none.
 */
extern bool cpw_expiry_find_unfinished(const pg_uuid_t *first,
									   const pg_uuid_t *from,
									   const pg_uuid_t *to,
									   CpwUnfinished *unfinished);

/* How many blocks delivery_keys has. */
extern int64 cpw_expiry_key_blocks(void);

/*
 * Removes the keys in count blocks from first on whose execution has an id
 * below that. Returns how many.
 */
extern int64 cpw_expiry_remove_keys(int64 first, int count,
									const pg_uuid_t *before);

/*
 * Looks at the next count executions above *position and below an id, removes
 * those that ended before the instant and that nobody has locked, and moves
 * *position to the last one. False: it was the last page. Where they end
 * elsewhere, on a hub, one that has not ended here counts from its beginning.
 */
extern bool cpw_expiry_remove_executions(pg_uuid_t *position,
										 const pg_uuid_t *before,
										 TimestampTz ended_before,
										 bool end_elsewhere, int count,
										 int64 *removed);

/*
 * Removes the counters of webhooks that are gone, and adds those of receivers
 * from that number on, which are no more, to a row that no receiver writes.
 */
extern void cpw_expiry_tidy_counters(int workers);

/*
 * Removes what the console has no use for any more: the minutes of webhooks
 * that are gone, links and sessions that have expired.
 */
extern void cpw_expiry_forget_console(void);

#endif							/* CPW_EXPIRY_H */
