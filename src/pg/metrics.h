/*
 * metrics.h
 *		What the workers have counted, as Prometheus reads it.
 */
#ifndef CPW_METRICS_H
#define CPW_METRICS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "pg/counters.h"

#define CPW_METRICS_TYPE	"text/plain; version=0.0.4; charset=utf-8"

/*
 * Appends all metrics in the text format, version 0.0.4: seconds and bytes,
 * counters that end in _total, a worker's own with the label worker (a
 * receiver's number, "maintenance" or "api").
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
extern void cpw_metrics_append(StringInfo text, CpwShared *shared);

#endif							/* CPW_METRICS_H */
