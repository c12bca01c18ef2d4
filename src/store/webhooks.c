/*
 * webhooks.c
 *		The table webhook_definitions.
 *
 * What is shown comes from the view webhooks, which is also where the time of
 * the last trigger is worked out.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/hex_base64.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/uuid7.h"
#include "store/arguments.h"
#include "store/webhooks.h"

/* The error codes that definitions cause: names of put_webhook's exceptions. */
#define DEFINITION_ERRORS \
	"('PipelineNotFoundException', 'ValidationException'," \
	" 'InvalidWebhookFilterPatternException')"

static CpwStatement lock_webhook = {
	.sql = "SELECT w.id, w.configuration, " CPW_SECRET_COLUMNS("w")
	" FROM cp_webhook.webhook_definitions w"
	" WHERE w.name = $1 FOR NO KEY UPDATE",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement lock_secrets = {
	.sql = "SELECT w.id, " CPW_SECRET_COLUMNS("w")
	" FROM cp_webhook.webhook_definitions w"
	" WHERE COALESCE(" CPW_SECRET_COLUMNS("w") ") IS NOT NULL"
	" ORDER BY w.id FOR NO KEY UPDATE",
	.expected = SPI_OK_SELECT,
};

static CpwStatement update_secrets = {
	.sql = "UPDATE cp_webhook.webhook_definitions SET secret = $2,"
	" previous_secret = $3, verify_token = $4 WHERE id = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 4,
	.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID},
};

static CpwStatement find_webhook = {
	.sql = "SELECT FROM cp_webhook.webhook_definitions WHERE name = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement lock_creation = {
	.sql = "SELECT pg_catalog.pg_advisory_xact_lock("
	"pg_catalog.hashtextextended('cp_webhook.webhook_definitions', 0))",
	.expected = SPI_OK_SELECT,
};

static CpwStatement count_webhooks = {
	.sql = "SELECT pg_catalog.count(*) FROM cp_webhook.webhook_definitions",
	.expected = SPI_OK_SELECT,
};

static CpwStatement insert_webhook = {
	.sql = "INSERT INTO cp_webhook.webhook_definitions (id, token, name,"
	" pipeline, action, authentication, configuration, filters, secret,"
	" previous_secret, verify_token)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
	" ON CONFLICT (name) DO NOTHING",
	.expected = SPI_OK_INSERT,
	.parameters = 11,
	.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID,
	JSONBOID, TEXTOID, TEXTOID, TEXTOID},
};

static CpwStatement update_webhook = {
	.sql = "UPDATE cp_webhook.webhook_definitions SET pipeline = $2,"
	" action = $3, authentication = $4, configuration = $5, filters = $6,"
	" secret = $7, previous_secret = $8, verify_token = $9, updated_at = pg_catalog.clock_timestamp(),"
	" error_code = CASE WHEN error_code IN " DEFINITION_ERRORS
	" THEN NULL ELSE error_code END,"
	" error_message = CASE WHEN error_code IN " DEFINITION_ERRORS
	" THEN NULL ELSE error_message END"
	" WHERE name = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 9,
	.types = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, JSONBOID, TEXTOID,
	TEXTOID, TEXTOID},
};

static CpwStatement delete_webhook = {
	.sql = "WITH gone AS (DELETE FROM cp_webhook.webhook_definitions"
	"              WHERE name = $1 RETURNING id),"
	" counters AS (DELETE FROM cp_webhook.webhook_counters c"
	"              USING gone WHERE c.webhook_id = gone.id),"
	" minutes AS (DELETE FROM cp_webhook.webhook_minutes m"
	"              USING gone WHERE m.webhook_id = gone.id)"
	" SELECT id FROM gone",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

/* The columns that read_item() reads. */
#define ITEM_COLUMNS \
	"w.name, w.pipeline, w.action, w.authentication, w.configuration," \
	" w.filters, w.url, w.arn, w.error_code, w.error_message," \
	" w.last_triggered," \
	" COALESCE((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(" \
	"                    'key', t.key, 'value', t.value) ORDER BY t.key)" \
	"             FROM cp_webhook.resource_tags t" \
	"            WHERE t.resource_type = 'webhook'" \
	"              AND t.resource_name = w.name), '[]')"

static CpwStatement find_item = {
	.sql = "SELECT " ITEM_COLUMNS " FROM cp_webhook.webhooks w"
	" WHERE w.name = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement list_items = {
	.sql = "SELECT " ITEM_COLUMNS " FROM cp_webhook.webhooks w"
	" WHERE w.name > $1 ORDER BY w.name LIMIT $2",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, INT4OID},
};

