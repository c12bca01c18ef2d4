/*
 * stats_api.c
 *		stats(), maintenance_stats() and api_stats(): what the workers have counted.
 */
#include "postgres.h"

#include <math.h>

#include "base/verdict.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "pg/counters.h"
#include "pg/json.h"
#include "store/version.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(cp_webhook_stats);
PG_FUNCTION_INFO_V1(cp_webhook_maintenance_stats);
PG_FUNCTION_INFO_V1(cp_webhook_api_stats);

#define STATS_COLUMNS	28
#define MAINTENANCE_COLUMNS	9
#define API_COLUMNS	10

/* Verdicts that one column sums up, in the order of the columns. */
static const struct
{
	CpwVerdict	first;
	CpwVerdict	last;
}			verdict_columns[] = {
	{CPW_VERDICT_PENDING, CPW_VERDICT_UNAVAILABLE}, /* requests */
	{CPW_VERDICT_TRIGGERED, CPW_VERDICT_TRIGGERED},
	{CPW_VERDICT_IGNORED, CPW_VERDICT_IGNORED},
	{CPW_VERDICT_DUPLICATE, CPW_VERDICT_DUPLICATE},
	{CPW_VERDICT_PONG, CPW_VERDICT_PONG},
	{CPW_VERDICT_BAD_REQUEST, CPW_VERDICT_HEADERS_TOO_LARGE},	/* refused */
	{CPW_VERDICT_UNAVAILABLE, CPW_VERDICT_UNAVAILABLE},
};

static uint64
sum_verdicts(CpwWorkerSlot *slot, CpwVerdict first, CpwVerdict last)
{
	uint64		sum = 0;

	for (int verdict = first; verdict <= (int) last; verdict++)
		sum += pg_atomic_read_u64(&slot->verdicts[verdict]);
	return sum;
}

static Datum
counter(pg_atomic_uint64 *value)
{
	return Int64GetDatum((int64) pg_atomic_read_u64(value));
}

/*
 * Each of these fills columns that belong together, and returns how many. What
 * they read is written under the lock.
 */

/* pid, started_at: NULL without a process. */
static int
fill_process(CpwWorkerSlot *slot, Datum *values, bool *nulls)
{
	nulls[0] = nulls[1] = slot->pid == 0;
	values[0] = Int32GetDatum(slot->pid);
	values[1] = TimestampTzGetDatum(slot->started_at);
	return 2;
}

/* NULL for an empty text. */
static int
fill_text(const char *text, Datum *values, bool *nulls)
{
	nulls[0] = text[0] == '\0';
	values[0] = CStringGetTextDatum(text);
	return 1;
}

/* last_error, last_error_at */
static int
fill_error(CpwWorkerSlot *slot, Datum *values, bool *nulls)
{
	nulls[1] = slot->last_error[0] == '\0';
	values[1] = TimestampTzGetDatum(slot->last_error_at);
	return 1 + fill_text(slot->last_error, values, nulls);
}

/* When the certificate expires, and the whole days until then: -1 after it. */
static int
fill_certificate(CpwWorkerSlot *slot, Datum *values, bool *nulls)
{
	uint64		seconds = pg_atomic_read_u64(&slot->certificate_expires_at);
	TimestampTz expires_at = time_t_to_timestamptz((pg_time_t) seconds);
	double		days = (double) (expires_at - GetCurrentTimestamp()) / USECS_PER_DAY;

	nulls[0] = nulls[1] = seconds == 0 || slot->pid == 0;
	values[0] = TimestampTzGetDatum(expires_at);
	values[1] = Int32GetDatum((int32) floor(days));
	return 2;
}

/*
 * What was answered, by the name that the answer has: {"triggered": 12,
 * "not_found": 3}. Only what occurred.
 */
static Datum
answers(CpwWorkerSlot *slot)
{
	CpwJsonWriter writer = {0};

	cpw_json_open_object(&writer, NULL);
	for (int verdict = 0; verdict < CPW_VERDICT_COUNT; verdict++)
	{
		const CpwVerdictMeaning *meaning = cpw_verdict_meaning(verdict);
		uint64		count = pg_atomic_read_u64(&slot->verdicts[verdict]);
		JsonbValue	number;

		if (count == 0 || verdict == CPW_VERDICT_PENDING)
			continue;
		number.type = jbvNumeric;
		number.val.numeric = int64_to_numeric((int64) count);
		cpw_json_add_value(&writer, meaning->error ? meaning->error
						   : meaning->message, &number);
	}
	cpw_json_close_object(&writer);
	return JsonbPGetDatum(cpw_json_finish(&writer));
}

static Datum
histogram(CpwHistogram *histogram)
{
	Datum		counts[CPW_HISTOGRAM_LENGTH];

	for (int i = 0; i < CPW_HISTOGRAM_LENGTH; i++)
		counts[i] = counter(&histogram->counts[i]);
	return PointerGetDatum(construct_array(counts, CPW_HISTOGRAM_LENGTH,
										   INT8OID, 8, true, TYPALIGN_DOUBLE));
}

