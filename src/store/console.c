/*
 * console.c
 *		What the console asks the database.
 *
 * Pages go by id, which is time, from the newest on: "before" is where the next
 * one begins, "from" where to end. A search that has looked at enough rows
 * without filling its page says how far it got ("reached"), and is gone on with
 * from there. Scans are MATERIALIZED, which makes them no larger (rows are
 * fetched as they are asked for) but keeps the limit where it stands.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "store/arguments.h"
#include "store/console.h"

/* Rows a page. */
#define PAGE		"50"
#define PAGE_AND_1	"51"

/* Rows that one search looks at, without and with a look into the payload. */
#define SCAN		"20000"
#define TEXT_SCAN	"1000"

/* The same of each outcome of one webhook. */
#define OUTCOME_SCAN	"500"
#define OUTCOME_TEXT_SCAN	"200"

/* Leased executions, and those to be retried, of one pipeline. */
#define OPEN_SCAN		"4000"

/* New deliveries beyond these are not counted. */
#define COUNTED		"10000"
#define OUTCOME_COUNTED	"200"

/* Payloads of which the page gets no more, in characters, and which none. */
#define SHOWN		"200000"
#define LARGE		"65536"

#define ARG(name)	"($1 ->> '" name "')"
#define ID_ARG(name, default_id) \
	"COALESCE(" ARG(name) "::pg_catalog.uuid," \
	" '" default_id "'::pg_catalog.uuid)"
#define FIRST_ID	"00000000-0000-0000-0000-000000000000"
#define LAST_ID		"ffffffff-ffff-ffff-ffff-ffffffffffff"

#define BETWEEN(id) \
	id " < " ID_ARG("before", LAST_ID) " AND " id " >= " ID_ARG("from", FIRST_ID)

#define EQUALS(column, name) \
	"(" ARG(name) " IS NULL OR " column " = " ARG(name) ")"

/* ---- deliveries ---- */

#define DELIVERY_COLUMNS \
	" d.id, d.received_at, d.webhook, d.event, d.provider_delivery_id," \
	" d.outcome, d.reason, d.http_status, d.source_address, d.redelivery_of," \
	" d.headers, d.payload"

#define HAS_TEXT \
	"(" ARG("text") " IS NULL OR pg_catalog.strpos(pg_catalog.lower(" \
	"pg_catalog.concat_ws(' ', s.webhook, s.event, s.provider_delivery_id," \
	" s.reason, s.source_address, s.headers," \
	" CASE WHEN pg_catalog.pg_column_size(s.payload) <= " LARGE \
	" THEN s.payload END)), pg_catalog.lower(" ARG("text") ")) > 0)"

/* From what was looked at ("scan") to an answer. */
#define DELIVERIES_OF_SCAN(scan_full) \
	" found AS (SELECT s.id, s.received_at, s.webhook, s.event, s.outcome," \
	"   pg_catalog.left(s.reason, 300) AS reason, s.http_status," \
	"   pg_catalog.host(s.source_address) AS source_address, s.redelivery_of" \
	"   FROM scan s" \
	"  WHERE " EQUALS("s.webhook", "webhook") \
	"    AND " EQUALS("s.event", "event") \
	"    AND " EQUALS("s.outcome", "outcome") " AND " HAS_TEXT \
	"  LIMIT " PAGE_AND_1 ")" \
	" SELECT pg_catalog.jsonb_build_object('rows'," \
	"  COALESCE((SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)" \
	"    ORDER BY f.id DESC) FROM (SELECT * FROM found LIMIT " PAGE ") f), '[]')," \
	"  'more', (SELECT pg_catalog.count(*) FROM found) > " PAGE "," \
	"  'reached', CASE WHEN (SELECT pg_catalog.count(*) FROM found) <= " PAGE \
	"    AND " scan_full " THEN (SELECT s.id FROM scan s ORDER BY s.id LIMIT 1)" \
	"    END,"

static const char deliveries_sql[] =
"WITH scan AS MATERIALIZED (SELECT" DELIVERY_COLUMNS
" FROM cp_webhook.deliveries d WHERE " BETWEEN("d.id")
" ORDER BY d.id DESC LIMIT CASE WHEN " ARG("text") " IS NULL"
" THEN " SCAN " ELSE " TEXT_SCAN " END),"
DELIVERIES_OF_SCAN("(SELECT pg_catalog.count(*) FROM scan) >="
				   " CASE WHEN " ARG("text") " IS NULL"
				   " THEN " SCAN " ELSE " TEXT_SCAN " END")
