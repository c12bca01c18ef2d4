/*
 * counters.c
 *		What the receivers tell of themselves, in shared memory.
 */
#include "postgres.h"

#include "compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/counters.h"
#include "pg/settings.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;
static CpwShared *shared;

static Size
shared_size(void)
{
	return add_size(offsetof(CpwShared, slots),
					mul_size(cpw_setting_workers, sizeof(CpwWorkerSlot)));
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
	pg_atomic_init_u64(&slot->connections, 0);
	pg_atomic_init_u64(&slot->buffered_bytes, 0);
	pg_atomic_init_u64(&slot->refused_connections, 0);
	pg_atomic_init_u64(&slot->certificate_expires_at, 0);
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
		for (int i = 0; i < shared->workers; i++)
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

CpwShared *
cpw_counters_shared(void)
{
	return shared;
}

void
cpw_counters_note_error(CpwWorkerSlot *slot, const char *message)
{
	int			length = pg_mbcliplen(message, (int) strlen(message),
									  sizeof(slot->last_error) - 1);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	memcpy(slot->last_error, message, length);
	slot->last_error[length] = '\0';
	slot->last_error_at = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
}
