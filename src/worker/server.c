/*
 * server.c
 *		A worker that listens: its listener, its sockets, its wait.
 *
 * The listener's descriptor is one more socket in the server's own wait set,
 * so signals, interrupts and barriers work as in any backend.
 */
#include "postgres.h"

#include <sys/resource.h>

#include "compat.h"
#include "miscadmin.h"
#include "net/deadline.h"
#include "net/linger.h"
#include "pg/address.h"
#include "pg/settings.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker/process.h"
#include "worker/server.h"
#include "worker/tls_files.h"

/* Between attempts to listen, doubled up to the maximum. */
#define FIRST_LISTEN_PAUSE_MS	500
#define MAX_LISTEN_PAUSE_MS		30000

/* Descriptors beside the server's own and the connections'. */
#define SPARE_DESCRIPTORS		(64 + CPW_MAX_LINGERING)

/* Beside the listening sockets: latch, postmaster, listener, names. */
#define MAX_WAIT_EVENTS			(4 + CPW_MAX_LISTEN_SOCKETS)

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
current_limits(const CpwServer *server)
{
	int			max_body_size = cpw_setting_max_body_size;
	CpwListenerLimits limits = {
		.max_connections = raise_descriptor_limit(cpw_setting_max_connections),
		.max_header_size = cpw_setting_max_header_size,
		.max_body_size = server->max_body_size > 0
		? Min(max_body_size, server->max_body_size) : max_body_size,
		.max_json_values = cpw_setting_max_json_values,
		.max_buffered = (size_t) cpw_setting_max_buffered * 1024,
		.request_timeout = cpw_setting_request_timeout,
		.keepalive_timeout = cpw_setting_keepalive_timeout,
		.tls = server->speaks_tls,
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
apply_limits(CpwServer *server)
{
	/* Who listens nowhere has no use for a certificate, good or bad. */
	bool		listens = *server->owner.port != 0;
	bool		usable = !listens ||
		cpw_tls_files_load(server->shared, server->slot);
	CpwListenerLimits limits;

	if (!listens)
		pg_atomic_write_u64(&server->slot->certificate_expires_at, 0);
	else if (usable)
		server->speaks_tls = cpw_settings_use_tls();
	limits = current_limits(server);
	if (!cpw_listener_set_limits(server->listener, &limits))
		ereport(LOG,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("cp_webhook.max_header_size and TLS stay as they were")));
	return usable;
}

static void
rebuild_wait_set(CpwServer *server)
{
	bool		accepts = cpw_listener_has_room(server->listener);
	CpwEndpoints *endpoints = &server->endpoints;
	WaitEventSet *wait_set;

	if (server->wait_set != NULL)
		FreeWaitEventSet(server->wait_set);
	wait_set = cpw_compat_create_wait_event_set(MAX_WAIT_EVENTS);
	server->wait_set = wait_set;
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL,
					  NULL);
	AddWaitEventToSet(wait_set, WL_SOCKET_READABLE,
					  cpw_listener_descriptor(server->listener), NULL, NULL);

	if (cpw_endpoints_descriptor(endpoints) >= 0)
		AddWaitEventToSet(wait_set, WL_SOCKET_READABLE,
						  cpw_endpoints_descriptor(endpoints), NULL, NULL);

	/* At the limit of connections new ones wait in the kernel's queue. */
	for (int i = 0; accepts && i < endpoints->count; i++)
		AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, endpoints->sockets[i],
						  NULL, &endpoints->sockets[i]);
	server->wait_set_accepts = accepts;
}

static void
listen_later(CpwServer *server)
{
	server->listen_again_at = cpw_deadline_now() + server->listen_pause;
	server->listen_pause = Min(server->listen_pause * 2, MAX_LISTEN_PAUSE_MS);
}

/*
 * Opens the sockets whose addresses are known. With TLS to speak and nothing to
 * speak it with they stay closed: plain HTTP in its place is not what was asked
 * for.
 */
static void
open_sockets(CpwServer *server)
{
	bool		complete = false;

	if (apply_limits(server))
		complete = cpw_endpoints_open(&server->endpoints, &server->owner,
									  server->shared, server->slot);
	else
		cpw_endpoints_forget(&server->endpoints);
	if (complete)
	{
		server->listen_pause = FIRST_LISTEN_PAUSE_MS;
		if (server->endpoints.count > 0)
			ereport(LOG, (errmsg("cp_webhook listens on %s",
								 server->slot->listening)));
		else if (*server->owner.port != 0)
			ereport(LOG,
					(errmsg("cp_webhook listens nowhere: %s is empty",
							server->owner.addresses_name)));
	}
	else if (!cpw_endpoints_are_looked_up(&server->endpoints))
		listen_later(server);
	rebuild_wait_set(server);
}

