/*
 * front.c
 *		Where each pipeline's executions begin: front.h has the idea.
 */
#include "postgres.h"

#include "access/twophase.h"
#include "access/xact.h"
#include "compat.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pg/front.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#define TRANCHE			"cp_webhook_front"

/* Pipelines that are not idle at once; more make every claim look. */
#define MAX_FRONTS		1024

/* Tables (one a database) that are known at once. */
#define MAX_TABLES		16

/* For which what a look at everything has found is believed. */
#define LEARNED_MS		60000

typedef struct Key
{
	Oid			database;
	Oid			table;
	char		pipeline[CPW_FRONT_NAME + 1];
} Key;

typedef struct Entry
{
	Key			key;
	CpwFront	front;
} Entry;

/* A table all of whose fronts are known. */
typedef struct Known
{
	Oid			database;
	Oid			table;			/* InvalidOid: free */
	TimestampTz since;
} Known;

/* What a transaction that is committing will show to others. */
typedef struct Committing
{
	bool		is_active;
	pg_uuid_t	waiting;
	TimestampTz leased;
	TimestampTz retrying;
} Committing;

typedef struct Shared
{
	LWLock	   *lock;
	uint64		generation;		/* of ended transactions; from 1 */
	bool		is_overflown;	/* a front was not to be kept */
	Known		known[MAX_TABLES];
	int			processes;
	Committing	committing[FLEXIBLE_ARRAY_MEMBER];
} Shared;

/* What this transaction has noted for a pipeline. */
typedef struct Noted
{
	Oid			table;
	int			waiting_count;
	CpwFront	front;
} Noted;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;
static Shared *shared;
static HTAB *entries;

static bool has_callbacks;
static bool is_changed;
static bool is_committing;
static List *noted;				/* of Noted, in TopTransactionContext */

/* ---- memory ---- */

static int
count_processes(void)
{
	return MaxBackends + NUM_AUXILIARY_PROCS + max_prepared_xacts;
}

static Size
shared_size(void)
{
	return add_size(offsetof(Shared, committing),
					mul_size(count_processes(), sizeof(Committing)));
}

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(add_size(shared_size(),
									hash_estimate_size(MAX_FRONTS,
													   sizeof(Entry))));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

/* Runs at the server's start and again after a crash of any process. */
static void
start_memory(void)
{
	HASHCTL		control = {.keysize = sizeof(Key), .entrysize = sizeof(Entry)};
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("cp_webhook front", shared_size(), &found);
	if (!found)
	{
		memset(shared, 0, shared_size());
		shared->lock = &(GetNamedLWLockTranche(TRANCHE)->lock);
		shared->generation = 1;
		shared->processes = count_processes();
	}
	entries = ShmemInitHash("cp_webhook fronts", MAX_FRONTS, MAX_FRONTS,
							&control, HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
	LWLockRelease(AddinShmemInitLock);
}

void
cpw_front_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

/* ---- entries, under the lock ---- */

static void
make_key(Key *key, Oid table, const char *pipeline)
{
	memset(key, 0, sizeof(Key));
	key->database = MyDatabaseId;
	key->table = table;
	strlcpy(key->pipeline, pipeline, sizeof(key->pipeline));
}

static Entry *
find_entry(Oid table, const char *pipeline)
{
	Key			key;

	make_key(&key, table, pipeline);
	return hash_search(entries, &key, HASH_FIND, NULL);
}

/* An entry that is idle is as good as none. */
static void
remove_idle(void)
{
	HASH_SEQ_STATUS status;
	Entry	   *entry;

	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (cpw_bounds_are_idle(&entry->front))
			hash_search(entries, &entry->key, HASH_REMOVE, NULL);
}

/* NULL when there is no room: from then on nothing is known. */
static Entry *
enter(Oid table, const char *pipeline)
{
	Key			key;
	Entry	   *entry;
	bool		found;

	make_key(&key, table, pipeline);
	entry = hash_search(entries, &key, HASH_ENTER_NULL, &found);
	if (entry == NULL)
	{
		remove_idle();
		entry = hash_search(entries, &key, HASH_ENTER_NULL, &found);
	}
	if (entry == NULL)
		shared->is_overflown = true;
	else if (!found)
		cpw_bounds_clear(&entry->front, pipeline);
	return entry;
}

static Known *
find_known(Oid table)
{
	for (int i = 0; i < MAX_TABLES; i++)
		if (shared->known[i].database == MyDatabaseId &&
			shared->known[i].table == table)
			return &shared->known[i];
	return NULL;
}

/* What was known of a table that this one has taken the place of. */
static void
forget_others(Oid table)
{
	HASH_SEQ_STATUS status;
	Entry	   *entry;

	for (int i = 0; i < MAX_TABLES; i++)
		if (shared->known[i].database == MyDatabaseId &&
			shared->known[i].table != table)
			shared->known[i].table = InvalidOid;
	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->key.database == MyDatabaseId && entry->key.table != table)
			hash_search(entries, &entry->key, HASH_REMOVE, NULL);
}

