/*
 * deliveries.c
 *		What a batch of deliveries leaves behind.
 *
 * A batch goes to the server as one array a column. unnest() stands in the
 * select list, where it hands on the elements as they are; in FROM it would
 * copy the whole batch into a tuple store first.
 */
#include "postgres.h"

#include "base/verdict.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "miscadmin.h"
#include "pg/uuid7.h"
#include "store/deliveries.h"
#include "store/statement.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* ---- columns: one array each ---- */

typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
} Column;

static void
column_init(Column *column, int capacity)
{
	column->values = palloc(sizeof(Datum) * capacity);
	column->nulls = palloc(sizeof(bool) * capacity);
	column->count = 0;
}

static void
column_add(Column *column, Datum value, bool is_null)
{
	column->values[column->count] = value;
	column->nulls[column->count] = is_null;
	column->count++;
}

static void
column_add_pointer(Column *column, const void *value)
{
	column_add(column, PointerGetDatum(value), value == NULL);
}

static void
column_add_text(Column *column, const char *string)
{
	column_add(column, string ? CStringGetTextDatum(string) : (Datum) 0,
			   string == NULL);
}

typedef struct ElementType
{
	Oid			array;
	Oid			element;
	int16		length;
	bool		by_value;
	char		align;
} ElementType;

static const ElementType uuid_type = {UUIDARRAYOID, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR};
static const ElementType text_type = {TEXTARRAYOID, TEXTOID, -1, false, TYPALIGN_INT};
static const ElementType jsonb_type = {JSONBARRAYOID, JSONBOID, -1, false, TYPALIGN_INT};
static const ElementType inet_type = {INETARRAYOID, INETOID, -1, false, TYPALIGN_INT};
static const ElementType int_type = {INT4ARRAYOID, INT4OID, 4, true, TYPALIGN_INT};
static const ElementType bigint_type = {INT8ARRAYOID, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE};
static const ElementType time_type = {TIMESTAMPTZARRAYOID, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE};

static Datum
column_array(const Column *column, const ElementType *type)
{
	int			dimension = column->count;
	int			lower_bound = 1;

	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1,
											  &dimension, &lower_bound,
											  type->element, type->length,
											  type->by_value, type->align));
}

/* A table's columns, in the order of the statement's parameters. */
static void
columns_init(Column *columns, size_t number, int capacity)
{
	for (size_t c = 0; c < number; c++)
		column_init(&columns[c], capacity);
}

static void
columns_arrays(const Column *columns, const ElementType *const *types,
			   size_t number, Datum *values)
{
	for (size_t c = 0; c < number; c++)
		values[c] = column_array(&columns[c], types[c]);
}

/* ---- keys ---- */

/*
 * A sub-select a row, not a join: a look-up in the index whatever the planner
 * knew of the table when the plan was made.
 */
static CpwStatement find_keys = {
	.sql = "SELECT t.position, t.execution FROM"
	" (SELECT i.position, (SELECT k.execution FROM cp_webhook.delivery_keys k"
	"                       WHERE k.webhook_id = i.webhook_id AND k.key = i.key)"
	"  FROM (SELECT pg_catalog.unnest($1) AS webhook_id,"
	"               pg_catalog.unnest($2) AS key,"
	"               pg_catalog.unnest($3) AS position) i) t (position, execution)"
	" WHERE t.execution IS NOT NULL",
	.expected = SPI_OK_SELECT,
	.parameters = 3,
	.types = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID},
};

static CpwStatement store_keys = {
	.sql = "INSERT INTO cp_webhook.delivery_keys (webhook_id, key, execution)"
	" SELECT pg_catalog.unnest($1), pg_catalog.unnest($2),"
	" pg_catalog.unnest($3) ON CONFLICT DO NOTHING",
	.expected = SPI_OK_INSERT,
	.parameters = 3,
	.types = {UUIDARRAYOID, TEXTARRAYOID, UUIDARRAYOID},
};

/*
 * Reads the keys of the deliveries (each has one): those that are stored for
 * another execution than its own make it a duplicate.
 */
