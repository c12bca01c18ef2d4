/*
 * expiry.c
 *		What is old in the tables that are not partitioned.
 *
 * Every delivery would have to keep an index by age, so there is none: an
 * execution's age is in its id, which is the primary key, and keys are looked
 * through block by block.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/uuid7.h"
#include "storage/itemptr.h"
#include "store/arguments.h"
#include "store/expiry.h"
#include "store/statement.h"
#include "utils/timestamp.h"

/* An execution's id is made after its delivery's, in the same batch. */
#define LATEST_EXECUTION	USECS_PER_DAY

static CpwStatement find_unfinished = {
	.sql = "SELECT e.id, e.pipeline FROM cp_webhook.executions e"
	" WHERE e.id >= $1 AND e.id < $4 AND e.ended_at IS NULL"
	"   AND e.delivery >= $2 AND e.delivery < $3 ORDER BY e.id LIMIT 1",
	.expected = SPI_OK_SELECT,
	.parameters = 4,
	.types = {UUIDOID, UUIDOID, UUIDOID, UUIDOID},
};

static CpwStatement count_key_blocks = {
	.sql = "SELECT pg_catalog.pg_relation_size('cp_webhook.delivery_keys')"
	" / pg_catalog.current_setting('block_size')::pg_catalog.int8",
	.expected = SPI_OK_SELECT,
};

static CpwStatement remove_keys = {
	.sql = "DELETE FROM cp_webhook.delivery_keys k"
	" WHERE k.ctid >= $1 AND k.ctid < $2 AND k.execution < $3",
	.expected = SPI_OK_DELETE,
	.parameters = 3,
	.types = {TIDOID, TIDOID, UUIDOID},
};

/* There is no max(uuid) before 18. */
static CpwStatement remove_executions = {
	.sql = "WITH page AS MATERIALIZED ("
	"  SELECT e.id, COALESCE(e.ended_at,"
	"     CASE WHEN $5 THEN e.created_at END) AS ended_at"
	"    FROM cp_webhook.executions e"
	"   WHERE e.id > $1 AND e.id < $2 ORDER BY e.id LIMIT $4),"
	" old AS MATERIALIZED ("
	"  SELECT e.id FROM cp_webhook.executions e"
	"   WHERE e.id = ANY (ARRAY(SELECT p.id FROM page p WHERE p.ended_at < $3))"
	"     AND COALESCE(e.ended_at, CASE WHEN $5 THEN e.created_at END) < $3"
	"   FOR UPDATE SKIP LOCKED),"
	" gone AS ("
	"  DELETE FROM cp_webhook.executions e"
	"   WHERE e.id = ANY (ARRAY(SELECT o.id FROM old o)) RETURNING e.id)"
	" SELECT p.id, pg_catalog.count(*) OVER (),"
	"        (SELECT pg_catalog.count(*) FROM gone)"
	"   FROM page p ORDER BY p.id DESC LIMIT 1",
	.expected = SPI_OK_SELECT,
	.parameters = 5,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT4OID, BOOLOID},
};

static CpwStatement forget_webhooks = {
	.sql = "DELETE FROM cp_webhook.webhook_counters c"
	" WHERE NOT EXISTS (SELECT FROM cp_webhook.webhook_definitions w"
	"                    WHERE w.id = c.webhook_id)",
	.expected = SPI_OK_DELETE,
};

static CpwStatement forget_minutes = {
	.sql = "DELETE FROM cp_webhook.webhook_minutes m"
	" WHERE NOT EXISTS (SELECT FROM cp_webhook.webhook_definitions w"
	"                    WHERE w.id = m.webhook_id)",
	.expected = SPI_OK_DELETE,
};

static CpwStatement forget_sessions = {
	.sql = "DELETE FROM cp_webhook.console_sessions"
	" WHERE expires_at <= pg_catalog.clock_timestamp()",
	.expected = SPI_OK_DELETE,
};

