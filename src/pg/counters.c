/*
 * counters.c
 *		What the workers tell of themselves, in shared memory.
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/counters.h"
#include "pg/settings.h"
#include "port/pg_bitutils.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

/* Workers that are no receivers: for maintenance, and the AWS wire. */
#define OTHER_WORKERS	2

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;
static CpwShared *shared;

static Size
shared_size(void)
{
	return add_size(offsetof(CpwShared, slots),
					mul_size(cpw_setting_workers + OTHER_WORKERS,
							 sizeof(CpwWorkerSlot)));
}

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche("cp_webhook", 1);
}

static void
init_histogram(CpwHistogram *histogram)
{
	for (int i = 0; i < CPW_HISTOGRAM_LENGTH; i++)
		pg_atomic_init_u64(&histogram->counts[i], 0);
}

static void
init_slot(CpwWorkerSlot *slot)
{
	memset(slot, 0, sizeof(CpwWorkerSlot));
	for (int i = 0; i < CPW_VERDICT_COUNT; i++)
		pg_atomic_init_u64(&slot->verdicts[i], 0);
	pg_atomic_init_u64(&slot->batches, 0);
	pg_atomic_init_u64(&slot->batched, 0);
	pg_atomic_init_u64(&slot->largest_batch, 0);
	pg_atomic_init_u64(&slot->body_bytes, 0);
	pg_atomic_init_u64(&slot->batch_microseconds, 0);
	pg_atomic_init_u64(&slot->commit_microseconds, 0);
	init_histogram(&slot->batch_sizes);
	init_histogram(&slot->batch_times);
	init_histogram(&slot->commit_times);
	pg_atomic_init_u64(&slot->connections, 0);
	pg_atomic_init_u64(&slot->buffered_bytes, 0);
	pg_atomic_init_u64(&slot->refused_connections, 0);
	pg_atomic_init_u64(&slot->certificate_expires_at, 0);
}

static void
init_maintenance(CpwMaintenance *maintenance)
{
	memset(maintenance, 0, sizeof(CpwMaintenance));
	pg_atomic_init_u32(&maintenance->is_wanted, 0);
	pg_atomic_init_u64(&maintenance->put_away_at, 0);
	pg_atomic_init_u64(&maintenance->partitions_made, 0);
	pg_atomic_init_u64(&maintenance->partitions_dropped, 0);
	pg_atomic_init_u64(&maintenance->keys_removed, 0);
	pg_atomic_init_u64(&maintenance->executions_removed, 0);
}

static void
init_api(CpwApiCounters *api)
{
	for (int i = 0; i < CPW_MAX_OPERATIONS; i++)
	{
		for (int outcome = 0; outcome < CPW_CALL_OUTCOMES; outcome++)
			pg_atomic_init_u64(&api->calls[i][outcome], 0);
		pg_atomic_init_u64(&api->microseconds[i], 0);
	}
}

/* Runs at the server's start and again after a crash of any process. */
static void
start_memory(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("cp_webhook", shared_size(), &found);
	if (!found)
	{
		shared->lock = &(GetNamedLWLockTranche("cp_webhook")->lock);
		shared->workers = cpw_setting_workers;
		init_maintenance(&shared->maintenance);
		init_api(&shared->api);
		pg_atomic_init_u32(&shared->watch.is_wanted, 0);
		shared->watch.latch = NULL;
		for (int i = 0; i < shared->workers + OTHER_WORKERS; i++)
			init_slot(&shared->slots[i]);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
cpw_counters_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

void
cpw_counters_wake_watcher(void)
{
	CpwWatch   *watch = &shared->watch;

	/* A latch of a process that is no more wakes at most another one. */
	if (pg_atomic_read_u32(&watch->is_wanted) != 0 &&
		pg_atomic_exchange_u32(&watch->is_wanted, 0) != 0)
		SetLatch(watch->latch);
}

CpwShared *
cpw_counters_shared(void)
{
	return shared;
}

/* As many whole characters as fit. Under the lock. */
static void
copy_text(char *target, size_t size, const char *text)
{
	int			length = pg_mbcliplen(text, (int) strlen(text), (int) size - 1);

	memcpy(target, text, length);
	target[length] = '\0';
}

void
cpw_counters_note_held_back(const char *reason)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	copy_text(shared->maintenance.held_back,
			  sizeof(shared->maintenance.held_back), reason);
	LWLockRelease(shared->lock);
}

void
cpw_counters_note_error(CpwWorkerSlot *slot, const char *message)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	copy_text(slot->last_error, sizeof(slot->last_error), message);
	slot->last_error_at = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
}

/* ---- waking the maintenance worker ---- */

static bool wake_at_commit;

void
cpw_counters_set_latch(struct Latch *latch)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->maintenance.latch = latch;
	LWLockRelease(shared->lock);
}

/*
 * A transaction that is prepared is committed by another session, of which we
 * know nothing: the worker looks from time to time by itself.
 */
static void
at_end(XactEvent event, void *arg)
{
	(void) arg;
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		return;
	if (wake_at_commit && event == XACT_EVENT_COMMIT)
	{
		pg_atomic_write_u32(&shared->maintenance.is_wanted, 1);
		LWLockAcquire(shared->lock, LW_SHARED);
		if (shared->maintenance.latch != NULL)
			SetLatch(shared->maintenance.latch);
		LWLockRelease(shared->lock);
	}
	wake_at_commit = false;
}

void
cpw_counters_wake_at_commit(void)
{
	static bool is_registered;

	if (shared == NULL)
		return;
	if (!is_registered)
		RegisterXactCallback(at_end, NULL);
	is_registered = true;
	wake_at_commit = true;
}

void
cpw_counters_count(CpwHistogram *histogram, uint64 value)
{
	int			i = value <= 1 ? 0 : (int) pg_ceil_log2_64(value);

	cpw_counters_add(&histogram->counts[Min(i, CPW_HISTOGRAM_LENGTH - 1)], 1);
}

void
cpw_counters_count_time(CpwHistogram *histogram, uint64 microseconds)
{
	cpw_counters_count(histogram, (microseconds + 124) / 125);
}
