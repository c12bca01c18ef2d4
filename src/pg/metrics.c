/*
 * metrics.c
 *		What the workers have counted, as Prometheus reads it.
 */
#include "postgres.h"

#include <math.h>

#include "base/verdict.h"
#include "compat.h"
#include "pg/metrics.h"
#include "pg/wire.h"
#include "utils/timestamp.h"

#define UNIX_EPOCH_OFFSET \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* What is under the lock, copied. */
typedef struct Worker
{
	char		name[16];
	CpwWorkerSlot *slot;
	int			pid;
	TimestampTz started_at;
	char		listening[sizeof(((CpwWorkerSlot *) 0)->listening)];
	TimestampTz last_error_at;
} Worker;

typedef struct Workers
{
	Worker	   *all;
	int			count;
	int			receivers;		/* the first ones */
} Workers;

/* A metric that is one counter of each slot. */
typedef struct SlotMetric
{
	const char *name;
	const char *type;
	const char *help;
	size_t		offset;
	bool		is_microseconds;
	bool		is_of_api;		/* the api worker has it as well */
} SlotMetric;

#define OFFSET(counter)	offsetof(CpwWorkerSlot, counter)

static const SlotMetric slot_metrics[] = {
	{"cp_webhook_request_body_bytes_total", "counter",
		"Bytes of the bodies of requests that were decided.",
	OFFSET(body_bytes), false, false},
	{"cp_webhook_batches_total", "counter",
		"Batches of deliveries that were recorded, a transaction each.",
	OFFSET(batches), false, false},
	{"cp_webhook_batched_deliveries_total", "counter",
		"Deliveries in these batches.",
	OFFSET(batched), false, false},
	{"cp_webhook_batch_seconds_total", "counter",
		"Time spent on batches, their commits included.",
	OFFSET(batch_microseconds), true, false},
	{"cp_webhook_largest_batch_deliveries", "gauge",
		"Deliveries in the largest batch so far.",
	OFFSET(largest_batch), false, false},
	{"cp_webhook_refused_connections_total", "counter",
		"Connections that were closed because their address had too many.",
	OFFSET(refused_connections), false, true},
	{"cp_webhook_connections", "gauge", "Connections that are open.",
	OFFSET(connections), false, true},
	{"cp_webhook_buffered_bytes", "gauge", "Memory that bodies take.",
	OFFSET(buffered_bytes), false, true},
};

/* Metrics of the maintenance worker, a counter each. */
static const struct
{
	const char *name;
	const char *help;
	size_t		offset;
}			maintenance_metrics[] = {
	{"cp_webhook_partitions_made_total", "Partitions of deliveries that were made.",
	offsetof(CpwMaintenance, partitions_made)},
	{"cp_webhook_partitions_dropped_total", "Partitions of deliveries that were dropped.",
	offsetof(CpwMaintenance, partitions_dropped)},
	{"cp_webhook_delivery_keys_removed_total", "Delivery keys that were forgotten.",
	offsetof(CpwMaintenance, keys_removed)},
	{"cp_webhook_executions_removed_total", "Old executions that were removed.",
	offsetof(CpwMaintenance, executions_removed)},
};

static const char *const outcomes[CPW_CALL_OUTCOMES] = {
	[CPW_CALL_SUCCEEDED] = "succeeded",
	[CPW_CALL_REFUSED] = "refused",
	[CPW_CALL_FAILED] = "failed",
};

static void
begin(StringInfo text, const char *name, const char *type, const char *help)
{
	appendStringInfo(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
					 type);
}

static uint64
read_counter(const void *base, size_t offset)
{
	/* Reading takes no lock, but the type is not const. */
	return pg_atomic_read_u64((pg_atomic_uint64 *)
							  ((char *) unconstify(void *, base) + offset));
}

static void
append_seconds(StringInfo text, uint64 microseconds)
{
	appendStringInfo(text, UINT64_FORMAT ".%06u\n",
					 microseconds / USECS_PER_SEC,
					 (unsigned int) (microseconds % USECS_PER_SEC));
}

static void
append_instant(StringInfo text, TimestampTz instant)
{
	append_seconds(text, (uint64) (instant + UNIX_EPOCH_OFFSET));
}

static Workers
copy_workers(CpwShared *shared)
{
	Workers		workers = {
		.count = CPW_API_SLOT(shared) + 1,
		.receivers = shared->workers
	};

	workers.all = palloc0(sizeof(Worker) * workers.count);
	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < workers.count; i++)
	{
		Worker	   *worker = &workers.all[i];
		CpwWorkerSlot *slot = &shared->slots[i];

		if (i < workers.receivers)
			snprintf(worker->name, sizeof(worker->name), "%d", i);
		else
			strlcpy(worker->name, i == CPW_API_SLOT(shared)
					? "api" : "maintenance", sizeof(worker->name));
		worker->slot = slot;
		worker->pid = slot->pid;
		worker->started_at = slot->started_at;
		strlcpy(worker->listening, slot->listening, sizeof(worker->listening));
		worker->last_error_at = slot->last_error_at;
	}
	LWLockRelease(shared->lock);
	return workers;
}

