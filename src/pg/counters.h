/*
 * counters.h
 *		What the workers tell of themselves, in shared memory: who they are,
 *		where they listen, what they have counted since the server's start.
 *
 * A slot is written by its own worker alone. Counters are atomics; text and
 * whatever must be seen together is under the lock, which also orders the
 * receivers that bind a port.
 */
#ifndef CPW_COUNTERS_H
#define CPW_COUNTERS_H

#include "postgres.h"

#include "cp_webhook.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/lwlock.h"

/*
 * Element i of a histogram counts what is above its bound i - 1 and not above
 * bound i; the bounds are powers of two, the last element has none.
 */
#define CPW_HISTOGRAM_LENGTH	15

typedef struct CpwHistogram
{
	pg_atomic_uint64 counts[CPW_HISTOGRAM_LENGTH];
} CpwHistogram;

typedef struct CpwWorkerSlot
{
	/* Under the lock. */
	int			pid;			/* 0: not running */
	TimestampTz started_at;
	bool		connecting;		/* to the database; stays set when that fails */
	char		listening[1056];	/* addresses, "" when there are none */
	char		last_error[256];
	TimestampTz last_error_at;

	/* Since the server's start. */
	pg_atomic_uint64 verdicts[CPW_VERDICT_COUNT];
	pg_atomic_uint64 batches;
	pg_atomic_uint64 batched;	/* requests in them */
	pg_atomic_uint64 largest_batch;
	pg_atomic_uint64 body_bytes;
	pg_atomic_uint64 refused_connections;	/* their address had too many */
	pg_atomic_uint64 batch_microseconds;	/* spent in their transactions */
	pg_atomic_uint64 commit_microseconds;	/* the last part of that */
	CpwHistogram batch_sizes;	/* bounds 1, 2, 4, ... requests */
	CpwHistogram batch_times;	/* bounds 1/8, 1/4, 1/2, ... ms */
	CpwHistogram commit_times;

	/* Now. */
	pg_atomic_uint64 connections;
	pg_atomic_uint64 buffered_bytes;
	pg_atomic_uint64 certificate_expires_at;	/* Unix seconds; 0: no TLS */
} CpwWorkerSlot;

/* What the maintenance worker tells beside its slot. */
typedef struct CpwMaintenance
{
	/* Under the lock. */
	char		held_back[256]; /* why something old is still there, or "" */
	struct Latch *latch;		/* wakes the worker; NULL: it does not run */

	/* Something was committed for it to do. */
	pg_atomic_uint32 is_wanted;

	/* When (monotonic) a partition was last put away; 0: not yet. */
	pg_atomic_uint64 put_away_at;

	/* Since the server's start. */
	pg_atomic_uint64 partitions_made;
	pg_atomic_uint64 partitions_dropped;
	pg_atomic_uint64 keys_removed;
	pg_atomic_uint64 executions_removed;
} CpwMaintenance;

/* What became of a call on the AWS wire, by its status. */
typedef enum CpwCallOutcome
{
	CPW_CALL_SUCCEEDED,			/* 2xx */
	CPW_CALL_REFUSED,			/* 4xx */
	CPW_CALL_FAILED				/* 5xx */
} CpwCallOutcome;

#define CPW_CALL_OUTCOMES	(CPW_CALL_FAILED + 1)

/* Room for the operations of the wire; the first stands for unknown ones. */
#define CPW_MAX_OPERATIONS	32

/* What the api worker tells beside its slot, since the server's start. */
typedef struct CpwApiCounters
{
	pg_atomic_uint64 calls[CPW_MAX_OPERATIONS][CPW_CALL_OUTCOMES];
	pg_atomic_uint64 microseconds[CPW_MAX_OPERATIONS];	/* in transactions */
} CpwApiCounters;

/*
 * Who watches deliveries come: the api worker, while a page is open. It wants
 * to be woken once, and says so again when it has looked: so a receiver under
 * load reads one word a batch, and takes no lock.
 */
typedef struct CpwWatch
{
	pg_atomic_uint32 is_wanted;
	struct Latch *latch;		/* the watcher's; set before it is wanted */
} CpwWatch;

typedef struct CpwShared
{
	LWLock	   *lock;
	int			workers;		/* receivers */
	CpwMaintenance maintenance;
	CpwApiCounters api;
	CpwWatch	watch;

	/*
	 * The receivers' by number, then that of the maintenance worker, then
	 * that of the api worker.
	 */
	CpwWorkerSlot slots[FLEXIBLE_ARRAY_MEMBER];
} CpwShared;

/* Numbers of slots behind the receivers'. */
#define CPW_MAINTENANCE_SLOT(shared)	((shared)->workers)
#define CPW_API_SLOT(shared)			((shared)->workers + 1)

/* Asks for the shared memory; called by _PG_init() while preloading. */
extern void cpw_counters_request(void);

/* Wakes who watches deliveries come, if anybody does: after a commit of some. */
extern void cpw_counters_wake_watcher(void);

/* Says why something old is still there; "": there is nothing. */
extern void cpw_counters_note_held_back(const char *reason);

/*
 * Wakes the maintenance worker when the transaction commits. Any number of
 * calls wake it once; nothing happens where the library is not preloaded.
 */
extern void cpw_counters_wake_at_commit(void);

/* Says where the maintenance worker is woken; NULL: nowhere. */
extern void cpw_counters_set_latch(struct Latch *latch);

/* Notes in a slot what went wrong last. */
extern void cpw_counters_note_error(CpwWorkerSlot *slot, const char *message);

/* The shared memory; NULL in a server that does not preload the library. */
extern CpwShared *cpw_counters_shared(void);

/* Adds to a counter of the own slot: no other process writes it. */
static inline void
cpw_counters_add(pg_atomic_uint64 *counter, uint64 value)
{
	pg_atomic_write_u64(counter, pg_atomic_read_u64(counter) + value);
}

/* Counts a value in a histogram whose first bound is 1; own slot only. */
extern void cpw_counters_count(CpwHistogram *histogram, uint64 value);

/* The same for a time, whose first bound is an eighth of a millisecond. */
extern void cpw_counters_count_time(CpwHistogram *histogram,
									uint64 microseconds);

#endif							/* CPW_COUNTERS_H */
