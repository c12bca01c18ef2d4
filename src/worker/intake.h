/*
 * intake.h
 *		Requests -> verdicts: routes what has arrived, records what is complete
 *		in batches, answers. Knows neither sockets nor signals.
 */
#ifndef CPW_INTAKE_H
#define CPW_INTAKE_H

#include "postgres.h"

#include "net/listener.h"
#include "pg/counters.h"

/* The listener to answer through, and the slot to count in. Once a process. */
extern void cpw_intake_init(CpwListener *listener, CpwWorkerSlot *slot);

/*
 * Takes what the listener has and decides it. Returns whether there was
 * anything: then the listener has something to do again. Never raises an
 * error (but FATAL). The current memory context is left as it is.
 */
extern bool cpw_intake_run(void);

#endif							/* CPW_INTAKE_H */