/*
 * Looks up where to listen, and opens the sockets when that is known: at once
 * where no name server has to be asked. Until then those that are open stay
 * so, and where none is, names are not waited for.
 */
static void
listen_now(CpwServer *server)
{
	bool		begun = cpw_endpoints_look_up(&server->endpoints,
											  &server->owner);

	server->listen_again_at = 0;
	if (begun && (server->endpoints.count == 0 ||
				  !cpw_endpoints_are_looked_up(&server->endpoints)))
	{
		open_sockets(server);
		return;
	}
	(void) apply_limits(server);
	if (!begun)
		listen_later(server);
	rebuild_wait_set(server);
}

/* Connections that wait in a socket's queue would be lost with the socket. */
static void
accept_queued(CpwServer *server)
{
	for (int i = 0; i < server->endpoints.count; i++)
		while (cpw_listener_accept(server->listener,
								   server->endpoints.sockets[i]))
			 /* there may be more */ ;
}

void
cpw_server_reload(CpwServer *server)
{
	char	   *addresses = pstrdup(*server->owner.addresses);
	int			port = *server->owner.port;
	int			backlog = cpw_setting_backlog;

	ProcessConfigFile(PGC_SIGHUP);
	cpw_process_set_lock_timeout(cpw_setting_lock_timeout);
	if (server->listen_again_at != 0 || port != *server->owner.port ||
		backlog != cpw_setting_backlog ||
		strcmp(addresses, *server->owner.addresses) != 0)
	{
		server->listen_pause = FIRST_LISTEN_PAUSE_MS;
		accept_queued(server);
		listen_now(server);
	}
	else
	{
		(void) apply_limits(server);
		rebuild_wait_set(server);
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

void
cpw_server_begin(CpwServer *server)
{
	CpwListenerLimits limits = current_limits(server);

	server->listener = cpw_listener_create(&limits, panic);
	if (server->listener == NULL)
		ereport(FATAL,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not start libmicrohttpd")));
	/* Its epoll descriptor, that of hangups, and the one that holds both. */
	for (int i = 0; i < 3; i++)
		ReserveExternalFD();
}

void
cpw_server_listen(CpwServer *server)
{
	server->listen_pause = FIRST_LISTEN_PAUSE_MS;
	listen_now(server);
}

void
cpw_server_wait(CpwServer *server, long timeout)
{
	WaitEvent	events[MAX_WAIT_EVENTS];
	int			occurred;

	timeout = cpw_process_sooner(timeout,
								 cpw_listener_timeout(server->listener));
	if (server->listen_again_at != 0)
		timeout = cpw_process_sooner(timeout,
									 Max(server->listen_again_at -
										 cpw_deadline_now(), 0));
	if (cpw_listener_has_room(server->listener) != server->wait_set_accepts)
		rebuild_wait_set(server);
	occurred = WaitEventSetWait(server->wait_set, timeout, events,
								lengthof(events), server->wait_event);
	for (int i = 0; i < occurred; i++)
	{
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		else if (events[i].user_data != NULL)
			(void) cpw_listener_accept(server->listener,
									   *(int *) events[i].user_data);
	}
}

void
cpw_server_run(CpwServer *server)
{
	if (server->endpoints.resolver != NULL)
	{
		if (!cpw_endpoints_are_looked_up(&server->endpoints))
			open_sockets(server);
	}
	else if (server->listen_again_at != 0 &&
			 cpw_deadline_now() >= server->listen_again_at)
		listen_now(server);
	cpw_listener_run(server->listener);
}

void
cpw_server_tell_state(CpwServer *server)
{
	CpwWorkerSlot *slot = server->slot;
	const char *message = cpw_listener_take_message(server->listener);

	if (message != NULL)
		ereport(DEBUG1, (errmsg_internal("libmicrohttpd: %s", message)));
	pg_atomic_write_u64(&slot->connections,
						cpw_listener_connections(server->listener));
	pg_atomic_write_u64(&slot->buffered_bytes,
						cpw_listener_buffered(server->listener));
	pg_atomic_write_u64(&slot->refused_connections,
						cpw_listener_refused(server->listener));
}
