/*
 * endpoints.c
 *		The sockets on which a worker listens.
 *
 * The receivers of one server share a port (SO_REUSEPORT), and the kernel
 * would let another server of the same user join them silently. So the first
 * receiver that binds an address asks for it alone; the lock keeps the others
 * from binding in between.
 */
#include "postgres.h"

#include <unistd.h>

#include "compat.h"
#include "pg/settings.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#include "worker/endpoints.h"

typedef struct Wanted
{
	CpwSocketAddress addresses[CPW_MAX_LISTEN_SOCKETS];
	int			count;
} Wanted;

/* One that is cut off there would be a stranger's to the other receivers. */
StaticAssertDecl(sizeof(((CpwWorkerSlot *) 0)->listening) >=
				 CPW_MAX_LISTEN_SOCKETS * (CPW_SOCKET_TEXT_SIZE + 2),
				 "a slot has room for all addresses");

/* What is open now, in the order of CpwEndpoints.sockets. */
static CpwSocketAddress open_addresses[CPW_MAX_LISTEN_SOCKETS];

bool
cpw_endpoints_look_up(CpwEndpoints *endpoints, const CpwEndpointsOwner *owner)
{
	char	   *names = pstrdup(*owner->addresses);
	const char **hosts;
	List	   *list = NIL;
	ListCell   *cell;
	int			count = 0;

	cpw_endpoints_forget(endpoints);
	if (*owner->port != 0 && !SplitGUCList(names, ',', &list))
	{
		ereport(LOG,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid list syntax in parameter \"%s\"",
						owner->addresses_name)));
		return false;
	}
	hosts = palloc(sizeof(char *) * Max(list_length(list), 1));
	foreach(cell, list)
		hosts[count++] = lfirst(cell);
	endpoints->resolver = cpw_resolver_start(hosts, count, *owner->port);
	if (endpoints->resolver == NULL)
	{
		ereport(LOG,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not look up the names in %s: %m",
						owner->addresses_name)));
		return false;
	}
	/* A pipe, while it looks up. */
	if (cpw_endpoints_descriptor(endpoints) >= 0)
		for (int i = 0; i < 2; i++)
			ReserveExternalFD();
	return true;
}

int
cpw_endpoints_descriptor(const CpwEndpoints *endpoints)
{
	return endpoints->resolver == NULL ? -1 :
		cpw_resolver_descriptor(endpoints->resolver);
}

bool
cpw_endpoints_are_looked_up(const CpwEndpoints *endpoints)
{
	return endpoints->resolver != NULL &&
		!cpw_resolver_is_done(endpoints->resolver);
}

void
cpw_endpoints_forget(CpwEndpoints *endpoints)
{
	if (cpw_endpoints_descriptor(endpoints) >= 0)
		for (int i = 0; i < 2; i++)
			ReleaseExternalFD();
	cpw_resolver_free(endpoints->resolver);
	endpoints->resolver = NULL;
}

/* What is known of the addresses; false where there is none at all. */
static bool
take_known(const CpwResolver *resolver, Wanted *wanted,
		   const CpwEndpointsOwner *owner, CpwWorkerSlot *slot)
{
	int			hosts = cpw_resolver_count(resolver);

	wanted->count = 0;
	for (int i = 0; i < hosts; i++)
	{
		const char *host = cpw_resolver_host(resolver, i);
		const char *error = cpw_resolver_take(resolver, i, wanted->addresses,
											  &wanted->count);

		if (error == NULL)
			continue;
		ereport(LOG,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("could not resolve listen address \"%s\": %s", host,
						error),
				 errhint("Correct %s and reload.", owner->addresses_name)));
		cpw_counters_note_error(slot, psprintf("could not resolve \"%s\": %s",
											   host, error));
	}
	return wanted->count > 0 || hosts == 0;
}

static int
find_open(const CpwEndpoints *endpoints, const CpwSocketAddress *address)
{
	for (int i = 0; i < endpoints->count; i++)
		if (open_addresses[i].length == address->length &&
			memcmp(&open_addresses[i].address, &address->address,
				   address->length) == 0)
			return i;
	return -1;
}

/*
 * Whether two of our addresses ("127.0.0.1:8787") can't be bound one beside
 * the other without sharing: they are the same, or one is all addresses of the
 * other's family.
 */
static bool
overlap(const char *one, size_t length, const char *other)
{
	const char *port = strrchr(other, ':');
	size_t		port_length = port != NULL ? strlen(port) : 0;

	if (strlen(other) == length && strncmp(one, other, length) == 0)
		return true;
	if (port == NULL || length <= port_length ||
		strncmp(one + length - port_length, port, port_length) != 0 ||
		(one[0] == '[') != (other[0] == '['))
		return false;
	return strncmp(one, "0.0.0.0:", 8) == 0 || strncmp(one, "[::]:", 5) == 0 ||
		strncmp(other, "0.0.0.0:", 8) == 0 || strncmp(other, "[::]:", 5) == 0;
}

