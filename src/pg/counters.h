/*
 * counters.h
 *		What the receivers tell of themselves, in shared memory: who they are,
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

	/* Now. */
	pg_atomic_uint64 connections;
	pg_atomic_uint64 buffered_bytes;
	pg_atomic_uint64 certificate_expires_at;	/* Unix seconds; 0: no TLS */
} CpwWorkerSlot;

typedef struct CpwShared
{
	LWLock	   *lock;
	int			workers;
	CpwWorkerSlot slots[FLEXIBLE_ARRAY_MEMBER];
} CpwShared;

/* Asks for the shared memory; called by _PG_init() while preloading. */
extern void cpw_counters_request(void);

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

#endif							/* CPW_COUNTERS_H */