/* Who they are, since when, and where they listen. */
static void
append_workers(StringInfo text, const Workers *workers)
{
	begin(text, "cp_webhook_worker_up", "gauge",
		  "Whether the worker runs.");
	for (int i = 0; i < workers->count; i++)
		appendStringInfo(text, "cp_webhook_worker_up{worker=\"%s\"} %d\n",
						 workers->all[i].name, workers->all[i].pid != 0);

	begin(text, "cp_webhook_worker_start_time_seconds", "gauge",
		  "When the worker started, in Unix time.");
	for (int i = 0; i < workers->count; i++)
	{
		if (workers->all[i].pid == 0)
			continue;
		appendStringInfo(text, "cp_webhook_worker_start_time_seconds{worker=\"%s\"} ",
						 workers->all[i].name);
		append_instant(text, workers->all[i].started_at);
	}

	/* Addresses are numbers, colons and commas. */
	begin(text, "cp_webhook_listening_info", "gauge",
		  "The addresses on which the worker listens.");
	for (int i = 0; i < workers->count; i++)
		if (workers->all[i].listening[0] != '\0')
			appendStringInfo(text, "cp_webhook_listening_info{worker=\"%s\",addresses=\"%s\"} 1\n",
							 workers->all[i].name, workers->all[i].listening);

	begin(text, "cp_webhook_last_error_timestamp_seconds", "gauge",
		  "When the worker last met an error, in Unix time.");
	for (int i = 0; i < workers->count; i++)
	{
		if (workers->all[i].last_error_at == 0)
			continue;
		appendStringInfo(text, "cp_webhook_last_error_timestamp_seconds{worker=\"%s\"} ",
						 workers->all[i].name);
		append_instant(text, workers->all[i].last_error_at);
	}
}

/* The verdicts by the names that answers have. */
static const char *
verdict_name(CpwVerdict verdict)
{
	const CpwVerdictMeaning *meaning = cpw_verdict_meaning(verdict);

	if (verdict == CPW_VERDICT_PENDING)
		return "undecided";
	return meaning->error != NULL ? meaning->error : meaning->message;
}

static void
append_receivers(StringInfo text, const Workers *workers)
{
	begin(text, "cp_webhook_requests_total", "counter",
		  "Requests to the receivers by what became of them.");
	for (int i = 0; i < workers->receivers; i++)
		for (int verdict = 0; verdict < CPW_VERDICT_COUNT; verdict++)
			appendStringInfo(text, "cp_webhook_requests_total{worker=\"%s\",verdict=\"%s\"} "
							 UINT64_FORMAT "\n", workers->all[i].name,
							 verdict_name((CpwVerdict) verdict),
							 pg_atomic_read_u64(&workers->all[i].slot->verdicts[verdict]));

	for (size_t m = 0; m < lengthof(slot_metrics); m++)
	{
		const SlotMetric *metric = &slot_metrics[m];

		begin(text, metric->name, metric->type, metric->help);
		for (int i = 0; i < workers->count; i++)
		{
			uint64		value = read_counter(workers->all[i].slot,
											 metric->offset);

			if (i >= workers->receivers &&
				!(metric->is_of_api && i == workers->count - 1))
				continue;
			appendStringInfo(text, "%s{worker=\"%s\"} ", metric->name,
							 workers->all[i].name);
			if (metric->is_microseconds)
				append_seconds(text, value);
			else
				appendStringInfo(text, UINT64_FORMAT "\n", value);
		}
	}
}

/* Histograms, each with the counter that is its sum. */
static const struct
{
	const char *name;
	const char *help;
	size_t		offset;
	size_t		sum;
	double		first_bound;
	bool		is_microseconds;
}			histogram_metrics[] = {
	{"cp_webhook_batch_size_deliveries", "Deliveries that share a transaction.",
	OFFSET(batch_sizes), OFFSET(batched), 1, false},
	{"cp_webhook_batch_duration_seconds", "Time that a batch takes, its commit included.",
	OFFSET(batch_times), OFFSET(batch_microseconds), 0.000125, true},
	{"cp_webhook_commit_duration_seconds", "Time that the commit of a batch takes.",
	OFFSET(commit_times), OFFSET(commit_microseconds), 0.000125, true},
};

