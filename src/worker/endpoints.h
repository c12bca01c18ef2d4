/*
 * endpoints.h
 *		The sockets on which a worker listens.
 */
#ifndef CPW_ENDPOINTS_H
#define CPW_ENDPOINTS_H

#include "postgres.h"

#include "net/resolver.h"
#include "net/socket.h"
#include "pg/counters.h"

typedef struct CpwEndpoints
{
	int			sockets[CPW_MAX_LISTEN_SOCKETS];
	int			count;
	CpwResolver *resolver;		/* looks up what to open next; or NULL */
} CpwEndpoints;

/* Whose they are: where its settings say to listen, and who else does. */
typedef struct CpwEndpointsOwner
{
	const char *addresses_name; /* the settings' names */
	const char *port_name;
	char	  **addresses;
	int		   *port;			/* 0: nowhere */

	/* The slots of the workers that share the sockets' port. */
	int			first_slot;
	int			slots;
} CpwEndpointsOwner;

/*
 * Begins to look up the names of the owner's addresses, in place of what is
 * looked up already. False when that cannot be begun: it is in the log.
 */
extern bool cpw_endpoints_look_up(CpwEndpoints *endpoints,
								  const CpwEndpointsOwner *owner);

/* Readable when all names are known; -1: nothing is looked up. */
extern int	cpw_endpoints_descriptor(const CpwEndpoints *endpoints);

/* Whether names are looked up, and not all are known yet. */
extern bool cpw_endpoints_are_looked_up(const CpwEndpoints *endpoints);

/* Does without the answers. */
extern void cpw_endpoints_forget(CpwEndpoints *endpoints);

/*
 * Opens sockets for the addresses that are known of those looked up, in place
 * of those that are open: addresses that stay the same are not closed in
 * between. Returns whether all could be opened; what could not is in the log
 * and in the slot. Never raises an error. One owner a process.
 */
extern bool cpw_endpoints_open(CpwEndpoints *endpoints,
							   const CpwEndpointsOwner *owner,
							   CpwShared *shared, CpwWorkerSlot *slot);

#endif							/* CPW_ENDPOINTS_H */