static CpwStatement of_pipeline = {
	.sql = "SELECT name, pipeline, action, authentication, configuration,"
	" filters FROM cp_webhook.webhook_definitions WHERE pipeline = $1"
	" ORDER BY name",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

/* Another one when any of them was put, changed or deleted. */
static CpwStatement state_of_pipeline = {
	.sql = "SELECT COALESCE(pg_catalog.string_agg("
	"id::pg_catalog.text || ' ' || xmin::pg_catalog.text, ' ' ORDER BY id), '')"
	" FROM cp_webhook.webhook_definitions WHERE pipeline = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement set_error = {
	.sql = "UPDATE cp_webhook.webhook_definitions"
	" SET error_code = $3, error_message = $4"
	" WHERE name = $1 AND pipeline = $2"
	" AND (error_code, error_message) IS DISTINCT FROM ($3, $4)"
	" AND (error_code IS NULL OR error_code IN " DEFINITION_ERRORS ")",
	.expected = SPI_OK_UPDATE,
	.parameters = 4,
	.types = {TEXTOID, TEXTOID, TEXTOID, TEXTOID},
};

static CpwStatement set_registration_error = {
	.sql = "UPDATE cp_webhook.webhook_definitions"
	" SET error_code = $2, error_message = $3 WHERE id = $1"
	" AND (error_code, error_message) IS DISTINCT FROM ($2, $3)"
	" AND (error_code IS NULL OR error_code NOT IN " DEFINITION_ERRORS ")",
	.expected = SPI_OK_UPDATE,
	.parameters = 3,
	.types = {UUIDOID, TEXTOID, TEXTOID},
};

/* ---- secrets: read and written here alone ---- */

void
cpw_webhooks_read_secrets(uint64 row, int column, CpwSecrets *sealed)
{
	MemoryContext context = CurrentMemoryContext;

	sealed->token = cpw_statement_get_text(row, column, context);
	sealed->previous = cpw_statement_get_text(row, column + 1, context);
	sealed->verify = cpw_statement_get_text(row, column + 2, context);
}

static void
add_secrets(CpwArguments *arguments, const CpwSecrets *sealed)
{
	cpw_arguments_add_text(arguments, sealed->token);
	cpw_arguments_add_text(arguments, sealed->previous);
	cpw_arguments_add_text(arguments, sealed->verify);
}

/* ---- writing ---- */

bool
cpw_webhooks_lock(const char *name, CpwStoredAuthentication *stored)
{
	if (cpw_arguments_execute_text(&lock_webhook, name) == 0)
		return false;
	stored->webhook_id = cpw_statement_get_uuid(0, 1);
	stored->configuration = cpw_statement_get_jsonb(0, 2, CurrentMemoryContext);
	cpw_webhooks_read_secrets(0, 3, &stored->sealed);
	return true;
}

int64
cpw_webhooks_reseal(void)
{
	uint64		rows = cpw_statement_execute(&lock_secrets, NULL, NULL);
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(rows, 1));
	CpwSecrets *sealed = palloc(sizeof(CpwSecrets) * Max(rows, 1));
	int64		count = 0;

	/* The next statement takes the place of this result. */
	for (uint64 row = 0; row < rows; row++)
	{
		ids[row] = cpw_statement_get_uuid(row, 1);
		cpw_webhooks_read_secrets(row, 2, &sealed[row]);
	}
	for (uint64 row = 0; row < rows; row++)
	{
		CpwArguments arguments = {0};

		if (!cpw_secrets_reseal(&sealed[row], &ids[row]))
			continue;
		cpw_arguments_add_uuid(&arguments, &ids[row]);
		add_secrets(&arguments, &sealed[row]);
		cpw_arguments_execute(&update_secrets, &arguments);
		count++;
	}
	return count;
}

bool
cpw_webhooks_exists(const char *name)
{
	return cpw_arguments_execute_text(&find_webhook, name) > 0;
}

void
cpw_webhooks_require_new(const char *name)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, name);
	if (cpw_arguments_execute_latest(&find_webhook, &arguments) > 0)
		cpw_statement_raise_outdated(psprintf("Another transaction has put webhook '%s' since this one began.",
											  name));
}

int64
cpw_webhooks_lock_count(void)
{
	cpw_statement_execute(&lock_creation, NULL, NULL);
	cpw_statement_execute_latest(&count_webhooks, NULL, NULL);
	return cpw_statement_get_bigint(0, 1);
}

/* The secret part of a URL: 256 random bits. */
static char *
make_token(void)
{
	uint8_t		bytes[CPW_TOKEN_BYTES];
	char	   *token = palloc(CPW_BASE64_SIZE(CPW_TOKEN_BYTES));

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	cpw_base64_encode(CPW_BASE64_URL, bytes, sizeof(bytes), token);
	return token;
}

static void
add_definition(CpwArguments *arguments, const CpwDefinition *definition,
			   const pg_uuid_t *id)
{
	CpwSecrets	sealed;

	cpw_secrets_seal(&definition->secrets, id, &sealed);
	cpw_arguments_add_text(arguments, definition->name);
	cpw_arguments_add_text(arguments, definition->pipeline);
	cpw_arguments_add_text(arguments, definition->action);
	cpw_arguments_add_text(arguments, definition->authentication);
	cpw_arguments_add_jsonb(arguments, definition->configuration);
	cpw_arguments_add_jsonb(arguments, definition->filters);
	add_secrets(arguments, &sealed);
}

