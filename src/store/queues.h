/*
 * queues.h
 *		The executions of each pipeline that wait, in the order in which they
 *		are to be claimed; leases that have run out and retries that are due.
 */
#ifndef CPW_QUEUES_H
#define CPW_QUEUES_H

#include "postgres.h"

#include "pg/front.h"
#include "store/statement.h"

/* Conditions of the partial indexes of executions. */
#define CPW_WAITING \
	"status = 'InProgress' AND lease_until IS NULL AND retry_at IS NULL"
#define CPW_RETRYING \
	"status = 'InProgress' AND lease_until IS NULL AND retry_at IS NOT NULL"

typedef enum CpwMode
{
	CPW_MODE_PARALLEL,			/* any number at once */
	CPW_MODE_QUEUED,			/* one at a time, the oldest first */
	CPW_MODE_SUPERSEDED			/* one at a time, the newest */
} CpwMode;

/* A pipeline in which something waits, or may. */
typedef struct CpwQueue
{
	CpwFront	front;			/* waiting: the first that is not held */
	CpwMode		mode;
	pg_uuid_t	head;			/* nothing that waits is older */
	uint64		generation;		/* of the look that the bounds are of */
} CpwQueue;

/* The table executions. */
extern Oid	cpw_queues_table(void);

/*
 * Makes executions whose lease has run out wait again, or ends them after
 * their last attempt, makes those wait whose retry is due, and returns the
 * queues of these pipelines (of all when the array is NULL), palloc'd; *queues
 * has those in which something waits.
 */
extern int	cpw_queues_open(char **pipelines, int count, CpwQueue **queues);

/*
 * Reads a queue's bounds and its first execution again, and pins the snapshot
 * that belongs to them; the caller unpins it (statement.h).
 */
extern void cpw_queues_pin(CpwQueue *queue);

/* Sets front.waiting to the first that waits from there on. */
extern void cpw_queues_find_next(CpwQueue *queue);

/*
 * Whether an execution of the pipeline is leased: in the snapshot that is
 * pinned, or now.
 */
extern bool cpw_queues_is_running(CpwQueue *queue);

/*
 * Tells those who listen that an execution of a pipeline runs no more, where it
 * runs one at a time and another one waits. (Who was turned away while it ran
 * would not look again.)
 */
extern void cpw_queues_announce(char *pipeline);

/*
 * Leaves what other transactions have had locked for long out of the looks to
 * come: what waits before an id, which is held from now on.
 */
extern void cpw_queues_pass_over(const CpwQueue *queue, const pg_uuid_t *id);

#endif							/* CPW_QUEUES_H */