static void
append_histogram(StringInfo text, const Worker *worker, int metric)
{
	const char *name = histogram_metrics[metric].name;
	CpwHistogram *histogram = (CpwHistogram *)
		((char *) worker->slot + histogram_metrics[metric].offset);
	double		bound = histogram_metrics[metric].first_bound;
	uint64		count = 0;
	uint64		sum;

	for (int i = 0; i < CPW_HISTOGRAM_LENGTH - 1; i++, bound *= 2)
	{
		count += pg_atomic_read_u64(&histogram->counts[i]);
		appendStringInfo(text, "%s_bucket{worker=\"%s\",le=\"%.10g\"} "
						 UINT64_FORMAT "\n", name, worker->name, bound, count);
	}
	count += pg_atomic_read_u64(&histogram->counts[CPW_HISTOGRAM_LENGTH - 1]);
	appendStringInfo(text, "%s_bucket{worker=\"%s\",le=\"+Inf\"} "
					 UINT64_FORMAT "\n", name, worker->name, count);
	sum = read_counter(worker->slot, histogram_metrics[metric].sum);
	appendStringInfo(text, "%s_sum{worker=\"%s\"} ", name, worker->name);
	if (histogram_metrics[metric].is_microseconds)
		append_seconds(text, sum);
	else
		appendStringInfo(text, UINT64_FORMAT "\n", sum);
	appendStringInfo(text, "%s_count{worker=\"%s\"} " UINT64_FORMAT "\n",
					 name, worker->name, count);
}

static void
append_histograms(StringInfo text, const Workers *workers)
{
	for (int m = 0; m < (int) lengthof(histogram_metrics); m++)
	{
		begin(text, histogram_metrics[m].name, "histogram",
			  histogram_metrics[m].help);
		for (int i = 0; i < workers->receivers; i++)
			append_histogram(text, &workers->all[i], m);
	}
}

/* Seconds by convention, and the whole days that stats() shows. */
static void
append_certificates(StringInfo text, const Workers *workers)
{
	for (int days = 0; days < 2; days++)
	{
		const char *name = days ? "cp_webhook_certificate_remaining_days"
			: "cp_webhook_certificate_expiry_timestamp_seconds";

		begin(text, name, "gauge", days
			  ? "Whole days until the certificate expires; negative: it has."
			  : "When the certificate that is served expires, in Unix time.");
		for (int i = 0; i < workers->count; i++)
		{
			uint64		seconds = pg_atomic_read_u64(&workers->all[i].slot->certificate_expires_at);
			double		left = (double) (time_t_to_timestamptz((pg_time_t) seconds) -
										 GetCurrentTimestamp()) / USECS_PER_DAY;

			if (seconds == 0 || workers->all[i].pid == 0)
				continue;
			appendStringInfo(text, "%s{worker=\"%s\"} %.0f\n", name,
							 workers->all[i].name,
							 days ? floor(left) : (double) seconds);
		}
	}
}

static void
append_maintenance(StringInfo text, CpwShared *shared)
{
	bool		held_back;

	for (size_t m = 0; m < lengthof(maintenance_metrics); m++)
	{
		begin(text, maintenance_metrics[m].name, "counter",
			  maintenance_metrics[m].help);
		appendStringInfo(text, "%s " UINT64_FORMAT "\n",
						 maintenance_metrics[m].name,
						 read_counter(&shared->maintenance,
									  maintenance_metrics[m].offset));
	}
	LWLockAcquire(shared->lock, LW_SHARED);
	held_back = shared->maintenance.held_back[0] != '\0';
	LWLockRelease(shared->lock);
	begin(text, "cp_webhook_retention_held_back", "gauge",
		  "Whether something that is old enough to go is still needed.");
	appendStringInfo(text, "cp_webhook_retention_held_back %d\n", held_back);
}

static const char *
operation_name(int operation)
{
	return operation == 0 ? "unknown" : cpw_wire_operations[operation].name;
}

static void
append_calls(StringInfo text, CpwApiCounters *api)
{
	begin(text, "cp_webhook_api_calls_total", "counter",
		  "Calls on the AWS wire by operation and outcome.");
	for (int i = 0; i < cpw_wire_operation_count; i++)
		for (int outcome = 0; outcome < CPW_CALL_OUTCOMES; outcome++)
			appendStringInfo(text, "cp_webhook_api_calls_total{operation=\"%s\",outcome=\"%s\"} "
							 UINT64_FORMAT "\n", operation_name(i),
							 outcomes[outcome],
							 pg_atomic_read_u64(&api->calls[i][outcome]));
	begin(text, "cp_webhook_api_call_seconds_total", "counter",
		  "Time spent on these calls in the database.");
	for (int i = 0; i < cpw_wire_operation_count; i++)
	{
		appendStringInfo(text, "cp_webhook_api_call_seconds_total{operation=\"%s\"} ",
						 operation_name(i));
		append_seconds(text, pg_atomic_read_u64(&api->microseconds[i]));
	}
}

void
cpw_metrics_append(StringInfo text, CpwShared *shared)
{
	Workers		workers = copy_workers(shared);

	begin(text, "cp_webhook_build_info", "gauge", "The version that runs.");
	appendStringInfo(text, "cp_webhook_build_info{version=\"%s\"} 1\n",
					 CPW_VERSION);
	append_workers(text, &workers);
	append_receivers(text, &workers);
	append_histograms(text, &workers);
	append_certificates(text, &workers);
	append_maintenance(text, shared);
	append_calls(text, &shared->api);
}
