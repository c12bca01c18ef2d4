/*
 * endpoints.h
 *		The sockets on which a worker listens.
 */
#ifndef CPW_ENDPOINTS_H
#define CPW_ENDPOINTS_H

#include "postgres.h"

#include "net/socket.h"
#include "pg/counters.h"

typedef struct CpwEndpoints
{
	int			sockets[CPW_MAX_LISTEN_SOCKETS];
	int			count;
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
 * Opens sockets for the owner's addresses and port, in place of those that are
 * open: addresses that stay the same are not closed in between. Returns whether
 * all could be opened; what could not is in the log and in the slot. Never
 * raises an error. One owner a process.
 */
extern bool cpw_endpoints_open(CpwEndpoints *endpoints,
							   const CpwEndpointsOwner *owner,
							   CpwShared *shared, CpwWorkerSlot *slot);

#endif							/* CPW_ENDPOINTS_H */
