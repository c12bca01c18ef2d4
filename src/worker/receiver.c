/*
 * receiver.c
 *		The main of a receiver: signals, wait set, reload. What it does with
 *		requests is in intake.c.
 *
 * One loop, one wait, one CHECK_FOR_INTERRUPTS() per wake. The listener's
 * descriptor is one more socket in the server's own wait set, so signals,
 * interrupts and barriers work as in any backend.
 */
#include "postgres.h"

#include <sys/resource.h>

#include "compat.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "net/deadline.h"
#include "net/linger.h"
#include "net/listener.h"
#include "pg/address.h"
#include "pg/counters.h"
#include "pg/settings.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/batch.h"
#include "worker/endpoints.h"
#include "worker/intake.h"
#include "worker/receiver.h"
#include "worker/tally.h"
#include "worker/tls_files.h"
#include "worker/transaction.h"
#include "worker/webhook_cache.h"

/* A worker that was terminated is back after so many seconds. */
#define RESTART_SECONDS			1

/* Between attempts to connect to a database that is not there. */
#define CONNECT_PAUSE_MS		5000

/* Between attempts to listen, doubled up to the maximum. */
#define FIRST_LISTEN_PAUSE_MS	500
#define MAX_LISTEN_PAUSE_MS		30000

/* Descriptors beside the server's own and the connections'. */
#define SPARE_DESCRIPTORS		(64 + CPW_MAX_LINGERING)

static CpwShared *shared;
static CpwWorkerSlot *slot;
static CpwListener *listener;
static CpwEndpoints endpoints;
static WaitEventSet *wait_set;
static bool wait_set_accepts;	/* the listening sockets are in it */
static uint32 wait_event;

/* When (monotonic) to listen again where it failed; 0: nothing failed. */
static int64 listen_again_at;
static int	listen_pause;

/* Whether the listener speaks TLS: what a broken certificate cannot change. */
static bool speaks_tls;

extern PGDLLEXPORT void cp_webhook_receiver_main(Datum number);

