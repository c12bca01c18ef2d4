/*
 * endpoints.h
 *		The sockets on which a receiver listens.
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

/*
 * Opens sockets for cp_webhook.listen_addresses and port, in place of those
 * that are open: addresses that stay the same are not closed in between.
 * Returns whether all could be opened; what could not is in the log and in the
 * slot. Never raises an error.
 */
extern bool cpw_endpoints_open(CpwEndpoints *endpoints, CpwShared *shared,
							   CpwWorkerSlot *slot);

#endif							/* CPW_ENDPOINTS_H */
