/*
 * console.h
 *		The console on the api worker's port: /console/ and what is below it.
 *
 * The page is static and for everybody; data is for sessions. A session begins
 * with the link of console_url() and is the role that asked for it: each
 * request is a transaction as that role.
 */
#ifndef CPW_WORKER_CONSOLE_H
#define CPW_WORKER_CONSOLE_H

#include "postgres.h"

#include "net/listener.h"
#include "pg/counters.h"

/* Once a process. */
extern void cpw_console_init(CpwListener *listener, CpwShared *shared,
							 CpwWorkerSlot *slot);

/*
 * Takes a request that has arrived where it is the console's, and that is on:
 * answers it, or has its body read. False: it is another's.
 */
extern bool cpw_console_route(CpwRequest *request);

/* Answers a request that is complete; false: it is not the console's. */
extern bool cpw_console_perform(CpwRequest *request);

#endif							/* CPW_WORKER_CONSOLE_H */