void
cpw_receiver_register(void)
{
	for (int i = 0; i < cpw_setting_workers; i++)
	{
		BackgroundWorker worker = {0};

		worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
			BGWORKER_BACKEND_DATABASE_CONNECTION;
		worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
		worker.bgw_restart_time = RESTART_SECONDS;
		worker.bgw_main_arg = Int32GetDatum(i);
		strlcpy(worker.bgw_library_name, "cp_webhook", BGW_MAXLEN);
		strlcpy(worker.bgw_function_name, "cp_webhook_receiver_main",
				BGW_MAXLEN);
		strlcpy(worker.bgw_type, "cp_webhook receiver", BGW_MAXLEN);
		snprintf(worker.bgw_name, BGW_MAXLEN, "cp_webhook receiver %d", i);
		RegisterBackgroundWorker(&worker);
	}
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

/*
 * A database that is not there is FATAL, and the worker would be started again
 * every second: one that sees that its predecessor died so waits first.
 */
static void
connect_to_database(void)
{
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
	BackgroundWorkerInitializeConnection(cpw_setting_database, NULL, 0);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->connecting = false;
	LWLockRelease(shared->lock);
	SetConfigOption("application_name", "cp_webhook", PGC_USERSET,
					PGC_S_OVERRIDE);
}

/* ---- settings ---- */

/*
 * Descriptors for the connections, beside the server's own: the soft limit is
 * often 1024. Where it cannot be raised so far, fewer connections are taken.
 */
static int
raise_descriptor_limit(int connections)
{
	struct rlimit limit;
	rlim_t		needed = (rlim_t) connections + max_files_per_process + SPARE_DESCRIPTORS;
	int			allowed;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
		return connections;
	limit.rlim_cur = Min(needed, limit.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
		getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
		return connections;

	/*
	 * max_files_per_process is what the server may open, seldom what it does:
	 * where it would leave nothing, share.
	 */
	allowed = Max((int) limit.rlim_cur / 2,
				  (int) limit.rlim_cur - max_files_per_process -
				  SPARE_DESCRIPTORS);
	ereport(LOG,
			(errmsg("cp_webhook.max_connections lowered from %d to %d",
					connections, allowed),
			 errdetail("A process may have %lu descriptors.",
					   (unsigned long) limit.rlim_cur)));
	return allowed;
}

static bool
is_trusted(const struct sockaddr_storage *peer)
{
	return cpw_address_is_in_list(peer, cpw_setting_trusted_proxies);
}

static CpwListenerLimits
current_limits(void)
{
	CpwListenerLimits limits = {
		.max_connections = raise_descriptor_limit(cpw_setting_max_connections),
		.max_header_size = cpw_setting_max_header_size,
		.max_body_size = cpw_setting_max_body_size,
		.max_json_values = cpw_setting_max_json_values,
		.max_buffered = (size_t) cpw_setting_max_buffered * 1024,
		.request_timeout = cpw_setting_request_timeout,
		.keepalive_timeout = cpw_setting_keepalive_timeout,
		.tls = speaks_tls,
		.max_connections_per_ip = cpw_setting_max_connections_per_ip,
		.is_exempt = is_trusted,
	};

	return limits;
}

/*
 * The certificate first, then the limits of the listener. False when there is
 * TLS to speak and nothing to speak it with.
 */
static bool
apply_limits(void)
{
	bool		usable = cpw_tls_files_load(shared, slot);
	CpwListenerLimits limits;

	if (usable)
		speaks_tls = cpw_settings_use_tls();
	limits = current_limits();
	if (!cpw_listener_set_limits(listener, &limits))
		ereport(LOG,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("cp_webhook.max_header_size and TLS stay as they were")));
	return usable;
}

static void
apply_lock_timeout(void)
{
	SetConfigOption("lock_timeout", psprintf("%d", cpw_setting_lock_timeout),
					PGC_SUSET, PGC_S_OVERRIDE);
}

static void
rebuild_wait_set(void)
{
	bool		accepts = cpw_listener_has_room(listener);

	if (wait_set != NULL)
		FreeWaitEventSet(wait_set);
	wait_set = cpw_compat_create_wait_event_set(3 + CPW_MAX_LISTEN_SOCKETS);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL,
					  NULL);
	AddWaitEventToSet(wait_set, WL_SOCKET_READABLE,
					  cpw_listener_descriptor(listener), NULL, NULL);

	/* At the limit of connections new ones wait in the kernel's queue. */
	for (int i = 0; accepts && i < endpoints.count; i++)
		AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, endpoints.sockets[i],
						  NULL, &endpoints.sockets[i]);
	wait_set_accepts = accepts;
}

/*
 * Opens the sockets. With TLS to speak and nothing to speak it with they stay
 * closed: plain HTTP in its place is not what was asked for.
 */
static void
listen_now(void)
{
	if (apply_limits() && cpw_endpoints_open(&endpoints, shared, slot))
	{
		listen_again_at = 0;
		listen_pause = FIRST_LISTEN_PAUSE_MS;
		if (endpoints.count > 0)
			ereport(LOG, (errmsg("cp_webhook listens on %s", slot->listening)));
	}
	else
	{
		listen_again_at = cpw_deadline_now() + listen_pause;
		listen_pause = Min(listen_pause * 2, MAX_LISTEN_PAUSE_MS);
	}
	rebuild_wait_set();
}

/* Connections that wait in a socket's queue would be lost with the socket. */
static void
accept_queued(void)
{
	for (int i = 0; i < endpoints.count; i++)
		while (cpw_listener_accept(listener, endpoints.sockets[i]))
			 /* there may be more */ ;
}

static void
reload(void)
{
	char	   *addresses = pstrdup(cpw_setting_listen_addresses);
	int			port = cpw_setting_port;
	int			backlog = cpw_setting_backlog;

	ProcessConfigFile(PGC_SIGHUP);
	apply_lock_timeout();
	cpw_webhook_cache_drop();
	if (listen_again_at != 0 || port != cpw_setting_port || backlog != cpw_setting_backlog ||
		strcmp(addresses, cpw_setting_listen_addresses) != 0)
	{
		listen_pause = FIRST_LISTEN_PAUSE_MS;
		accept_queued();
		listen_now();
	}
	else
	{
		(void) apply_limits();
		rebuild_wait_set();
	}
}