static void
mark_duplicates(CpwDelivery **deliveries, int count)
{
	Column		ids;
	Column		keys;
	Column		positions;
	Datum		values[3];
	uint64		rows;

	if (count == 0)
		return;
	column_init(&ids, count);
	column_init(&keys, count);
	column_init(&positions, count);
	for (int i = 0; i < count; i++)
	{
		column_add_pointer(&ids, &deliveries[i]->webhook_id);
		column_add_text(&keys, deliveries[i]->provider_delivery_id);
		column_add(&positions, Int32GetDatum(i), false);
	}
	values[0] = column_array(&ids, &uuid_type);
	values[1] = column_array(&keys, &text_type);
	values[2] = column_array(&positions, &int_type);
	rows = cpw_statement_execute(&find_keys, values, NULL);
	for (uint64 row = 0; row < rows; row++)
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

/* The deliveries of that verdict that have a key; returns how many. */
static int
select_keyed(CpwDelivery **deliveries, int count, CpwVerdict verdict,
			 CpwDelivery **selected)
{
	int			n = 0;

	for (int i = 0; i < count; i++)
		if (deliveries[i]->verdict == verdict &&
			deliveries[i]->provider_delivery_id != NULL)
			selected[n++] = deliveries[i];
	return n;
}

void
cpw_deliveries_find_keys(CpwDelivery **deliveries, int count)
{
	CpwDelivery **keyed = palloc(sizeof(CpwDelivery *) * count);

	mark_duplicates(keyed, select_keyed(deliveries, count,
										CPW_VERDICT_PENDING, keyed));
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
	CpwDelivery **keyed = palloc(sizeof(CpwDelivery *) * count);
	Column		ids;
	Column		keys;
	Column		executions;
	Datum		values[3];
	uint64		stored;
	int			n;

	n = select_keyed(deliveries, count, CPW_VERDICT_TRIGGERED, keyed);
	if (n == 0)
		return;

	/* Two workers that insert in different orders would deadlock. */
	qsort(keyed, n, sizeof(CpwDelivery *), compare_keys);
	column_init(&ids, n);
	column_init(&keys, n);
	column_init(&executions, n);
	for (int i = 0; i < n; i++)
	{
		column_add_pointer(&ids, &keyed[i]->webhook_id);
		column_add_text(&keys, keyed[i]->provider_delivery_id);
		column_add_pointer(&executions, &keyed[i]->execution);
	}
	values[0] = column_array(&ids, &uuid_type);
	values[1] = column_array(&keys, &text_type);
	values[2] = column_array(&executions, &uuid_type);
	stored = cpw_statement_execute(&store_keys, values, NULL);

	/*
	 * A statement whose ON CONFLICT waited for another transaction cannot see
	 * what that one stored: the next one can.
	 */
	if (stored < (uint64) n)
		mark_duplicates(keyed, n);
}

/* ---- executions ---- */

static CpwStatement start_executions = {
	.sql = "INSERT INTO cp_webhook.executions (id, pipeline, version, action,"
	" trigger_type, trigger_detail, delivery, created_at, updated_at,"
	" webhook_id)"
	" SELECT pg_catalog.unnest($1), pg_catalog.unnest($2),"
	" pg_catalog.unnest($3), pg_catalog.unnest($4), 'Webhook',"
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7),"
	" pg_catalog.unnest($7), pg_catalog.unnest($8)",
	.expected = SPI_OK_INSERT,
	.parameters = 8,
	.types = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, UUIDARRAYOID, TIMESTAMPTZARRAYOID, UUIDARRAYOID},
};

void
cpw_deliveries_start_executions(CpwDelivery **deliveries, int count)
{
	static const ElementType *const types[] = {
		&uuid_type, &text_type, &int_type, &text_type,
		&text_type, &uuid_type, &time_type, &uuid_type,
	};
	Column		columns[lengthof(types)];
	Datum		values[lengthof(types)];

	columns_init(columns, lengthof(types), count);
	for (int i = 0; i < count; i++)
	{
		const CpwDelivery *d = deliveries[i];
		Column	   *c = columns;

		if (d->verdict != CPW_VERDICT_TRIGGERED)
			continue;
		column_add_pointer(c++, &d->execution);
		column_add_text(c++, d->pipeline);
		column_add(c++, Int32GetDatum(d->version), false);
		column_add_text(c++, d->action);
		column_add_text(c++, d->trigger_detail);
		column_add_pointer(c++, &d->id);
		column_add(c++, TimestampTzGetDatum(d->received_at), false);
		column_add_pointer(c++, &d->webhook_id);
	}
	if (columns[0].count == 0)
		return;
	columns_arrays(columns, types, lengthof(types), values);
	cpw_statement_execute(&start_executions, values, NULL);
}

/* ---- rows ---- */

static CpwStatement insert_deliveries = {
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
	.types = {UUIDARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, INETARRAYOID, INETARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	INT4ARRAYOID, JSONBARRAYOID, JSONBARRAYOID, UUIDARRAYOID, UUIDARRAYOID,
	TEXTARRAYOID},
};