/* The row of former receivers has the number -1. */
static CpwStatement merge_counters = {
	.sql = "WITH former AS ("
	"  DELETE FROM cp_webhook.webhook_counters WHERE worker >= $1 RETURNING *)"
	" INSERT INTO cp_webhook.webhook_counters AS c (webhook_id, worker,"
	"  triggered, ignored, duplicate, rejected, pong, last_triggered,"
	"  last_delivery, last_reason_at, last_reason)"
	" SELECT f.webhook_id, -1, pg_catalog.sum(f.triggered),"
	"  pg_catalog.sum(f.ignored), pg_catalog.sum(f.duplicate),"
	"  pg_catalog.sum(f.rejected), pg_catalog.sum(f.pong),"
	"  pg_catalog.max(f.last_triggered), pg_catalog.max(f.last_delivery),"
	"  pg_catalog.max(f.last_reason_at), (pg_catalog.array_agg(f.last_reason"
	"   ORDER BY f.last_reason_at DESC NULLS LAST))[1]"
	"   FROM former f GROUP BY f.webhook_id"
	" ON CONFLICT (webhook_id, worker) DO UPDATE SET"
	"  triggered = c.triggered + excluded.triggered,"
	"  ignored = c.ignored + excluded.ignored,"
	"  duplicate = c.duplicate + excluded.duplicate,"
	"  rejected = c.rejected + excluded.rejected,"
	"  pong = c.pong + excluded.pong,"
	"  last_triggered = GREATEST(c.last_triggered, excluded.last_triggered),"
	"  last_delivery = GREATEST(c.last_delivery, excluded.last_delivery),"
	"  last_reason_at = GREATEST(c.last_reason_at, excluded.last_reason_at),"
	"  last_reason = CASE WHEN c.last_reason_at >= excluded.last_reason_at"
	"   THEN c.last_reason"
	"   ELSE COALESCE(excluded.last_reason, c.last_reason) END",
	.expected = SPI_OK_INSERT,
	.parameters = 1,
	.types = {INT4OID},
};

bool
cpw_expiry_find_unfinished(const pg_uuid_t *first, const pg_uuid_t *from,
						   const pg_uuid_t *to, CpwUnfinished *unfinished)
{
	MemoryContext context = CurrentMemoryContext;
	CpwArguments arguments = {0};
	pg_uuid_t	limit;

	cpw_uuid7_lower_bound(cpw_uuid7_instant(to) + LATEST_EXECUTION, &limit);
	cpw_arguments_add_uuid(&arguments, first);
	cpw_arguments_add_uuid(&arguments, from);
	cpw_arguments_add_uuid(&arguments, to);
	cpw_arguments_add_uuid(&arguments, &limit);
	if (cpw_arguments_execute(&find_unfinished, &arguments) == 0)
		return false;
	unfinished->id = cpw_statement_get_uuid(0, 1);
	unfinished->pipeline = cpw_statement_get_text(0, 2, context);
	return true;
}

int64
cpw_expiry_key_blocks(void)
{
	cpw_statement_execute(&count_key_blocks, NULL, NULL);
	return cpw_statement_get_bigint(0, 1);
}

int64
cpw_expiry_remove_keys(int64 first, int count, const pg_uuid_t *before)
{
	ItemPointerData from;
	ItemPointerData to;
	Datum		values[3];

	ItemPointerSet(&from, (BlockNumber) first, 0);
	ItemPointerSet(&to, (BlockNumber) Min(first + count, MaxBlockNumber), 0);
	values[0] = PointerGetDatum(&from);
	values[1] = PointerGetDatum(&to);
	values[2] = PointerGetDatum(before);
	return (int64) cpw_statement_execute(&remove_keys, values, NULL);
}

bool
cpw_expiry_remove_executions(pg_uuid_t *position, const pg_uuid_t *before,
							 TimestampTz ended_before, bool end_elsewhere,
							 int count, int64 *removed)
{
	CpwArguments arguments = {0};

	*removed = 0;
	cpw_arguments_add_uuid(&arguments, position);
	cpw_arguments_add_uuid(&arguments, before);
	cpw_arguments_add_timestamp(&arguments, ended_before);
	cpw_arguments_add_int(&arguments, count);
	cpw_arguments_add_bool(&arguments, end_elsewhere);
	if (cpw_arguments_execute(&remove_executions, &arguments) == 0)
		return false;
	*position = cpw_statement_get_uuid(0, 1);
	*removed = cpw_statement_get_bigint(0, 3);
	return cpw_statement_get_bigint(0, 2) == count;
}

void
cpw_expiry_tidy_counters(int workers)
{
	CpwArguments arguments = {0};

	cpw_statement_execute(&forget_webhooks, NULL, NULL);
	cpw_arguments_add_int(&arguments, workers);
	cpw_arguments_execute(&merge_counters, &arguments);
}

void
cpw_expiry_forget_console(void)
{
	cpw_statement_execute(&forget_minutes, NULL, NULL);
	cpw_statement_execute(&forget_sessions, NULL, NULL);
}