"  'newer', CASE WHEN $1 ? 'since' AND NOT $1 ? 'text' THEN"
"   (SELECT pg_catalog.count(*) FROM (SELECT FROM cp_webhook.deliveries d"
"     WHERE d.id > " ID_ARG("since", FIRST_ID)
"       AND " EQUALS("d.event", "event")
"       AND " EQUALS("d.outcome", "outcome")
"     LIMIT " COUNTED ") n) END)::pg_catalog.text";

/*
 * Of one webhook, by the index (webhook_id, outcome, id): each outcome's newest,
 * then the newest of all of them. The outcome is compared twice, not once with
 * "=": then its order is not the ids', and no plan reads them by id instead,
 * which looks as good where one webhook has nearly all deliveries of a day, and
 * is not for the others. A scan ends where the outcome does.
 */
#define OF_OUTCOME \
	" FROM cp_webhook.deliveries d WHERE d.webhook_id = w.webhook_id" \
	"   AND d.outcome >= o.outcome AND d.outcome <= o.outcome"
#define OUTCOMES \
	"pg_catalog.unnest(ARRAY['triggered', 'ignored', 'duplicate'," \
	" 'rejected', 'pong']) o (outcome)"
#define OUTCOME_LIMIT \
	"CASE WHEN " ARG("text") " IS NOT NULL THEN " OUTCOME_TEXT_SCAN \
	" WHEN " ARG("event") " IS NOT NULL THEN " OUTCOME_SCAN \
	" ELSE " PAGE_AND_1 " END"

static const char webhook_deliveries_sql[] =
"WITH of_name AS MATERIALIZED (SELECT w.webhook_id FROM cp_webhook.webhooks w"
"  WHERE w.name = " ARG("webhook") "),"
" each AS MATERIALIZED (SELECT l.* FROM of_name w, " OUTCOMES
"  CROSS JOIN LATERAL (SELECT" DELIVERY_COLUMNS
OF_OUTCOME "   AND " BETWEEN("d.id")
" ORDER BY d.outcome DESC, d.id DESC LIMIT " OUTCOME_LIMIT ") l"
"  WHERE " EQUALS("o.outcome", "outcome") "),"
" scan AS MATERIALIZED (SELECT * FROM each d"
/* Below the last of an outcome that has more, others may be missing. */
"  WHERE d.id >= COALESCE((SELECT m.id FROM (SELECT e.outcome,"
"   pg_catalog.count(*) AS count,"
"   (pg_catalog.array_agg(e.id ORDER BY e.id))[1] AS id"
"   FROM each e GROUP BY e.outcome) m WHERE m.count >= " OUTCOME_LIMIT
"   ORDER BY m.id DESC LIMIT 1), '" FIRST_ID "') ORDER BY d.id DESC),"
DELIVERIES_OF_SCAN("EXISTS (SELECT FROM each e GROUP BY e.outcome"
				   " HAVING pg_catalog.count(*) >= " OUTCOME_LIMIT ")")
"  'newer', CASE WHEN $1 ? 'since' AND NOT $1 ? 'text' THEN"
"   (SELECT pg_catalog.count(*) FROM of_name w, " OUTCOMES
"    CROSS JOIN LATERAL (SELECT"
OF_OUTCOME "   AND d.id > " ID_ARG("since", FIRST_ID)
"       AND " EQUALS("d.event", "event")
/* From the oldest on: backwards it would go on to the outcome's first. */
"     ORDER BY d.outcome, d.id LIMIT " OUTCOME_COUNTED ") n"
"     WHERE " EQUALS("o.outcome", "outcome") ") END)::pg_catalog.text";

static const char delivery_sql[] =
"SELECT (pg_catalog.to_jsonb(d) - 'payload' - 'webhook_id'"
" || pg_catalog.jsonb_build_object("
"  'source_address', pg_catalog.host(d.source_address),"
"  'peer_address', pg_catalog.host(d.peer_address),"
"  'stored_size', pg_catalog.pg_column_size(d.payload),"
"  'payload', CASE WHEN pg_catalog.pg_column_size(d.payload) <= " LARGE
"   THEN pg_catalog.left(d.payload::pg_catalog.text, " SHOWN ") END,"
"  'is_cut', CASE WHEN pg_catalog.pg_column_size(d.payload) <= " LARGE
"   THEN pg_catalog.length(d.payload::pg_catalog.text) > " SHOWN
"   ELSE d.payload IS NOT NULL END))::pg_catalog.text"
" FROM (SELECT d.* FROM cp_webhook.deliveries d"
"        WHERE d.id = " ARG("id") "::pg_catalog.uuid) d";