void
cpw_deliveries_insert(CpwDelivery **deliveries, int count)
{
	static const ElementType *const types[] = {
		&uuid_type, &time_type, &text_type, &text_type, &text_type,
		&inet_type, &inet_type, &text_type, &text_type,
		&int_type, &jsonb_type, &jsonb_type, &uuid_type, &uuid_type,
		&text_type,
	};
	Column		columns[lengthof(types)];
	Datum		values[lengthof(types)];

	columns_init(columns, lengthof(types), count);
	for (int i = 0; i < count; i++)
	{
		const CpwDelivery *d = deliveries[i];
		const CpwVerdictMeaning *meaning = cpw_verdict_meaning(d->verdict);
		Column	   *c = columns;

		column_add_pointer(c++, &d->id);
		column_add(c++, TimestampTzGetDatum(d->received_at), false);
		column_add_text(c++, d->webhook);
		column_add_text(c++, d->provider_delivery_id);
		column_add_text(c++, d->event);
		column_add_pointer(c++, d->source_address);
		column_add_pointer(c++, d->peer_address);
		column_add_text(c++, meaning->outcome);
		column_add_text(c++, d->reason);
		column_add(c++, Int32GetDatum(d->http_status ? d->http_status :
									  meaning->status), false);
		column_add_pointer(c++, d->headers);
		column_add_pointer(c++, d->payload);
		column_add_pointer(c++, &d->webhook_id);
		column_add_pointer(c++, d->redelivery_of);
		column_add_text(c++, d->signature);
	}
	columns_arrays(columns, types, lengthof(types), values);
	cpw_statement_execute(&insert_deliveries, values, NULL);
}

/* ---- counters ---- */

static CpwStatement add_counts = {
	.sql = "INSERT INTO cp_webhook.webhook_counters AS c (worker, webhook_id,"
	" triggered, ignored, duplicate, rejected, pong, last_triggered,"
	" last_delivery, last_reason_at, last_reason)"
	" SELECT $1, t.* FROM (SELECT pg_catalog.unnest($2) AS webhook_id,"
	" pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),"
	" pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8),"
	" pg_catalog.unnest($9), pg_catalog.unnest($10),"
	" pg_catalog.unnest($11)) t"
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
	.types = {INT4OID, UUIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
	INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, TEXTARRAYOID},
};

/*
 * The same for the minute in which it is written, in a ring of an hour: what
 * the row counted an hour ago is gone.
 */
static CpwStatement add_minutes = {
	.sql = "INSERT INTO cp_webhook.webhook_minutes AS m (worker, slot, minute,"
	" webhook_id, triggered, ignored, duplicate, rejected, pong)"
	" SELECT $1, n.number % 60,"
	" pg_catalog.to_timestamp(n.number * 60), t.*"
	" FROM (SELECT pg_catalog.floor(EXTRACT(epoch FROM"
	" pg_catalog.now()) / 60)::pg_catalog.int8) n (number),"
	" (SELECT pg_catalog.unnest($2) AS webhook_id, pg_catalog.unnest($3),"
	" pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6),"
	" pg_catalog.unnest($7)) t"
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
	.types = {INT4OID, UUIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
	INT8ARRAYOID, INT8ARRAYOID},
};

void
cpw_deliveries_add_counts(int worker, const CpwCounts *counts, int count)
{
	static const ElementType *const types[] = {
		&uuid_type, &bigint_type, &bigint_type, &bigint_type,
		&bigint_type, &bigint_type, &time_type, &time_type, &time_type,
		&text_type,
	};
	Column		columns[lengthof(types)];
	Datum		values[lengthof(types) + 1];

	columns_init(columns, lengthof(types), count);
	for (int i = 0; i < count; i++)
	{
		const CpwCounts *n = &counts[i];
		Column	   *c = columns;

		column_add_pointer(c++, &n->webhook_id);
		column_add(c++, Int64GetDatum(n->triggered), false);
		column_add(c++, Int64GetDatum(n->ignored), false);
		column_add(c++, Int64GetDatum(n->duplicate), false);
		column_add(c++, Int64GetDatum(n->rejected), false);
		column_add(c++, Int64GetDatum(n->pong), false);
		column_add(c++, TimestampTzGetDatum(n->last_triggered),
				   n->last_triggered == 0);
		column_add(c++, TimestampTzGetDatum(n->last_delivery),
				   n->last_delivery == 0);
		column_add(c++, TimestampTzGetDatum(n->last_reason_at),
				   n->last_reason_at == 0);
		column_add_text(c++, n->last_reason_at == 0 ? NULL : n->last_reason);
	}
	values[0] = Int32GetDatum(worker);
	columns_arrays(columns, types, lengthof(types), values + 1);
	cpw_statement_execute(&add_counts, values, NULL);
	cpw_statement_execute(&add_minutes, values, NULL);
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