/* ---- the loop ---- */

static void
panic(const char *message)
{
	/* FATAL leaves by exit, not through libmicrohttpd's frames. */
	ereport(FATAL,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("libmicrohttpd: %s", message)));
}

static long
sooner(long one, long other)
{
	if (one < 0 || (other >= 0 && other < one))
		return other;
	return one;
}

static long
next_timeout(long statistics_due)
{
	long		timeout = sooner(cpw_listener_timeout(listener),
								 cpw_tally_timeout());

	timeout = sooner(timeout, statistics_due);
	if (listen_again_at != 0)
		timeout = sooner(timeout,
						 Max(listen_again_at - cpw_deadline_now(), 0));
	return timeout;
}

static void
wait_and_accept(long timeout)
{
	WaitEvent	events[3 + CPW_MAX_LISTEN_SOCKETS];
	int			occurred;

	if (cpw_listener_has_room(listener) != wait_set_accepts)
		rebuild_wait_set();
	occurred = WaitEventSetWait(wait_set, timeout, events, lengthof(events),
								wait_event);
	for (int i = 0; i < occurred; i++)
	{
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		else if (events[i].user_data != NULL)
			(void) cpw_listener_accept(listener, *(int *) events[i].user_data);
	}
}

/*
 * Tells the statistics of the database, or autovacuum never learns of the
 * rows. Returns the milliseconds until it wants to be called again, or -1.
 */
static long
report_statistics(void)
{
	long		due = pgstat_report_stat(false);

	return due > 0 ? due : -1;
}

static void
tell_state(void)
{
	const char *message = cpw_listener_take_message(listener);

	if (message != NULL)
		ereport(DEBUG1, (errmsg_internal("libmicrohttpd: %s", message)));
	pg_atomic_write_u64(&slot->connections,
						cpw_listener_connections(listener));
	pg_atomic_write_u64(&slot->buffered_bytes,
						cpw_listener_buffered(listener));
	pg_atomic_write_u64(&slot->refused_connections,
						cpw_listener_refused(listener));
}

static void
prepare(int number)
{
	CpwListenerLimits limits;

	wait_event = cpw_compat_wait_event("CpWebhookMain");
	shared = cpw_counters_shared();
	slot = &shared->slots[number];
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->pid = MyProcPid;
	slot->started_at = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
	before_shmem_exit(forget_slot, (Datum) 0);
	connect_to_database();
	cpw_transaction_prepare_session();
	apply_lock_timeout();
	cpw_webhook_cache_init();
	limits = current_limits();
	listener = cpw_listener_create(&limits, panic);
	if (listener == NULL)
		ereport(FATAL,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not start libmicrohttpd")));
	/* Its epoll descriptor, that of hangups, and the one that holds both. */
	for (int i = 0; i < 3; i++)
		ReserveExternalFD();
	cpw_intake_init(listener, slot);
	listen_pause = FIRST_LISTEN_PAUSE_MS;
	listen_now();
}

void
cp_webhook_receiver_main(Datum number)
{
	MemoryContext loop;
	long		statistics_due = -1;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	loop = AllocSetContextCreate(TopMemoryContext, "cp_webhook main",
								 ALLOCSET_DEFAULT_SIZES);
	prepare(DatumGetInt32(number));

	/* Only now: connecting ends a transaction, and leaves another current. */
	MemoryContextSwitchTo(loop);
	pgstat_report_activity(STATE_IDLE, NULL);
	for (;;)
	{
		wait_and_accept(next_timeout(statistics_due));

		/* A cancel of a worker that does nothing cancels nothing. */
		QueryCancelPending = false;
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			reload();
		}
		if (listen_again_at != 0 && cpw_deadline_now() >= listen_again_at)
			listen_now();
		cpw_listener_run(listener);
		if (cpw_intake_run())
			cpw_listener_run(listener);
		cpw_batch_write_counts(DatumGetInt32(number));
		statistics_due = report_statistics();
		tell_state();
		Assert(CurrentMemoryContext == loop);
		MemoryContextReset(loop);
	}
}
