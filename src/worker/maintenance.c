/*
 * maintenance.c
 *		The main of the maintenance worker: a table of jobs, and when each is
 *		due. What the jobs do is in files of their own.
 *
 * One loop, one wait, one CHECK_FOR_INTERRUPTS() per wake, as in a receiver.
 * A job's run is one short transaction; one that has more to do is due again
 * soon, so that the others have their turn and nobody waits for it.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "net/deadline.h"
#include "pg/counters.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "store/version.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker/maintenance.h"
#include "worker/process.h"
#include "worker/registration.h"
#include "worker/retention.h"
#include "worker/transaction.h"

/* For one run of a job: looking through a day's executions can take a while. */
#define JOB_TIMEOUT_MS			60000

/*
 * What waits for one of our locks meanwhile may be waited for by every
 * receiver: give up soon, and come again.
 */
#define LOCK_TIMEOUT_MS			40

/* Until a job that failed is tried again; until its error is told again. */
#define FAILURE_PAUSE_MS		10000
#define FAILURE_QUIET_MS		3600000

/* Between looks for an extension that is not there, or is of another version. */
#define EXTENSION_PAUSE_MS		1000

typedef struct Job
{
	/* What pg_stat_activity shows, and a failure's line: "failed while ...". */
	const char *activity;
	CpwActor	actor;

	/* Inside a transaction. Returns the milliseconds until its next run. */
	long		(*work) (void);

	/* Behind it, whether it has committed; NULL: nothing is to be done. */
	void		(*after) (bool committed);

	/* On the monotonic clock. */
	int64		due;
	int64		quiet_until;	/* the last failure is not told again */
	int			failure;		/* its SQLSTATE */
} Job;

static Job jobs[] = {
	/* The first: it is made due by what comes in. */
	{.activity = "taking registrations",
		.actor = CPW_AS_OWNER,.work = cpw_registration_take,
	.after = cpw_registration_start},
	{.activity = "reviewing registrations",
	.actor = CPW_AS_OWNER,.work = cpw_registration_review},
	{.activity = "making a partition of deliveries",
	.actor = CPW_AS_OWNER, .work = cpw_retention_make_partition},
	{.activity = "dropping a detached partition",
	.actor = CPW_AS_OWNER, .work = cpw_retention_drop_detached},
	{.activity = "detaching an old partition",
	.actor = CPW_AS_OWNER, .work = cpw_retention_detach},
	{.activity = "removing old delivery keys",
	.actor = CPW_AS_RECORDER, .work = cpw_retention_remove_keys},
	{.activity = "removing old executions",
	.actor = CPW_AS_RECORDER, .work = cpw_retention_remove_executions},
	{.activity = "tidying counters",
	.actor = CPW_AS_RECORDER, .work = cpw_retention_tidy_counters},
	{.activity = "removing expired sessions",
	.actor = CPW_AS_OWNER, .work = cpw_retention_forget_console},
};

static CpwShared *shared;
static CpwWorkerSlot *slot;
static WaitEventSet *wait_set;
static uint32 wait_event;

/* The version of an extension that is not this library's was told. */
static bool mismatch_told;

extern PGDLLEXPORT void cp_webhook_maintenance_main(Datum number);

void
cpw_maintenance_register(void)
{
	cpw_process_register("cp_webhook maintenance", "cp_webhook maintenance",
						 "cp_webhook_maintenance_main", 0);
}

/* ---- jobs ---- */

/* What a job's run came to. */
typedef struct Run
{
	Job		   *job;
	bool		is_usable;		/* the extension is of this library */
	long		next;
} Run;

/* Another version's tables may not be what this library takes them for. */
static bool
check_version(void)
{
	const char *version = cpw_version_of_extension();

	if (version == NULL || strcmp(version, CPW_VERSION) == 0)
	{
		mismatch_told = false;
		return version != NULL;
	}
	if (!mismatch_told)
		ereport(LOG,
				(errmsg("cp_webhook's maintenance waits: the extension is version %s, the library %s",
						version, CPW_VERSION),
				 errhint("%s", cpw_version_advice(version))));
	mismatch_told = true;
	return false;
}

static void
work(void *arg)
{
	Run		   *run = arg;

	run->is_usable = check_version();
	if (run->is_usable)
		run->next = run->job->work();
}

