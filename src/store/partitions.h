/*
 * partitions.h
 *		The partitions of deliveries: found, made, and put away.
 *
 * A partition belongs to us while it is an ordinary table in the extension's
 * schema whose name begins with deliveries_ and a date. Others that somebody
 * has attached are used and never put away; one that was detached by somebody
 * else is not a partition any more, and is left alone.
 */
#ifndef CPW_PARTITIONS_H
#define CPW_PARTITIONS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

typedef struct CpwPartition
{
	Oid			oid;
	char	   *name;
	pg_uuid_t	from;			/* the least id in it */
	pg_uuid_t	to;				/* the least id above it */
	bool		is_ours;
} CpwPartition;

/*
 * All partitions with bounds, in the order of their ids, in the current
 * context. Returns their number.
 */
extern int	cpw_partitions_list(CpwPartition **partitions);

/*
 * Makes the partition for the day (UTC) of an instant, or for what others
 * leave of that day. False when there is one already. Its own transaction,
 * please, as the owner: it takes locks, none that an insert waits for.
 */
extern bool cpw_partitions_make(TimestampTz instant);

/*
 * Detaches a partition and marks it to be dropped. Until the transaction ends
 * nothing can be inserted: let that be soon, and lock_timeout short. Raises
 * 55P03 when the locks can't be had.
 */
extern void cpw_partitions_detach(const CpwPartition *partition);

/*
 * Drops one table that was detached and marked. Returns its name, NULL when
 * there is none.
 */
extern char *cpw_partitions_drop_detached(void);

/*
 * The processes that hold a lock on the table deliveries (-1: a prepared
 * transaction does), in the current context. Returns their number.
 */
extern int	cpw_partitions_lockers(int **pids);

#endif							/* CPW_PARTITIONS_H */
