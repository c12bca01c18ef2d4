/*
 * retention.h
 *		The jobs of the maintenance worker that keep the tables from growing
 *		for ever, and that make room for what is to come.
 *
 * Each runs inside a transaction and returns the milliseconds until it wants
 * to run again. They raise the server's errors.
 */
#ifndef CPW_RETENTION_H
#define CPW_RETENTION_H

#include "postgres.h"

#include "pg/counters.h"

/* Once a process. */
extern void cpw_retention_init(CpwShared *shared);

/* Forgets how far a look through a table has come: what is old has changed. */
extern void cpw_retention_start_over(void);

/* Makes one of the partitions of today and the next days that is missing. */
extern long cpw_retention_make_partition(void);

/*
 * Detaches the oldest partition that is older than cp_webhook.delivery_retention
 * and holds nothing that an unfinished execution needs: one a minute, and none
 * while somebody reads deliveries or the clock is in doubt.
 */
extern long cpw_retention_detach(void);

/* Drops one partition that was detached for that. */
extern long cpw_retention_drop_detached(void);

/* Removes delivery keys older than cp_webhook.deduplication_window. */
extern long cpw_retention_remove_keys(void);

/* Removes executions that ended before cp_webhook.execution_retention. */
extern long cpw_retention_remove_executions(void);

/* Removes counters that nobody writes any more. */
extern long cpw_retention_tidy_counters(void);

/* Removes the console's links and sessions that have expired. */
extern long cpw_retention_forget_console(void);

#endif							/* CPW_RETENTION_H */
