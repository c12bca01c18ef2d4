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
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker/batch.h"
#include "worker/endpoints.h"
#include "worker/intake.h"
#include "worker/process.h"
#include "worker/receiver.h"
#include "worker/tally.h"
#include "worker/tls_files.h"
#include "worker/transaction.h"
#include "worker/webhook_cache.h"

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
		char		name[BGW_MAXLEN];

		snprintf(name, sizeof(name), "cp_webhook receiver %d", i);
		cpw_process_register("cp_webhook receiver", name,
							 "cp_webhook_receiver_main", i);
	}
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
	cpw_process_set_lock_timeout(cpw_setting_lock_timeout);
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
next_timeout(long statistics_due)
{
	long		timeout = cpw_process_sooner(cpw_listener_timeout(listener),
											 cpw_tally_timeout());

	timeout = cpw_process_sooner(timeout, statistics_due);
	if (listen_again_at != 0)
		timeout = cpw_process_sooner(timeout,
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
	cpw_process_begin(shared, slot, wait_event);
	cpw_process_set_lock_timeout(cpw_setting_lock_timeout);
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
		statistics_due = cpw_process_report_statistics();
		tell_state();
		Assert(CurrentMemoryContext == loop);
		MemoryContextReset(loop);
	}
}
