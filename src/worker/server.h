/*
 * server.h
 *		A worker that listens: its listener, its sockets, its wait. What it does
 *		with requests is its own.
 */
#ifndef CPW_SERVER_H
#define CPW_SERVER_H

#include "postgres.h"

#include "net/listener.h"
#include "pg/counters.h"
#include "worker/endpoints.h"

typedef struct CpwServer
{
	CpwEndpointsOwner owner;
	int			max_body_size;	/* the worker's own limit; 0: the setting's */
	CpwShared  *shared;
	CpwWorkerSlot *slot;
	uint32		wait_event;

	/* The server's own. */
	CpwListener *listener;
	CpwEndpoints endpoints;
	WaitEventSet *wait_set;
	bool		wait_set_accepts;	/* the listening sockets are in it */

	/* When (monotonic) to listen again where it failed; 0: nothing failed. */
	int64		listen_again_at;
	int			listen_pause;

	/* Whether the listener speaks TLS: what a broken certificate cannot change. */
	bool		speaks_tls;
} CpwServer;

/* Makes the listener; FATAL when it cannot be made. Once a process. */
extern void cpw_server_begin(CpwServer *server);

/* Opens the sockets for the first time. */
extern void cpw_server_listen(CpwServer *server);

/* Waits for timeout ms at most, or for what comes, and accepts connections. */
extern void cpw_server_wait(CpwServer *server, long timeout);

/* Reads the configuration again, and listens where it says. */
extern void cpw_server_reload(CpwServer *server);

/* Listens again where that is due, then reads and writes what can be. */
extern void cpw_server_run(CpwServer *server);

/* Puts connections and memory into the slot. */
extern void cpw_server_tell_state(CpwServer *server);

#endif							/* CPW_SERVER_H */