/* Under the lock: text and pid belong together. */
static void
fill_row(CpwWorkerSlot *slot, int number, Datum *values, bool *nulls)
{
	int			c = 0;

	memset(nulls, 0, sizeof(bool) * STATS_COLUMNS);
	values[c++] = Int32GetDatum(number);
	c += fill_process(slot, &values[c], &nulls[c]);
	c += fill_text(slot->listening, &values[c], &nulls[c]);
	for (size_t i = 0; i < lengthof(verdict_columns); i++)
		values[c++] = Int64GetDatum((int64) sum_verdicts(slot,
														 verdict_columns[i].first,
														 verdict_columns[i].last));
	values[c++] = counter(&slot->body_bytes);
	values[c++] = counter(&slot->batches);
	values[c++] = counter(&slot->batched);
	values[c++] = counter(&slot->largest_batch);
	values[c++] = Float8GetDatum((double) pg_atomic_read_u64(&slot->batch_microseconds) / 1000.0);
	values[c++] = counter(&slot->connections);
	values[c++] = counter(&slot->buffered_bytes);
	c += fill_error(slot, &values[c], &nulls[c]);
	values[c++] = counter(&slot->refused_connections);
	c += fill_certificate(slot, &values[c], &nulls[c]);
	values[c++] = answers(slot);
	values[c++] = Float8GetDatum((double) pg_atomic_read_u64(&slot->commit_microseconds) / 1000.0);
	values[c++] = histogram(&slot->batch_sizes);
	values[c++] = histogram(&slot->batch_times);
	values[c++] = histogram(&slot->commit_times);
	Assert(c == STATS_COLUMNS);
}

/*
 * stats(): no rows in a server that does not preload the library.
 */
Datum
cp_webhook_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CpwShared  *shared = cpw_counters_shared();

	cpw_version_require();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; shared != NULL && i < shared->workers; i++)
	{
		Datum		values[STATS_COLUMNS];
		bool		nulls[STATS_COLUMNS];

		LWLockAcquire(shared->lock, LW_SHARED);
		fill_row(&shared->slots[i], i, values, nulls);
		LWLockRelease(shared->lock);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * maintenance_stats(): one row, none in a server that does not preload the
 * library.
 */
Datum
cp_webhook_maintenance_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CpwShared  *shared = cpw_counters_shared();
	Datum		values[MAINTENANCE_COLUMNS];
	bool		nulls[MAINTENANCE_COLUMNS] = {false};
	CpwWorkerSlot *slot;
	int			c = 0;

	cpw_version_require();
	InitMaterializedSRF(fcinfo, 0);
	if (shared == NULL)
		return (Datum) 0;
	slot = &shared->slots[CPW_MAINTENANCE_SLOT(shared)];
	LWLockAcquire(shared->lock, LW_SHARED);
	c += fill_process(slot, &values[c], &nulls[c]);
	values[c++] = counter(&shared->maintenance.partitions_made);
	values[c++] = counter(&shared->maintenance.partitions_dropped);
	values[c++] = counter(&shared->maintenance.keys_removed);
	values[c++] = counter(&shared->maintenance.executions_removed);
	c += fill_text(shared->maintenance.held_back, &values[c], &nulls[c]);
	c += fill_error(slot, &values[c], &nulls[c]);
	LWLockRelease(shared->lock);
	Assert(c == MAINTENANCE_COLUMNS);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/*
 * api_stats(): one row, none in a server that does not preload the library.
 */
Datum
cp_webhook_api_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CpwShared  *shared = cpw_counters_shared();
	Datum		values[API_COLUMNS];
	bool		nulls[API_COLUMNS] = {false};
	uint64		calls[CPW_CALL_OUTCOMES] = {0};
	uint64		microseconds = 0;
	CpwWorkerSlot *slot;
	int			c = 0;

	cpw_version_require();
	InitMaterializedSRF(fcinfo, 0);
	if (shared == NULL)
		return (Datum) 0;
	for (int i = 0; i < CPW_MAX_OPERATIONS; i++)
	{
		for (int outcome = 0; outcome < CPW_CALL_OUTCOMES; outcome++)
			calls[outcome] += pg_atomic_read_u64(&shared->api.calls[i][outcome]);
		microseconds += pg_atomic_read_u64(&shared->api.microseconds[i]);
	}
	slot = &shared->slots[CPW_API_SLOT(shared)];
	LWLockAcquire(shared->lock, LW_SHARED);
	c += fill_process(slot, &values[c], &nulls[c]);
	c += fill_text(slot->listening, &values[c], &nulls[c]);
	for (int outcome = 0; outcome < CPW_CALL_OUTCOMES; outcome++)
		values[c++] = Int64GetDatum((int64) calls[outcome]);
	values[c++] = Float8GetDatum((double) microseconds / 1000.0);
	values[c++] = counter(&slot->connections);
	c += fill_error(slot, &values[c], &nulls[c]);
	LWLockRelease(shared->lock);
	Assert(c == API_COLUMNS);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}