/* An execution's id is made right after its delivery's. */
static const char delivery_execution_sql[] =
"SELECT pg_catalog.jsonb_build_object('execution',"
" (SELECT pg_catalog.to_jsonb(x) - 'nonce' - 'request'"
"    FROM cp_webhook.executions x"
"   WHERE x.id > " ARG("id") "::pg_catalog.uuid"
"     AND x.id < " ARG("until") "::pg_catalog.uuid"
"     AND x.delivery = " ARG("id") "::pg_catalog.uuid"
"   ORDER BY x.id LIMIT 1))::pg_catalog.text";

/* ---- executions ---- */

#define EXECUTION_COLUMNS \
	" x.id, x.pipeline, x.version, x.action, x.trigger_type," \
	" x.trigger_detail, x.delivery, x.status, x.attempts, x.lease_holder," \
	" x.lease_until, x.retry_at, x.reason, x.created_at, x.started_at," \
	" x.ended_at"

#define EXECUTIONS_OF_SCAN \
	" SELECT pg_catalog.jsonb_build_object('rows'," \
	"  COALESCE((SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)" \
	"    ORDER BY f.id DESC) FROM (SELECT * FROM found LIMIT " PAGE ") f), '[]')," \
	"  'more', (SELECT pg_catalog.count(*) FROM found) > " PAGE ","

static const char executions_sql[] =
"WITH scan AS MATERIALIZED ("
" (SELECT" EXECUTION_COLUMNS " FROM cp_webhook.executions x"
"   WHERE " ARG("pipeline") " IS NULL AND " BETWEEN("x.id")
"   ORDER BY x.id DESC LIMIT " SCAN ")"
" UNION ALL"
" (SELECT" EXECUTION_COLUMNS " FROM cp_webhook.executions x"
"   WHERE x.pipeline = " ARG("pipeline") " AND " BETWEEN("x.id")
"   ORDER BY x.id DESC LIMIT " SCAN ")),"
" found AS (SELECT * FROM scan s WHERE (" ARG("state") " IS DISTINCT FROM 'done'"
"  OR s.ended_at IS NOT NULL) LIMIT " PAGE_AND_1 ")"
EXECUTIONS_OF_SCAN
"  'reached', CASE WHEN (SELECT pg_catalog.count(*) FROM found) <= " PAGE
"    AND (SELECT pg_catalog.count(*) FROM scan) >= " SCAN
"    THEN (SELECT s.id FROM scan s ORDER BY s.id LIMIT 1) END)::pg_catalog.text";

#define WAITING	"status = 'InProgress' AND lease_until IS NULL AND retry_at IS NULL"
#define RETRYING	"status = 'InProgress' AND lease_until IS NULL AND retry_at IS NOT NULL"
#define LEASED	"lease_until IS NOT NULL"

/* The pipelines in a partial index, from one to the next. */
#define PIPELINES(name, condition) \
	name " (pipeline) AS (" \
	"(SELECT pipeline FROM cp_webhook.executions WHERE " condition \
	" ORDER BY pipeline LIMIT 1) UNION ALL SELECT n.pipeline FROM " name " s" \
	" CROSS JOIN LATERAL (SELECT pipeline FROM cp_webhook.executions" \
	" WHERE " condition " AND pipeline > s.pipeline ORDER BY pipeline LIMIT 1) n)"

#define OPEN_OF(name, condition, state, order, limit) \
	" SELECT l.* FROM " name " p CROSS JOIN LATERAL (SELECT" EXECUTION_COLUMNS \
	" FROM cp_webhook.executions x WHERE " condition \
	" AND x.pipeline = p.pipeline AND " BETWEEN("x.id") \
	" ORDER BY " order " LIMIT " limit ") l" \
	" WHERE " ARG("state") " = '" state "'" \
	" AND " EQUALS("p.pipeline", "pipeline")

/* Those that have not ended, by the indexes that claims use. */
static const char open_executions_sql[] =
"WITH RECURSIVE " PIPELINES("w", WAITING) ", " PIPELINES("r", RETRYING) ", "
PIPELINES("l", LEASED) ","
" found AS (SELECT * FROM ("
OPEN_OF("w", WAITING, "waiting", "x.id DESC", PAGE_AND_1) " UNION ALL"
OPEN_OF("r", RETRYING, "waiting", "x.retry_at", OPEN_SCAN) " UNION ALL"
OPEN_OF("l", LEASED, "leased", "x.lease_until", OPEN_SCAN) ") u"
" ORDER BY u.id DESC LIMIT " PAGE_AND_1 ")"
EXECUTIONS_OF_SCAN
"  'reached', NULL)::pg_catalog.text";

