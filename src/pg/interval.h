/*
 * interval.h
 *		Intervals that callers write as PostgreSQL does.
 */
#ifndef CPW_INTERVAL_H
#define CPW_INTERVAL_H

#include "postgres.h"

#include "datatype/timestamp.h"

/*
 * The instant that is an interval, such as '7 days' or '90 minutes', after now,
 * or before it. False where the text is no interval, or leads nowhere.
 */
extern bool cpw_interval_after_now(const char *text, TimestampTz *instant);
extern bool cpw_interval_before_now(const char *text, TimestampTz *instant);

#endif							/* CPW_INTERVAL_H */