bool
cpw_webhooks_insert(const CpwDefinition *definition)
{
	CpwArguments arguments = {0};
	pg_uuid_t	id;

	cpw_uuid7_generate(&id, NULL);
	cpw_arguments_add_uuid(&arguments, &id);
	cpw_arguments_add_text(&arguments, make_token());
	add_definition(&arguments, definition, &id);
	return cpw_arguments_execute(&insert_webhook, &arguments) == 1;
}

void
cpw_webhooks_update(const CpwDefinition *definition, const pg_uuid_t *id)
{
	CpwArguments arguments = {0};

	add_definition(&arguments, definition, id);
	cpw_arguments_execute(&update_webhook, &arguments);
}

bool
cpw_webhooks_delete(const char *name, pg_uuid_t *id)
{
	if (cpw_arguments_execute_text(&delete_webhook, name) == 0)
		return false;
	*id = cpw_statement_get_uuid(0, 1);
	return true;
}

/* ---- reading ---- */

/* The columns with which each query above begins. */
static void
read_definition(uint64 row, CpwDefinition *definition)
{
	MemoryContext context = CurrentMemoryContext;

	definition->name = cpw_statement_get_text(row, 1, context);
	definition->pipeline = cpw_statement_get_text(row, 2, context);
	definition->action = cpw_statement_get_text(row, 3, context);
	definition->authentication = cpw_statement_get_text(row, 4, context);
	definition->configuration = cpw_statement_get_jsonb(row, 5, context);
	definition->filters = cpw_statement_get_jsonb(row, 6, context);
}

static void
read_item(uint64 row, CpwWebhookItem *item)
{
	MemoryContext context = CurrentMemoryContext;

	read_definition(row, &item->definition);
	item->url = cpw_statement_get_text(row, 7, context);
	item->arn = cpw_statement_get_text(row, 8, context);
	item->error_code = cpw_statement_get_text(row, 9, context);
	item->error_message = cpw_statement_get_text(row, 10, context);
	item->last_triggered = cpw_statement_get_timestamp(row, 11);
	item->tags = cpw_statement_get_jsonb(row, 12, context);
}

CpwWebhookItem *
cpw_webhooks_find_item(const char *name)
{
	CpwWebhookItem *item = palloc0(sizeof(CpwWebhookItem));

	if (cpw_arguments_execute_text(&find_item, name) == 0)
		return NULL;
	read_item(0, item);
	return item;
}

int
cpw_webhooks_list(const char *after, int limit, CpwWebhookItem **items)
{
	CpwArguments arguments = {0};
	uint64		rows;

	cpw_arguments_add_text(&arguments, after);
	cpw_arguments_add_int(&arguments, limit);
	rows = cpw_arguments_execute(&list_items, &arguments);
	*items = palloc0(sizeof(CpwWebhookItem) * Max(rows, 1));
	for (uint64 row = 0; row < rows; row++)
		read_item(row, &(*items)[row]);
	return (int) rows;
}

/* Where the snapshot is as old as the transaction, it may be too old. */
static void
check_state(const char *pipeline)
{
	CpwArguments arguments = {0};
	char	   *state;

	if (!IsolationUsesXactSnapshot())
		return;
	cpw_arguments_add_text(&arguments, pipeline);
	cpw_arguments_execute(&state_of_pipeline, &arguments);
	state = cpw_statement_get_text(0, 1, CurrentMemoryContext);
	cpw_arguments_execute_latest(&state_of_pipeline, &arguments);
	if (strcmp(state, cpw_statement_get_text(0, 1, CurrentMemoryContext)) != 0)
		cpw_statement_raise_outdated(psprintf("Another transaction has put or deleted a webhook of pipeline '%s' since this one began.",
											  pipeline));
}

int
cpw_webhooks_of_pipeline(const char *pipeline, CpwDefinition **definitions)
{
	uint64		rows;

	check_state(pipeline);
	rows = cpw_arguments_execute_text(&of_pipeline, pipeline);
	*definitions = palloc0(sizeof(CpwDefinition) * Max(rows, 1));
	for (uint64 row = 0; row < rows; row++)
		read_definition(row, &(*definitions)[row]);
	return (int) rows;
}

void
cpw_webhooks_set_error(const CpwDefinition *definition, const char *code,
					   const char *message)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, definition->name);
	cpw_arguments_add_text(&arguments, definition->pipeline);
	cpw_arguments_add_text(&arguments, code);
	cpw_arguments_add_text(&arguments, message);
	cpw_arguments_execute(&set_error, &arguments);
}

void
cpw_webhooks_set_registration_error(const pg_uuid_t *id, const char *code,
									const char *message)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_uuid(&arguments, id);
	cpw_arguments_add_text(&arguments, code);
	cpw_arguments_add_text(&arguments, message);
	cpw_arguments_execute(&set_registration_error, &arguments);
}