static const char execution_sql[] =
"SELECT (pg_catalog.to_jsonb(x) - 'nonce' - 'xid' - 'era' - 'webhook_id')"
"::pg_catalog.text FROM (SELECT x.* FROM cp_webhook.executions x"
" WHERE x.id = " ARG("id") "::pg_catalog.uuid) x";

/* ---- webhooks ---- */

/* The token in a URL is what lets others post: the page does not show it. */
#define MASKED_URL \
	"pg_catalog.jsonb_build_object('url'," \
	" pg_catalog.regexp_replace(w.url, '[^/]*$', '****'))"

static const char webhooks_sql[] =
"WITH found AS MATERIALIZED (SELECT w.* FROM cp_webhook.webhooks w"
" WHERE w.name > COALESCE(" ARG("after") ", '')"
" ORDER BY w.name LIMIT " PAGE_AND_1 ")"
" SELECT pg_catalog.jsonb_build_object('rows',"
"  COALESCE((SELECT pg_catalog.jsonb_agg((pg_catalog.to_jsonb(w)"
"    - 'configuration' - 'filters' - 'webhook_id' - 'url')"
"    ORDER BY w.name) FROM (SELECT * FROM found LIMIT " PAGE ") w), '[]'),"
"  'more', (SELECT pg_catalog.count(*) FROM found) > " PAGE ")::pg_catalog.text";

static const char webhook_sql[] =
"SELECT (pg_catalog.to_jsonb(w) - 'webhook_id' || " MASKED_URL ")"
"::pg_catalog.text FROM (SELECT w.* FROM cp_webhook.webhooks w"
" WHERE w.name = " ARG("name") ") w";

/* {webhook: {minute: [triggered, ignored, duplicate, rejected, pong]}} */
static const char activity_sql[] =
"SELECT COALESCE(pg_catalog.jsonb_object_agg(a.webhook, a.minutes), '{}')"
"::pg_catalog.text FROM (SELECT a.webhook, pg_catalog.jsonb_object_agg("
"  EXTRACT(epoch FROM a.minute)::pg_catalog.int8,"
"  pg_catalog.jsonb_build_array(a.triggered, a.ignored, a.duplicate,"
"   a.rejected, a.pong)) AS minutes"
" FROM cp_webhook.webhook_activity a WHERE " EQUALS("a.webhook", "webhook")
" AND a.webhook > COALESCE(" ARG("after") ", '')"
" GROUP BY a.webhook ORDER BY a.webhook LIMIT " PAGE ") a";

/* As put_webhook takes it, each secret as ****; the list comes in pages. */
static const char definition_sql[] =
"WITH RECURSIVE page (answer) AS ("
" SELECT cp_webhook.list_webhooks('{\"MaxResults\": 100}')"
" UNION ALL SELECT cp_webhook.list_webhooks(pg_catalog.jsonb_build_object("
"  'MaxResults', 100, 'NextToken', p.answer -> 'NextToken'))"
" FROM page p WHERE p.answer ? 'NextToken')"
" SELECT (w.webhook -> 'definition')::pg_catalog.text"
" FROM page p, pg_catalog.jsonb_array_elements(p.answer -> 'webhooks')"
" w (webhook) WHERE w.webhook #>> '{definition,name}' = " ARG("name")
" LIMIT 1";

/* ---- the table of questions ---- */

#define QUESTION(text) \
	{.sql = (text), .expected = SPI_OK_SELECT, .parameters = 1, \
	.types = {JSONBOID}}

#define MAY(function) \
	"pg_catalog.has_function_privilege('cp_webhook." function "', 'EXECUTE')"

