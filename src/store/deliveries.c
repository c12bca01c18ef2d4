/*
 * deliveries.c
 *		What a batch of deliveries leaves behind.
 *
 * Each statement takes a whole batch.
 */
#include "postgres.h"

#include "base/verdict.h"
#include "compat.h"
#include "miscadmin.h"
#include "pg/era.h"
#include "pg/uuid7.h"
#include "store/deliveries.h"
#include "store/rows.h"
#include "store/statement.h"

/* ---- keys ---- */

/*
 * A sub-select a row, not a join: a look-up in the index whatever the planner
 * knew of the table when the plan was made.
 */
static CpwRowsStatement find_keys = {
	.many = {
		.sql = "SELECT t.position, t.execution FROM"
		" (SELECT i.position, (SELECT k.execution FROM cp_webhook.delivery_keys k"
		"                       WHERE k.webhook_id = i.webhook_id AND k.key = i.key)"
		"  FROM (SELECT pg_catalog.unnest($1) AS webhook_id,"
		"               pg_catalog.unnest($2) AS key,"
		"               pg_catalog.unnest($3) AS position) i) t (position, execution)"
		" WHERE t.execution IS NOT NULL",
		.expected = SPI_OK_SELECT,
		.parameters = 3,
	},
	.one = {
		.sql = "SELECT $3, k.execution FROM cp_webhook.delivery_keys k"
		" WHERE k.webhook_id = $1 AND k.key = $2",
	},
};

static CpwRowsStatement store_keys = {
	.many = {
		.sql = "INSERT INTO cp_webhook.delivery_keys (webhook_id, key, execution)"
		" SELECT pg_catalog.unnest($1), pg_catalog.unnest($2),"
		" pg_catalog.unnest($3) ON CONFLICT DO NOTHING",
		.expected = SPI_OK_INSERT,
		.parameters = 3,
	},
};

/*
 * Reads the keys of the deliveries (each has one): those that are stored for
 * another execution than its own make it a duplicate.
 */
