/*
 * process.c
 *		What all workers do as processes.
 */
#include "postgres.h"

#include "compat.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "net/deadline.h"
#include "pg/settings.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "worker/process.h"
#include "worker/transaction.h"

/* A worker that was terminated is back after so many seconds. */
#define RESTART_SECONDS			1

/* Between attempts to connect to a database that is not there. */
#define CONNECT_PAUSE_MS		5000

static CpwShared *shared;
static CpwWorkerSlot *slot;
static int	registered;

void
cpw_process_register(const char *type, const char *name, const char *function,
					 int number)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	worker.bgw_main_arg = Int32GetDatum(number);
	strlcpy(worker.bgw_library_name, "cp_webhook", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker.bgw_type, type, BGW_MAXLEN);
	strlcpy(worker.bgw_name, name, BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
	registered++;
}

void
cpw_process_check_room(void)
{
	if (registered <= max_worker_processes)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("cp_webhook has %d workers, but max_worker_processes is %d",
					registered, max_worker_processes),
			 errdetail("Those that have no place do not start: first its api worker, then its maintenance worker, then receivers."),
			 errhint("Set max_worker_processes to %d or more: other extensions and parallel queries take from it too.",
					 registered)));
}

static void
forget_slot(int code, Datum arg)
{
	(void) code;
	(void) arg;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->pid = 0;
	slot->listening[0] = '\0';
	LWLockRelease(shared->lock);
	pg_atomic_write_u64(&slot->connections, 0);
	pg_atomic_write_u64(&slot->buffered_bytes, 0);
}

/* Beside the server's own words, which name a database and no setting. */
static void
tell_setting(void *arg)
{
	(void) arg;
	errcontext("connecting to the database that cp_webhook.database names");
}

/*
 * A database that is not there is FATAL, and the worker would be started again
 * every second: one that sees that its predecessor died so waits first.
 */
static void
connect_to_database(uint32 wait_event)
{
	ErrorContextCallback context = {error_context_stack, tell_setting, NULL};
	bool		failed;
	int64		until;
	long		pause;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	failed = slot->connecting;
	slot->connecting = true;
	LWLockRelease(shared->lock);
	/* The latch is set at a process's start, and by signals. */
	until = cpw_deadline_now() + (failed ? CONNECT_PAUSE_MS : 0);
	while ((pause = (long) (until - cpw_deadline_now())) > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 pause, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	error_context_stack = &context;
	BackgroundWorkerInitializeConnection(cpw_setting_database, NULL, 0);
	error_context_stack = context.previous;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->connecting = false;
	LWLockRelease(shared->lock);
	SetConfigOption("application_name", "cp_webhook", PGC_USERSET,
					PGC_S_OVERRIDE);
}

void
cpw_process_begin(CpwShared *the_shared, CpwWorkerSlot *the_slot,
				  uint32 wait_event)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	shared = the_shared;
	slot = the_slot;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->pid = MyProcPid;
	slot->started_at = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
	before_shmem_exit(forget_slot, (Datum) 0);
	connect_to_database(wait_event);
	cpw_transaction_prepare_session();
}

void
cpw_process_set_lock_timeout(int timeout)
{
	SetConfigOption("lock_timeout", psprintf("%d", timeout), PGC_SUSET,
					PGC_S_OVERRIDE);
}

long
cpw_process_report_statistics(void)
{
	long		due = pgstat_report_stat(false);

	return due > 0 ? due : -1;
}

long
cpw_process_sooner(long one, long other)
{
	if (one < 0 || (other >= 0 && other < one))
		return other;
	return one;
}
