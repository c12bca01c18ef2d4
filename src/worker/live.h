/*
 * live.h
 *		The streams on which open pages of the console hear that deliveries have
 *		come. A page then asks for what it shows, so that none is told anything
 *		but when to ask.
 *
 * However many deliveries come and pages watch, the database is looked at once
 * for all of them, a few times a second at most.
 */
#ifndef CPW_LIVE_H
#define CPW_LIVE_H

#include "postgres.h"

#include "net/listener.h"
#include "pg/counters.h"

/* Pages that watch at once. */
#define CPW_MAX_STREAMS		32

/* A session's hash in hex. */
#define CPW_HASH_TEXT_SIZE	65

/* Once a process. */
extern void cpw_live_init(CpwListener *listener, CpwShared *shared,
						  CpwWorkerSlot *slot);

/*
 * Opens a stream of a session on a request that has arrived, and tells it
 * first: the JSON text of a first event. False: there are too many.
 */
extern bool cpw_live_open(CpwRequest *request, const char *session_hash,
						  const char *first);

/* Looks where that is due; whether anything was sent. Never raises an error. */
extern bool cpw_live_run(void);

/* Milliseconds until cpw_live_run() has something to do, or -1. */
extern long cpw_live_timeout(void);

#endif							/* CPW_LIVE_H */
