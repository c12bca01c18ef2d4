/*
 * api_intake.h
 *		Requests on the api worker's port -> answers: calls on the AWS wire,
 *		metrics, health. Knows neither sockets nor signals.
 */
#ifndef CPW_API_INTAKE_H
#define CPW_API_INTAKE_H

#include "postgres.h"

#include "net/listener.h"
#include "pg/counters.h"

/* The listener to answer through, and where to count. Once a process. */
extern void cpw_api_intake_init(CpwListener *listener, CpwShared *shared,
								CpwWorkerSlot *slot);

/*
 * Reads the file of the metrics' token again. One that cannot be read is told
 * in the log, and the metrics are closed until it can.
 */
extern void cpw_api_intake_load_token(void);

/*
 * Takes what the listener has and decides it. Returns whether there was
 * anything: then the listener has something to do again. Never raises an error
 * (but FATAL). The current memory context is left as it is.
 */
extern bool cpw_api_intake_run(void);

#endif							/* CPW_API_INTAKE_H */
