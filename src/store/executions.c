/*
 * executions.c
 *		The table executions, as the API's operations use it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/notification.h"
#include "pg/uuid7.h"
#include "store/arguments.h"
#include "store/executions.h"
#include "store/queues.h"

/* Greater than every id of ours. */
#define LAST_ID		"ffffffff-ffff-ffff-ffff-ffffffffffff"

static CpwStatement start_execution = {
	.sql = "INSERT INTO cp_webhook.executions (id, pipeline, version,"
	" trigger_type, trigger_detail, client_request_token, request,"
	" created_at, updated_at)"
	" VALUES ($1, $2, $3, 'StartPipelineExecution', $4, $5, $6, $7, $7)"
	" ON CONFLICT (pipeline, client_request_token)"
	" WHERE client_request_token IS NOT NULL DO NOTHING",
	.expected = SPI_OK_INSERT,
	.parameters = 7,
	.types = {UUIDOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, JSONBOID,
	TIMESTAMPTZOID},
};

static CpwStatement find_by_token = {
	.sql = "SELECT id::pg_catalog.text FROM cp_webhook.executions"
	" WHERE pipeline = $1 AND client_request_token = $2",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, TEXTOID},
};

/*
 * What read_execution() reads. The variables and revisions of the request have
 * other members than those of the answer.
 */
#define EXECUTION \
	"SELECT e.id::pg_catalog.text, e.pipeline, e.version, e.status, e.reason," \
	" e.trigger_type, e.trigger_detail, e.created_at, e.updated_at," \
	" COALESCE(v.declaration ->> 'executionMode', 'SUPERSEDED')," \
	" (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(" \
	"           pg_catalog.jsonb_build_object('name', r.value -> 'name'," \
	"             'resolvedValue', r.value -> 'value'))" \
	"           ORDER BY r.ordinality)" \
	"    FROM pg_catalog.jsonb_array_elements(e.request -> 'variables')" \
	"         WITH ORDINALITY r)," \
	" (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(" \
	"           pg_catalog.jsonb_build_object(" \
	"             'actionName', r.value -> 'actionName'," \
	"             'revisionId', r.value -> 'revisionValue'))" \
	"           ORDER BY r.ordinality)" \
	"    FROM pg_catalog.jsonb_array_elements(e.request -> 'sourceRevisions')" \
	"         WITH ORDINALITY r)" \
	" FROM cp_webhook.executions e" \
	" LEFT JOIN cp_webhook.pipeline_versions v" \
	" ON v.name = e.pipeline AND v.version = e.version"

static CpwStatement find_execution = {
	.sql = EXECUTION " WHERE e.pipeline = $1 AND e.id = $2::pg_catalog.uuid",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, TEXTOID},
};

/* One that has succeeded has done so in each of its version's stages. */
static CpwStatement list_executions = {
	.sql = EXECUTION " WHERE e.pipeline = $1 AND e.id < $2::pg_catalog.uuid"
	" AND ($4 IS NULL OR e.status = 'Succeeded' AND EXISTS"
	"      (SELECT FROM pg_catalog.jsonb_array_elements("
	"         v.declaration -> 'stages') s WHERE s.value ->> 'name' = $4))"
	" ORDER BY e.id DESC LIMIT $3",
	.expected = SPI_OK_SELECT,
	.parameters = 4,
	.types = {TEXTOID, TEXTOID, INT4OID, TEXTOID},
};

static CpwStatement lock_execution = {
	.sql = "SELECT status, COALESCE(lease_until >"
	" pg_catalog.clock_timestamp(), false) FROM cp_webhook.executions"
	" WHERE pipeline = $1 AND id = $2::pg_catalog.uuid FOR NO KEY UPDATE",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, TEXTOID},
};

static CpwStatement stop_execution = {
	.sql = "UPDATE cp_webhook.executions SET"
	" status = CASE WHEN $2 THEN 'Stopped' ELSE 'Stopping' END,"
	" reason = COALESCE($3, reason),"
	" ended_at = CASE WHEN $2 THEN pg_catalog.clock_timestamp() END,"
	" lease_until = CASE WHEN $2 THEN NULL ELSE lease_until END,"
	" nonce = CASE WHEN $2 THEN NULL ELSE nonce END, retry_at = NULL,"
	" updated_at = pg_catalog.clock_timestamp()"
	" WHERE id = $1::pg_catalog.uuid",
	.expected = SPI_OK_UPDATE,
	.parameters = 3,
	.types = {TEXTOID, BOOLOID, TEXTOID},
};

