/*
 * process.h
 *		What all workers do as processes: registered, begun, connected.
 */
#ifndef CPW_PROCESS_H
#define CPW_PROCESS_H

#include "postgres.h"

#include "pg/counters.h"

/*
 * Registers a worker that starts when recovery has finished and that comes
 * back a second after its end. function is the name of its main, which gets
 * the number; type is what pg_stat_activity shows. While preloading.
 */
extern void cpw_process_register(const char *type, const char *name,
								 const char *function, int number);

/* Warns where max_worker_processes has no place for all that are registered. */
extern void cpw_process_check_room(void);

/*
 * Begins a main: takes the slot, connects to cp_webhook.database (waits first
 * where the process before could not) and prepares the session. FATAL without
 * the database. Leaves another memory context current.
 */
extern void cpw_process_begin(CpwShared *shared, CpwWorkerSlot *slot,
							  uint32 wait_event);

/* How long (ms) the session waits for a lock. */
extern void cpw_process_set_lock_timeout(int timeout);

/*
 * Tells the statistics of the database, or autovacuum never learns of the
 * rows. Returns the milliseconds until it wants to be called again, or -1.
 */
extern long cpw_process_report_statistics(void);

/* The sooner of two time-outs, of which -1 is none. */
extern long cpw_process_sooner(long one, long other);

#endif							/* CPW_PROCESS_H */