static void
tell_failure(Job *job, const ErrorData *error)
{
	int64		now = cpw_deadline_now();

	cpw_counters_note_error(slot, error->message);
	if (job->failure == error->sqlerrcode && now < job->quiet_until)
		return;
	job->failure = error->sqlerrcode;
	job->quiet_until = now + FAILURE_QUIET_MS;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("failed while %s: %s", job->activity, error->message)));
}

/* Runs a job that is due; false when there is nothing to work on. */
static bool
run_job(Job *job)
{
	Run			run = {job, false, 0};
	bool		is_done;
	ErrorData  *error;

	error = cpw_transaction_run(job->activity, JOB_TIMEOUT_MS, job->actor,
								work, &run, &is_done);
	if (job->after != NULL)
		job->after(error == NULL && is_done && run.is_usable);
	if (error != NULL)
	{
		tell_failure(job, error);
		job->due = cpw_deadline_now() + FAILURE_PAUSE_MS;
		return true;
	}
	job->due = cpw_deadline_now() +
		(run.is_usable ? run.next : EXTENSION_PAUSE_MS);
	return run.is_usable;
}

static void
run_due_jobs(void)
{
	bool		is_usable = true;

	for (size_t i = 0; i < lengthof(jobs); i++)
	{
		if (!is_usable)
			jobs[i].due = cpw_deadline_now() + EXTENSION_PAUSE_MS;
		else if (jobs[i].due <= cpw_deadline_now())
			is_usable = run_job(&jobs[i]);
		CHECK_FOR_INTERRUPTS();
	}
}

static long
next_timeout(void)
{
	int64		due = jobs[0].due;

	for (size_t i = 1; i < lengthof(jobs); i++)
		due = Min(due, jobs[i].due);
	return (long) Max(due - cpw_deadline_now(), 0);
}

/* ---- the loop ---- */

static void
make_wait_set(void)
{
	int			descriptor = cpw_registration_init();

	wait_set = cpw_compat_create_wait_event_set(3);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL,
					  NULL);
	if (descriptor >= 0)
		AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, descriptor, NULL, NULL);
}

/* Requests go on; what was committed meanwhile is taken at once. */
static void
work_on_registrations(void)
{
	bool		is_wanted =
		pg_atomic_exchange_u32(&shared->maintenance.is_wanted, 0) != 0;

	if (cpw_registration_run() || is_wanted)
		jobs[0].due = 0;
}

static void
forget_latch(int code, Datum arg)
{
	(void) code;
	(void) arg;
	cpw_counters_set_latch(NULL);
}

static void
wait_for(long timeout)
{
	WaitEvent	event;

	if (WaitEventSetWait(wait_set, timeout, &event, 1, wait_event) > 0 &&
		(event.events & WL_LATCH_SET) != 0)
		ResetLatch(MyLatch);
}

/* A setting may have changed what is old: every job looks again. */
static void
reload(void)
{
	ProcessConfigFile(PGC_SIGHUP);
	cpw_process_set_lock_timeout(LOCK_TIMEOUT_MS);
	for (size_t i = 0; i < lengthof(jobs); i++)
	{
		jobs[i].due = 0;
		jobs[i].quiet_until = 0;
	}
	cpw_retention_start_over();
}

void
cp_webhook_maintenance_main(Datum number)
{
	MemoryContext loop = AllocSetContextCreate(TopMemoryContext,
											   "cp_webhook main",
											   ALLOCSET_DEFAULT_SIZES);
	long		statistics_due = -1;

	(void) number;
	wait_event = cpw_compat_wait_event("CpWebhookMain");
	shared = cpw_counters_shared();
	slot = &shared->slots[CPW_MAINTENANCE_SLOT(shared)];
	cpw_process_begin(shared, slot, wait_event);
	cpw_process_set_lock_timeout(LOCK_TIMEOUT_MS);
	cpw_retention_init(shared);
	make_wait_set();
	before_shmem_exit(forget_latch, (Datum) 0);
	cpw_counters_set_latch(MyLatch);

	/* Only now: connecting ends a transaction, and leaves another current. */
	MemoryContextSwitchTo(loop);
	pgstat_report_activity(STATE_IDLE, NULL);
	for (;;)
	{
		wait_for(cpw_process_sooner(cpw_process_sooner(next_timeout(), statistics_due),
									cpw_registration_timeout()));

		/* A cancel of a worker that does nothing cancels nothing. */
		QueryCancelPending = false;
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			reload();
		}
		work_on_registrations();
		run_due_jobs();
		statistics_due = cpw_process_report_statistics();
		Assert(CurrentMemoryContext == loop);
		MemoryContextReset(loop);
	}
}