char *
cpw_executions_start(const CpwExecutionStart *start)
{
	CpwArguments arguments = {0};
	pg_uuid_t	id;
	TimestampTz now;
	CpwNotification notification = {
		.execution = &id, .pipeline = start->pipeline
	};

	cpw_uuid7_generate(&id, &now);
	cpw_arguments_add_uuid(&arguments, &id);
	cpw_arguments_add_text(&arguments, start->pipeline);
	cpw_arguments_add_int(&arguments, start->version);
	cpw_arguments_add_text(&arguments, start->trigger_detail);
	cpw_arguments_add_text(&arguments, start->client_request_token);
	cpw_arguments_add_jsonb(&arguments, start->request);
	cpw_arguments_add_timestamp(&arguments, now);
	if (cpw_arguments_execute(&start_execution, &arguments) == 0)
		return NULL;
	cpw_notification_send(&notification);
	return cpw_uuid7_text(&id);
}

/* The arguments of the statements that look for one execution. */
static uint64
execute_for(CpwStatement *statement, const char *pipeline, const char *key)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, pipeline);
	cpw_arguments_add_text(&arguments, key);
	return cpw_arguments_execute(statement, &arguments);
}

char *
cpw_executions_find_by_token(const char *pipeline, const char *token)
{
	if (execute_for(&find_by_token, pipeline, token) == 0)
		return NULL;
	return cpw_statement_get_text(0, 1, CurrentMemoryContext);
}

static void
read_execution(uint64 row, CpwExecution *execution)
{
	MemoryContext context = CurrentMemoryContext;

	execution->id = cpw_statement_get_text(row, 1, context);
	execution->pipeline = cpw_statement_get_text(row, 2, context);
	execution->version = cpw_statement_get_int(row, 3);
	execution->status = cpw_statement_get_text(row, 4, context);
	execution->reason = cpw_statement_get_text(row, 5, context);
	execution->trigger_type = cpw_statement_get_text(row, 6, context);
	execution->trigger_detail = cpw_statement_get_text(row, 7, context);
	execution->created_at = cpw_statement_get_timestamp(row, 8);
	execution->updated_at = cpw_statement_get_timestamp(row, 9);
	execution->execution_mode = cpw_statement_get_text(row, 10, context);
	execution->variables = cpw_statement_get_jsonb(row, 11, context);
	execution->source_revisions = cpw_statement_get_jsonb(row, 12, context);
}

CpwExecution *
cpw_executions_find(const char *pipeline, const char *id)
{
	CpwExecution *execution = palloc0(sizeof(CpwExecution));

	if (execute_for(&find_execution, pipeline, id) == 0)
		return NULL;
	read_execution(0, execution);
	return execution;
}

int
cpw_executions_list(const CpwExecutionPage *page, CpwExecution **executions)
{
	CpwArguments arguments = {0};
	uint64		rows;

	cpw_arguments_add_text(&arguments, page->pipeline);
	cpw_arguments_add_text(&arguments,
						   *page->before != '\0' ? page->before : LAST_ID);
	cpw_arguments_add_int(&arguments, page->limit);
	cpw_arguments_add_text(&arguments, page->succeeded_in_stage);
	rows = cpw_arguments_execute(&list_executions, &arguments);
	*executions = palloc0(sizeof(CpwExecution) * Max(rows, 1));
	for (uint64 row = 0; row < rows; row++)
		read_execution(row, &(*executions)[row]);
	return (int) rows;
}

bool
cpw_executions_lock(const char *pipeline, const char *id, char **status,
					bool *is_claimed)
{
	if (execute_for(&lock_execution, pipeline, id) == 0)
		return false;
	*status = cpw_statement_get_text(0, 1, CurrentMemoryContext);
	*is_claimed = cpw_statement_get_bool(0, 2);
	return true;
}

void
cpw_executions_stop(const char *pipeline, const char *id, bool at_once, const char *reason)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, id);
	cpw_arguments_add_bool(&arguments, at_once);
	cpw_arguments_add_text(&arguments, reason);
	cpw_arguments_execute(&stop_execution, &arguments);
	if (at_once)
		cpw_queues_announce(pstrdup(pipeline));
}