static void
mark_duplicates(CpwDelivery **deliveries, int count)
{
	static const CpwColumnType *const types[] = {
		&cpw_column_uuid, &cpw_column_text, &cpw_column_int,
	};
	CpwRows		rows;
	uint64		found;

	if (count == 0)
		return;
	cpw_rows_init(&rows, types, lengthof(types), count);
	for (int i = 0; i < count; i++)
	{
		cpw_rows_add_pointer(&rows, &deliveries[i]->webhook_id);
		cpw_rows_add_text(&rows, deliveries[i]->provider_delivery_id);
		cpw_rows_add(&rows, Int32GetDatum(i), false);
	}
	found = cpw_rows_execute(&rows, &find_keys);
	for (uint64 row = 0; row < found; row++)
	{
		CpwDelivery *delivery = deliveries[cpw_statement_get_int(row, 1)];
		pg_uuid_t	execution = cpw_statement_get_uuid(row, 2);

		if (memcmp(&execution, &delivery->execution, sizeof(pg_uuid_t)) == 0)
			continue;
		delivery->execution = execution;
		delivery->verdict = CPW_VERDICT_DUPLICATE;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The deliveries that have a key; returns how many. */
static int
select_keyed(CpwDelivery **deliveries, int count, CpwDelivery **selected)
{
	int			n = 0;

	for (int i = 0; i < count; i++)
		if (deliveries[i]->provider_delivery_id != NULL)
			selected[n++] = deliveries[i];
	return n;
}

/* Those of them that are TRIGGERED. */
static int
select_triggered(CpwDelivery **deliveries, int count, CpwDelivery **selected)
{
	int			n = 0;

	for (int i = 0; i < count; i++)
		if (deliveries[i]->verdict == CPW_VERDICT_TRIGGERED)
			selected[n++] = deliveries[i];
	return n;
}

void
cpw_deliveries_find_keys(CpwDelivery **deliveries, int count)
{
	CpwDelivery **keyed = palloc(sizeof(CpwDelivery *) * count);

	mark_duplicates(keyed, select_keyed(deliveries, count, keyed));
}

static int
compare_keys(const void *a, const void *b)
{
	const CpwDelivery *one = *(CpwDelivery *const *) a;
	const CpwDelivery *other = *(CpwDelivery *const *) b;
	int			order = memcmp(&one->webhook_id, &other->webhook_id,
							   sizeof(pg_uuid_t));

	if (order == 0)
		order = strcmp(one->provider_delivery_id, other->provider_delivery_id);
	/* Of the same key twice in a batch the one that came first is stored. */
	if (order == 0)
		order = memcmp(&one->id, &other->id, sizeof(pg_uuid_t));
	return order;
}

void
cpw_deliveries_store_keys(CpwDelivery **deliveries, int count)
{
	static const CpwColumnType *const types[] = {
		&cpw_column_uuid, &cpw_column_text, &cpw_column_uuid,
	};
	CpwDelivery **keyed = palloc(sizeof(CpwDelivery *) * count);
	CpwRows		rows;
	uint64		stored;
	int			n;

	n = select_triggered(deliveries, count, keyed);
	n = select_keyed(keyed, n, keyed);
	if (n == 0)
		return;

	/* Two workers that insert in different orders would deadlock. */
	qsort(keyed, n, sizeof(CpwDelivery *), compare_keys);
	cpw_rows_init(&rows, types, lengthof(types), n);
	for (int i = 0; i < n; i++)
	{
		cpw_rows_add_pointer(&rows, &keyed[i]->webhook_id);
		cpw_rows_add_text(&rows, keyed[i]->provider_delivery_id);
		cpw_rows_add_pointer(&rows, &keyed[i]->execution);
	}
	stored = cpw_rows_execute(&rows, &store_keys);

	/*
	 * A statement whose ON CONFLICT waited for another transaction cannot see
	 * what that one stored: the next one can.
	 */
	if (stored < (uint64) n)
		mark_duplicates(keyed, n);
}

/* ---- executions ---- */

static CpwRowsStatement start_executions = {
	.many = {
		.sql = "INSERT INTO cp_webhook.executions (id, pipeline, version, action,"
		" trigger_type, trigger_detail, delivery, created_at, updated_at,"
		" webhook_id, era)"
		" SELECT pg_catalog.unnest($1), pg_catalog.unnest($2),"
		" pg_catalog.unnest($3), pg_catalog.unnest($4), 'Webhook',"
		" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7),"
		" pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9)",
		.expected = SPI_OK_INSERT,
		.parameters = 9,
	},
};

void
cpw_deliveries_start_executions(CpwDelivery **deliveries, int count)
{
	static const CpwColumnType *const types[] = {
		&cpw_column_uuid, &cpw_column_text, &cpw_column_int, &cpw_column_text,
		&cpw_column_text, &cpw_column_uuid, &cpw_column_time, &cpw_column_uuid,
		&cpw_column_bigint,
	};
	Datum		era = Int64GetDatum(cpw_era_current());
	CpwRows		rows;

	cpw_rows_init(&rows, types, lengthof(types), count);
	for (int i = 0; i < count; i++)
	{
		const CpwDelivery *d = deliveries[i];

		if (d->verdict != CPW_VERDICT_TRIGGERED)
			continue;
		cpw_rows_add_pointer(&rows, &d->execution);
		cpw_rows_add_text(&rows, d->pipeline);
		cpw_rows_add(&rows, Int32GetDatum(d->version), false);
		cpw_rows_add_text(&rows, d->action);
		cpw_rows_add_text(&rows, d->trigger_detail);
		cpw_rows_add_pointer(&rows, &d->id);
		cpw_rows_add(&rows, TimestampTzGetDatum(d->received_at), false);
		cpw_rows_add_pointer(&rows, &d->webhook_id);
		/* The trigger would do it, with a copy of the row. */
		cpw_rows_add(&rows, era, false);
	}
	if (cpw_rows_count(&rows) > 0)
		cpw_rows_execute(&rows, &start_executions);
}

/* ---- rows ---- */

static CpwRowsStatement insert_deliveries = {
	.many = {
		.sql = "INSERT INTO cp_webhook.deliveries (id, received_at, webhook,"
		" provider_delivery_id, event, source_address, peer_address, outcome,"
		" reason, http_status, headers, payload, webhook_id, redelivery_of,"
		" signature)"
		" SELECT pg_catalog.unnest($1), pg_catalog.unnest($2),"
		" pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),"
		" pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8),"
		" pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11),"
		" pg_catalog.unnest($12), pg_catalog.unnest($13),"
		" pg_catalog.unnest($14), pg_catalog.unnest($15)",
		.expected = SPI_OK_INSERT,
		.parameters = 15,
	},
};

void
cpw_deliveries_insert(CpwDelivery **deliveries, int count)
{
	static const CpwColumnType *const types[] = {
		&cpw_column_uuid, &cpw_column_time, &cpw_column_text, &cpw_column_text,
		&cpw_column_text, &cpw_column_inet, &cpw_column_inet, &cpw_column_text,
		&cpw_column_text, &cpw_column_int, &cpw_column_jsonb,
		&cpw_column_jsonb, &cpw_column_uuid, &cpw_column_uuid,
		&cpw_column_text,
	};
	CpwRows		rows;

	cpw_rows_init(&rows, types, lengthof(types), count);
	for (int i = 0; i < count; i++)
	{
		const CpwDelivery *d = deliveries[i];
		const CpwVerdictMeaning *meaning = cpw_verdict_meaning(d->verdict);

		cpw_rows_add_pointer(&rows, &d->id);
		cpw_rows_add(&rows, TimestampTzGetDatum(d->received_at), false);
		cpw_rows_add_text(&rows, d->webhook);
		cpw_rows_add_text(&rows, d->provider_delivery_id);
		cpw_rows_add_text(&rows, d->event);
		cpw_rows_add_pointer(&rows, d->source_address);
		cpw_rows_add_pointer(&rows, d->peer_address);
		cpw_rows_add_text(&rows, meaning->outcome);
		cpw_rows_add_text(&rows, d->reason);
		cpw_rows_add(&rows, Int32GetDatum(d->http_status ? d->http_status :
										  meaning->status), false);
		cpw_rows_add_pointer(&rows, d->headers);
		cpw_rows_add_pointer(&rows, d->payload);
		cpw_rows_add_pointer(&rows, &d->webhook_id);
		cpw_rows_add_pointer(&rows, d->redelivery_of);
		cpw_rows_add_text(&rows, d->signature);
	}
	cpw_rows_execute(&rows, &insert_deliveries);
}

/* ---- counters ---- */

static CpwRowsStatement add_counts = {
	.many = {
		.sql = "INSERT INTO cp_webhook.webhook_counters AS c (worker,"
		" webhook_id, triggered, ignored, duplicate, rejected, pong,"
		" last_triggered, last_delivery, last_reason_at, last_reason)"
		" SELECT t.* FROM (SELECT pg_catalog.unnest($1),"
		" pg_catalog.unnest($2) AS webhook_id, pg_catalog.unnest($3),"
		" pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6),"
		" pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9),"
		" pg_catalog.unnest($10), pg_catalog.unnest($11)) t"
		" WHERE EXISTS (SELECT FROM cp_webhook.webhook_definitions w"
		"               WHERE w.id = t.webhook_id)"
		" ON CONFLICT (webhook_id, worker) DO UPDATE SET"
		" triggered = c.triggered + excluded.triggered,"
		" ignored = c.ignored + excluded.ignored,"
		" duplicate = c.duplicate + excluded.duplicate,"
		" rejected = c.rejected + excluded.rejected,"
		" pong = c.pong + excluded.pong,"
		" last_triggered = GREATEST(c.last_triggered, excluded.last_triggered),"
		" last_delivery = GREATEST(c.last_delivery, excluded.last_delivery),"
		" last_reason_at = COALESCE(excluded.last_reason_at, c.last_reason_at),"
		" last_reason = COALESCE(excluded.last_reason, c.last_reason)",
		.expected = SPI_OK_INSERT,
		.parameters = 11,
	},
};

/*
 * The same for the minute in which it is written, in a ring of an hour: what
 * the row counted an hour ago is gone.
 */
static CpwRowsStatement add_minutes = {
	.many = {
		.sql = "INSERT INTO cp_webhook.webhook_minutes AS m (slot, minute,"
		" worker, webhook_id, triggered, ignored, duplicate, rejected, pong)"
		" SELECT n.number % 60, pg_catalog.to_timestamp(n.number * 60), t.*"
		" FROM (SELECT pg_catalog.floor(EXTRACT(epoch FROM"
		" pg_catalog.now()) / 60)::pg_catalog.int8) n (number),"
		" (SELECT pg_catalog.unnest($1), pg_catalog.unnest($2) AS webhook_id,"
		" pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),"
		" pg_catalog.unnest($6), pg_catalog.unnest($7)) t"
		" WHERE EXISTS (SELECT FROM cp_webhook.webhook_definitions w"
		"               WHERE w.id = t.webhook_id)"
		" ON CONFLICT (webhook_id, worker, slot) DO UPDATE SET"
		" minute = excluded.minute,"
#define SAME_MINUTE(column) \
		" " column " = excluded." column " + CASE WHEN m.minute = excluded.minute" \
		" THEN m." column " ELSE 0 END"
		SAME_MINUTE("triggered") "," SAME_MINUTE("ignored") ","
		SAME_MINUTE("duplicate") "," SAME_MINUTE("rejected") ","
		SAME_MINUTE("pong"),
		.expected = SPI_OK_INSERT,
		.parameters = 7,
	},
};

void
cpw_deliveries_add_counts(int worker, const CpwCounts *counts, int count)
{
	static const CpwColumnType *const types[] = {
		&cpw_column_int, &cpw_column_uuid, &cpw_column_bigint,
		&cpw_column_bigint, &cpw_column_bigint, &cpw_column_bigint,
		&cpw_column_bigint, &cpw_column_time, &cpw_column_time,
		&cpw_column_time, &cpw_column_text,
	};
	CpwRows		rows;

	cpw_rows_init(&rows, types, lengthof(types), count);
	for (int i = 0; i < count; i++)
	{
		const CpwCounts *n = &counts[i];

		cpw_rows_add(&rows, Int32GetDatum(worker), false);
		cpw_rows_add_pointer(&rows, &n->webhook_id);
		cpw_rows_add(&rows, Int64GetDatum(n->triggered), false);
		cpw_rows_add(&rows, Int64GetDatum(n->ignored), false);
		cpw_rows_add(&rows, Int64GetDatum(n->duplicate), false);
		cpw_rows_add(&rows, Int64GetDatum(n->rejected), false);
		cpw_rows_add(&rows, Int64GetDatum(n->pong), false);
		cpw_rows_add(&rows, TimestampTzGetDatum(n->last_triggered),
					 n->last_triggered == 0);
		cpw_rows_add(&rows, TimestampTzGetDatum(n->last_delivery),
					 n->last_delivery == 0);
		cpw_rows_add(&rows, TimestampTzGetDatum(n->last_reason_at),
					 n->last_reason_at == 0);
		cpw_rows_add_text(&rows, n->last_reason_at == 0 ? NULL : n->last_reason);
	}
	cpw_rows_execute(&rows, &add_counts);
	cpw_rows_execute(&rows, &add_minutes);
}

/* ---- health ---- */

static CpwStatement check_writable = {
	.sql = "SELECT pg_catalog.pg_current_xact_id()",
	.expected = SPI_OK_SELECT,
};

void
cpw_deliveries_check_writable(void)
{
	PreventCommandIfReadOnly("receiving deliveries");
	cpw_statement_execute(&check_writable, NULL, NULL);
}