/* ---- what a transaction changes ---- */

/* Before others can see it. */
static void
begin_commit(void)
{
	Committing *mine = &shared->committing[cpw_compat_process_number()];
	ListCell   *cell;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	cpw_bounds_set_last(&mine->waiting);
	mine->leased = mine->retrying = CPW_FRONT_NEVER;
	foreach(cell, noted)
	{
		const Noted *one = lfirst(cell);
		Entry	   *entry = enter(one->table, one->front.pipeline);

		if (entry != NULL)
			cpw_bounds_lower(&entry->front, &one->front, one->waiting_count);
		if (cpw_bounds_compare(&one->front.waiting, &mine->waiting) < 0)
			mine->waiting = one->front.waiting;
		mine->leased = Min(mine->leased, one->front.leased);
		mine->retrying = Min(mine->retrying, one->front.retrying);
	}
	mine->is_active = true;
	LWLockRelease(shared->lock);
	is_committing = true;
}

/* When others can. */
static void
end_commit(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->committing[cpw_compat_process_number()].is_active = false;
	shared->generation++;
	LWLockRelease(shared->lock);
}

static void
on_transaction(XactEvent event, void *arg)
{
	(void) arg;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (noted != NIL && shared != NULL)
				begin_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			/* Whoever commits it would have to tell what was noted here. */
			if (noted != NIL)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has started, claimed or put off executions")));
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			if (is_committing)
				end_commit();
			is_committing = is_changed = false;
			noted = NIL;
			break;
		default:
			break;
	}
}

void
cpw_front_note_change(void)
{
	if (!has_callbacks)
	{
		RegisterXactCallback(on_transaction, NULL);
		has_callbacks = true;
	}
	is_changed = true;
}

bool
cpw_front_is_changed(void)
{
	return is_changed;
}

static Noted *
find_noted(Oid table, const char *pipeline)
{
	ListCell   *cell;

	foreach(cell, noted)
	{
		Noted	   *one = lfirst(cell);

		if (one->table == table && strcmp(one->front.pipeline, pipeline) == 0)
			return one;
	}
	return NULL;
}

/* A longer name than a pipeline can have is that of no pipeline. */
static Noted *
note(Oid table, const char *pipeline)
{
	Noted	   *one = find_noted(table, pipeline);
	MemoryContext caller;

	if (one != NULL)
		return one;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	one = palloc0(sizeof(Noted));
	one->table = table;
	cpw_bounds_clear(&one->front, pipeline);
	noted = lappend(noted, one);
	MemoryContextSwitchTo(caller);
	return one;
}

void
cpw_front_note_waiting(Oid table, const char *pipeline, const pg_uuid_t *id)
{
	Noted	   *one = note(table, pipeline);

	one->waiting_count++;
	if (cpw_bounds_compare(id, &one->front.waiting) < 0)
		one->front.waiting = *id;
}

void
cpw_front_note_lease(Oid table, const char *pipeline, TimestampTz until)
{
	Noted	   *one = note(table, pipeline);

	one->front.leased = Min(one->front.leased, until);
}

void
cpw_front_note_retry(Oid table, const char *pipeline, TimestampTz at)
{
	Noted	   *one = note(table, pipeline);

	one->front.retrying = Min(one->front.retrying, at);
}

void
cpw_front_add_own(Oid table, CpwFront *front)
{
	Noted	   *one = find_noted(table, front->pipeline);

	if (one != NULL)
		cpw_bounds_lower(front, &one->front, one->waiting_count);
}

/* ---- looks ---- */

uint64
cpw_front_generation(void)
{
	uint64		generation;

	if (shared == NULL)
		return 0;
	LWLockAcquire(shared->lock, LW_SHARED);
	generation = shared->generation;
	LWLockRelease(shared->lock);
	return generation;
}

static int
read_all(Oid table, CpwFront *fronts)
{
	HASH_SEQ_STATUS status;
	Entry	   *entry;
	int			count = 0;

	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->key.database == MyDatabaseId && entry->key.table == table &&
			!cpw_bounds_are_idle(&entry->front))
			fronts[count++] = entry->front;
	return count;
}