static struct
{
	const char *name;
	bool		changes;
	CpwStatement statement;
}			questions[] = {
	{"me", false, QUESTION(
		"SELECT pg_catalog.jsonb_build_object('role', current_user,"
		" 'database', pg_catalog.current_database(), 'may',"
		" pg_catalog.jsonb_build_object("
		" 'redeliver', " MAY("redeliver(uuid)") ","
		" 'stop', " MAY("stop_pipeline_execution(jsonb)") ","
		" 'start', " MAY("start_pipeline_execution(jsonb)") ","
		" 'test', " MAY("test_webhook(jsonb)") ","
		" 'define', " MAY("list_webhooks(jsonb)") "))::pg_catalog.text")},
	{"webhooks", false, QUESTION(webhooks_sql)},
	{"webhook", false, QUESTION(webhook_sql)},
	{"activity", false, QUESTION(activity_sql)},
	{"definition", false, QUESTION(definition_sql)},
	{"translation", false, QUESTION(
		"SELECT pg_catalog.jsonb_build_object('translated',"
		" cp_webhook.json_path(" ARG("path") ")::pg_catalog.text)"
		"::pg_catalog.text WHERE " ARG("path") " IS NOT NULL")},
	{"deliveries", false, QUESTION(deliveries_sql)},
	{"webhook_deliveries", false, QUESTION(webhook_deliveries_sql)},
	{"delivery", false, QUESTION(delivery_sql)},
	{"delivery_execution", false, QUESTION(delivery_execution_sql)},
	{"payload", false, QUESTION(
		"SELECT d.payload::pg_catalog.text FROM cp_webhook.deliveries d"
		" WHERE d.id = " ARG("id") "::pg_catalog.uuid")},
	{"explanation", false, QUESTION(
		"SELECT cp_webhook.test_webhook(pg_catalog.jsonb_build_object("
		"'deliveryId', " ARG("id") "))::pg_catalog.text")},
	{"executions", false, QUESTION(executions_sql)},
	{"open_executions", false, QUESTION(open_executions_sql)},
	{"execution", false, QUESTION(execution_sql)},
	{"receivers", false, QUESTION(
		"SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s)"
		" ORDER BY s.worker), '[]')::pg_catalog.text"
		" FROM cp_webhook.stats() s")},
	{"maintenance", false, QUESTION(
		"SELECT pg_catalog.to_jsonb(s)::pg_catalog.text"
		" FROM cp_webhook.maintenance_stats() s")},
	{"api", false, QUESTION(
		"SELECT pg_catalog.to_jsonb(s)::pg_catalog.text"
		" FROM cp_webhook.api_stats() s")},
	{"live", false, QUESTION(
		"SELECT pg_catalog.jsonb_build_object('newest', (SELECT d.id"
		" FROM cp_webhook.deliveries d ORDER BY d.id DESC LIMIT 1))"
		"::pg_catalog.text")},
	{"test", true, QUESTION(
		"SELECT cp_webhook.test_webhook($1)::pg_catalog.text")},
	{"redeliver", true, QUESTION(
		"SELECT pg_catalog.jsonb_build_object('delivery',"
		" cp_webhook.redeliver(" ARG("id") "::pg_catalog.uuid))"
		"::pg_catalog.text")},
	{"stop", true, QUESTION(
		"SELECT cp_webhook.stop_pipeline_execution("
		"pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
		"'pipelineName', $1 -> 'pipeline', 'pipelineExecutionId', $1 -> 'id',"
		" 'abandon', $1 -> 'abandon', 'reason', $1 -> 'reason')))"
		"::pg_catalog.text")},
	/* What ended is done once more: by its delivery, or as it was started. */
	{"retry", true, QUESTION(
		"SELECT CASE WHEN x.delivery IS NOT NULL"
		" THEN pg_catalog.jsonb_build_object('delivery',"
		"  cp_webhook.redeliver(x.delivery))"
		" ELSE cp_webhook.start_pipeline_execution("
		"  pg_catalog.jsonb_build_object('name', x.pipeline)"
		"  || COALESCE(x.request, '{}')) END::pg_catalog.text"
		" FROM cp_webhook.executions x"
		" WHERE x.id = " ARG("id") "::pg_catalog.uuid"
		" AND x.ended_at IS NOT NULL")},
};

static CpwStatement find_newest = {
	.sql = "SELECT d.id FROM cp_webhook.deliveries d ORDER BY d.id DESC LIMIT 1",
	.expected = SPI_OK_SELECT,
};

int
cpw_console_find(const char *name, size_t length)
{
	for (size_t i = 0; i < lengthof(questions); i++)
		if (strlen(questions[i].name) == length &&
			memcmp(questions[i].name, name, length) == 0)
			return (int) i;
	return -1;
}

bool
cpw_console_changes(int question)
{
	return questions[question].changes;
}

const char *
cpw_console_name(int question)
{
	return questions[question].name;
}

char *
cpw_console_ask(int question, Jsonb *parameters, MemoryContext context)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_jsonb(&arguments, parameters);
	if (cpw_arguments_execute(&questions[question].statement,
							  &arguments) == 0)
		return NULL;
	return cpw_statement_get_text(0, 1, context);
}

bool
cpw_console_newest(pg_uuid_t *id)
{
	if (cpw_statement_execute(&find_newest, NULL, NULL) == 0)
		return false;
	*id = cpw_statement_get_uuid(0, 1);
	return true;
}
