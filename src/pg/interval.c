/*
 * interval.c
 *		Intervals that callers write as PostgreSQL does.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "pg/guard.h"
#include "pg/interval.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

typedef struct Reading
{
	const char *text;
	PGFunction	move;
	TimestampTz instant;
} Reading;

static void
read_interval(void *arg)
{
	Reading    *reading = arg;
	Datum		interval = DirectFunctionCall3(interval_in,
											   CStringGetDatum(reading->text),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1));

	reading->instant =
		DatumGetTimestampTz(DirectFunctionCall2(reading->move,
												TimestampTzGetDatum(GetCurrentTimestamp()),
												interval));
}

static bool
move_now(const char *text, PGFunction move, TimestampTz *instant)
{
	Reading		reading = {text, move, 0};

	if (cpw_guard_run_cancelable(read_interval, &reading) != NULL)
		return false;
	*instant = reading.instant;
	return true;
}

bool
cpw_interval_after_now(const char *text, TimestampTz *instant)
{
	return move_now(text, timestamptz_pl_interval, instant);
}

bool
cpw_interval_before_now(const char *text, TimestampTz *instant)
{
	return move_now(text, timestamptz_mi_interval, instant);
}