/*
 * Whether a worker of the same owner, this one included, listens there: then
 * the address isn't free, and nobody else's. Under the lock.
 */
static bool
is_ours(const CpwShared *shared, const CpwEndpointsOwner *owner,
		const char *address)
{
	for (int i = 0; i < owner->slots; i++)
	{
		const CpwWorkerSlot *slot = &shared->slots[owner->first_slot + i];
		const char *at = slot->listening;

		if (slot->pid == 0)
			continue;
		for (; *at != '\0'; at += strspn(at, ", "))
		{
			size_t		length = strcspn(at, ",");

			if (overlap(at, length, address))
				return true;
			at += length;
		}
	}
	return false;
}

/* Notes in the slot that an address is listened on. Under the lock. */
static void
note_listening(CpwWorkerSlot *slot, const char *text)
{
	if (slot->listening[0] != '\0')
		strlcat(slot->listening, ", ", sizeof(slot->listening));
	strlcat(slot->listening, text, sizeof(slot->listening));
}

static int
open_one(const CpwSocketAddress *address, const CpwEndpointsOwner *owner,
		 CpwShared *shared, CpwWorkerSlot *slot)
{
	char		text[CPW_SOCKET_TEXT_SIZE];
	int			fd = -1;
	int			saved_errno = 0;

	cpw_socket_describe(address, text);
	if (!AcquireExternalFD())
	{
		ereport(LOG, (errmsg("could not listen on %s: %m", text)));
		return -1;
	}
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (is_ours(shared, owner, text) || cpw_socket_is_free(address))
		fd = cpw_socket_listen(address, cpw_setting_backlog);
	saved_errno = errno;
	if (fd >= 0)
		note_listening(slot, text);
	LWLockRelease(shared->lock);
	if (fd >= 0)
		return fd;
	ReleaseExternalFD();
	errno = saved_errno;
	ereport(LOG,
			(errcode_for_socket_access(),
			 errmsg("could not listen on %s: %m", text),
			 saved_errno == EADDRINUSE
			 ? errhint("Another program or another PostgreSQL server uses the port: change %s and reload, or end it.",
					   owner->port_name)
			 : 0));
	cpw_counters_note_error(slot, psprintf("could not listen on %s: %s", text,
										   strerror(saved_errno)));
	return -1;
}

/*
 * Closes the sockets that are not wanted any more; sockets[i] is left as the
 * one of the i-th address wanted, or -1. It comes before opening: an address
 * that is part of a new one ("*") would be in its way. All under the lock:
 * another receiver takes a socket that is open and not in the slot for a
 * stranger's.
 */
static void
keep_wanted(const CpwEndpoints *old, const Wanted *wanted, int *sockets,
			CpwShared *shared, CpwWorkerSlot *slot)
{
	bool		keeps[CPW_MAX_LISTEN_SOCKETS] = {false};

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->listening[0] = '\0';
	for (int i = 0; i < wanted->count; i++)
	{
		int			open = find_open(old, &wanted->addresses[i]);
		char		text[CPW_SOCKET_TEXT_SIZE];

		sockets[i] = -1;
		if (open < 0)
			continue;
		sockets[i] = old->sockets[open];
		keeps[open] = true;
		cpw_socket_describe(&wanted->addresses[i], text);
		note_listening(slot, text);
	}
	for (int i = 0; i < old->count; i++)
	{
		if (keeps[i])
			continue;
		close(old->sockets[i]);
		ReleaseExternalFD();
	}
	LWLockRelease(shared->lock);
}

bool
cpw_endpoints_open(CpwEndpoints *endpoints, const CpwEndpointsOwner *owner,
				   CpwShared *shared, CpwWorkerSlot *slot)
{
	int			sockets[CPW_MAX_LISTEN_SOCKETS];
	CpwSocketAddress kept[CPW_MAX_LISTEN_SOCKETS];
	Wanted		wanted;
	bool		complete = take_known(endpoints->resolver, &wanted, owner, slot);

	if (!cpw_endpoints_are_looked_up(endpoints))
		cpw_endpoints_forget(endpoints);

	keep_wanted(endpoints, &wanted, sockets, shared, slot);
	endpoints->count = 0;
	for (int i = 0; i < wanted.count; i++)
	{
		if (sockets[i] < 0)
			sockets[i] = open_one(&wanted.addresses[i], owner, shared, slot);
		else
			(void) cpw_socket_set_backlog(sockets[i], cpw_setting_backlog);
		if (sockets[i] < 0)
		{
			complete = false;
			continue;
		}
		kept[endpoints->count] = wanted.addresses[i];
		endpoints->sockets[endpoints->count++] = sockets[i];
	}
	memcpy(open_addresses, kept, sizeof(kept[0]) * endpoints->count);
	return complete;
}