int
cpw_front_read(Oid table, char **pipelines, int count, CpwFront **fronts)
{
	const Known *known;
	int			found = -1;

	if (shared == NULL)
		return -1;
	LWLockAcquire(shared->lock, LW_SHARED);
	known = find_known(table);
	if (!shared->is_overflown && known != NULL &&
		!TimestampDifferenceExceeds(known->since, GetCurrentTimestamp(),
									LEARNED_MS))
	{
		long		room = pipelines != NULL ? count : hash_get_num_entries(entries);

		found = 0;
		*fronts = palloc(sizeof(CpwFront) * Max(room, 1));
		if (pipelines == NULL)
			found = read_all(table, *fronts);
		for (int i = 0; pipelines != NULL && i < count; i++)
		{
			Entry	   *entry = find_entry(table, pipelines[i]);

			if (entry != NULL && !cpw_bounds_are_idle(&entry->front))
				(*fronts)[found++] = entry->front;
		}
	}
	LWLockRelease(shared->lock);
	return found;
}

bool
cpw_front_may_wait(Oid table, char *pipeline)
{
	CpwFront   *front;
	int			count = cpw_front_read(table, &pipeline, 1, &front);

	return count < 0 || find_noted(table, pipeline) != NULL ||
		(count == 1 && (front->held_count > 0 ||
						front->retrying != CPW_FRONT_NEVER ||
						!cpw_bounds_is_last(&front->waiting)));
}

void
cpw_front_learn(Oid table, const CpwFront *fronts, int count)
{
	Known	   *known;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
	{
		Entry	   *entry = enter(table, fronts[i].pipeline);

		/* Not one alone: there may be others above it. */
		if (entry != NULL)
			cpw_bounds_lower(&entry->front, &fronts[i],
				  cpw_bounds_is_last(&fronts[i].waiting) ? 0 : 2);
	}
	forget_others(table);
	known = find_known(table);
	for (int i = 0; known == NULL && i < MAX_TABLES; i++)
		if (!OidIsValid(shared->known[i].table))
			known = &shared->known[i];

	/* The first one's place: that of a database or extension long gone. */
	if (known == NULL)
		known = &shared->known[0];
	known->database = MyDatabaseId;
	known->table = table;
	known->since = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
}

/* The least of what is being committed, of all transactions. */
static void
find_ceiling(Committing *ceiling)
{
	cpw_bounds_set_last(&ceiling->waiting);
	ceiling->leased = ceiling->retrying = CPW_FRONT_NEVER;
	for (int i = 0; i < shared->processes; i++)
	{
		const Committing *one = &shared->committing[i];

		if (!one->is_active)
			continue;
		if (cpw_bounds_compare(&one->waiting, &ceiling->waiting) < 0)
			ceiling->waiting = one->waiting;
		ceiling->leased = Min(ceiling->leased, one->leased);
		ceiling->retrying = Min(ceiling->retrying, one->retrying);
	}
}

/*
 * The held of a raised front: those that the look has seen wait, and those of
 * before that may be just being committed. False when they are too many.
 */
static bool
merge_held(CpwFront *front, const CpwFront *seen, const Committing *ceiling)
{
	CpwFront	merged = *seen;

	for (int i = 0; i < front->held_count; i++)
	{
		const pg_uuid_t *id = &front->held[i];

		if (cpw_bounds_compare(id, &ceiling->waiting) < 0 ||
			cpw_bounds_hold(&merged, id))
			continue;
		if (merged.held_count == CPW_FRONT_HELD)
			return false;
		merged.held[merged.held_count++] = *id;
	}

	/* A look that has read the held of before must not bring them back. */
	if (front->held_count > 0 || merged.held_count > 0)
		shared->generation++;
	front->held_count = merged.held_count;
	memcpy(front->held, merged.held, sizeof(pg_uuid_t) * merged.held_count);
	return true;
}

void
cpw_front_raise(Oid table, uint64 generation, const CpwFront *seen)
{
	Entry	   *entry;
	Committing	ceiling;

	if (shared == NULL || is_changed)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = find_entry(table, seen->pipeline);
	if (entry != NULL && shared->generation == generation)
	{
		CpwFront   *front = &entry->front;
		const pg_uuid_t *waiting = &seen->waiting;

		find_ceiling(&ceiling);
		if (cpw_bounds_compare(&ceiling.waiting, waiting) < 0)
			waiting = &ceiling.waiting;
		if (!merge_held(front, seen, &ceiling) ||
			cpw_bounds_compare(waiting, &front->waiting) <= 0)
			front->stuck++;
		else
		{
			front->waiting = *waiting;
			front->stuck = 0;
		}
	}
	LWLockRelease(shared->lock);
}

void
cpw_front_raise_times(Oid table, uint64 generation, const char *pipeline,
					  TimestampTz leased, TimestampTz retrying)
{
	Entry	   *entry;
	Committing	ceiling;

	if (shared == NULL || is_changed)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = find_entry(table, pipeline);
	if (entry != NULL && shared->generation == generation)
	{
		CpwFront   *front = &entry->front;

		find_ceiling(&ceiling);
		front->leased = Max(front->leased, Min(leased, ceiling.leased));
		front->retrying = Max(front->retrying, Min(retrying, ceiling.retrying));
	}
	LWLockRelease(shared->lock);
}
