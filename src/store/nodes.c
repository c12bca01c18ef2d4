/*
 * nodes.c
 *		What nodes tell each other by logical replication.
 *
 * A publication names its columns, so that a node of the next version, whose
 * tables have more of them, does not send what the other side does not know
 * yet: not before the function is called again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "store/arguments.h"
#include "store/nodes.h"

typedef struct CpwPublication
{
	const char *name;
	const char *tables;
	const char *options;
} CpwPublication;

static const CpwPublication publications[] = {
	[CPW_PUBLISHED_DEFINITIONS] = {
		.name = "cp_webhook_definitions",
		.tables = "cp_webhook.webhook_definitions (id, name, token, pipeline,"
		" action, authentication, secret, previous_secret, verify_token,"
		" configuration, filters, error_code, error_message, created_at,"
		" updated_at),"
		" cp_webhook.pipeline_definitions (name, version, execution_mode,"
		" created_at, updated_at),"
		" cp_webhook.pipeline_versions (name, version, declaration,"
		" created_at),"
		" cp_webhook.resource_tags (resource_type, resource_name, key, value)",
		.options = "publish = 'insert, update, delete, truncate'",
	},

	/*
	 * What becomes of an execution is decided on the hub, and what is old is
	 * removed on each node by itself: only what is new is sent. xid and era
	 * are counted by each cluster. Of two nodes that are given the same
	 * clientRequestToken the second one's row would not fit in on the hub.
	 */
	[CPW_PUBLISHED_EVENTS] = {
		.name = "cp_webhook_events",
		.tables = "cp_webhook.executions (id, pipeline, version, action,"
		" trigger_type, trigger_detail, delivery, status, attempts,"
		" lease_holder, lease_until, result, reason, created_at, started_at,"
		" ended_at, updated_at, webhook_id, request, nonce, retry_at),"
		" cp_webhook.deliveries (id, received_at, webhook,"
		" provider_delivery_id, event, source_address, peer_address, outcome,"
		" reason, http_status, headers, payload, redelivery_of, webhook_id,"
		" signature)",
		.options = "publish = 'insert', publish_via_partition_root = true",
	},
};

static CpwStatement find_publication = {
	.sql = "SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement show_publication = {
	.sql = "SELECT pubname::pg_catalog.text, schemaname || '.' || tablename,"
	" attnames::pg_catalog.text[] FROM pg_catalog.pg_publication_tables"
	" WHERE pubname = $1 ORDER BY 2",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

void
cpw_nodes_publish(CpwPublished what, Tuplestorestate *store,
				  TupleDesc descriptor)
{
	const CpwPublication *p = &publications[what];

	if (cpw_arguments_execute_text(&find_publication, p->name) == 0)
		cpw_statement_run_utility(psprintf("CREATE PUBLICATION %s FOR TABLE %s"
										   " WITH (%s)", p->name, p->tables,
										   p->options));
	else
	{
		cpw_statement_run_utility(psprintf("ALTER PUBLICATION %s SET (%s)",
										   p->name, p->options));
		cpw_statement_run_utility(psprintf("ALTER PUBLICATION %s SET TABLE %s",
										   p->name, p->tables));
	}
	cpw_arguments_execute_text(&show_publication, p->name);
	cpw_statement_put_rows(store, descriptor);
}

/* r: ready; s: copied, and the subscription takes over. */
static CpwStatement count_copied = {
	.sql = "SELECT pg_catalog.count(DISTINCT r.srrelid)"
	" FROM pg_catalog.pg_subscription_rel r"
	" WHERE r.srsubstate IN ('r', 's') AND r.srrelid IN ("
	"  'cp_webhook.webhook_definitions'::pg_catalog.regclass,"
	"  'cp_webhook.pipeline_definitions'::pg_catalog.regclass,"
	"  'cp_webhook.pipeline_versions'::pg_catalog.regclass)",
	.expected = SPI_OK_SELECT,
};

#define DEFINITION_TABLES	3

bool
cpw_nodes_have_definitions(void)
{
	cpw_statement_execute(&count_copied, NULL, NULL);
	return cpw_statement_get_bigint(0, 1) == DEFINITION_TABLES;
}

/* ---- arrivals ---- */

/* A redelivery takes no part in deduplication, here as everywhere. */
static CpwStatement find_arrival = {
	.sql = "SELECT e.status = 'InProgress' AND e.lease_until IS NULL"
	" AND e.retry_at IS NULL, e.pipeline, d.id IS NOT NULL, d.id,"
	" d.webhook_id, d.webhook, d.event, d.received_at,"
	" CASE WHEN d.redelivery_of IS NULL THEN d.provider_delivery_id END"
	" FROM cp_webhook.executions e LEFT JOIN LATERAL (SELECT id, webhook_id,"
	"  webhook, event, received_at, redelivery_of, provider_delivery_id"
	"  FROM cp_webhook.deliveries WHERE id = e.delivery LIMIT 1) d ON true"
	" WHERE e.id = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {UUIDOID},
};

static CpwStatement keep_key = {
	.sql = "INSERT INTO cp_webhook.delivery_keys (webhook_id, key, execution)"
	" VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
	.expected = SPI_OK_INSERT,
	.parameters = 3,
	.types = {UUIDOID, TEXTOID, UUIDOID},
};

/* With a snapshot of its own: the insert may have waited for the other one. */
static CpwStatement find_key = {
	.sql = "SELECT execution FROM cp_webhook.delivery_keys"
	" WHERE webhook_id = $1 AND key = $2",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {UUIDOID, TEXTOID},
};

static CpwStatement supersede = {
	.sql = "UPDATE cp_webhook.executions SET status = 'Superseded',"
	" reason = 'another node has taken the same delivery: execution ' || $2,"
	" ended_at = pg_catalog.clock_timestamp(),"
	" updated_at = pg_catalog.clock_timestamp() WHERE id = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 2,
	.types = {UUIDOID, UUIDOID},
};

bool
cpw_nodes_find_arrival(const pg_uuid_t *execution, CpwArrival *arrival)
{
	MemoryContext context = CurrentMemoryContext;
	CpwArguments arguments = {0};

	memset(arrival, 0, sizeof(CpwArrival));
	cpw_arguments_add_uuid(&arguments, execution);
	if (cpw_arguments_execute(&find_arrival, &arguments) == 0)
		return false;
	arrival->execution = *execution;
	arrival->is_waiting = cpw_statement_get_bool(0, 1);
	arrival->pipeline = cpw_statement_get_text(0, 2, context);
	arrival->has_delivery = cpw_statement_get_bool(0, 3);
	if (!arrival->has_delivery)
		return true;
	arrival->delivery = cpw_statement_get_uuid(0, 4);
	arrival->webhook_id = cpw_statement_get_uuid(0, 5);
	arrival->webhook = cpw_statement_get_text(0, 6, context);
	arrival->event = cpw_statement_get_text(0, 7, context);
	arrival->received_at = cpw_statement_get_timestamp(0, 8);
	arrival->key = cpw_statement_get_text(0, 9, context);
	return true;
}

bool
cpw_nodes_keep_key(const CpwArrival *arrival, pg_uuid_t *first)
{
	CpwArguments insert = {0};
	CpwArguments find = {0};

	cpw_arguments_add_uuid(&insert, &arrival->webhook_id);
	cpw_arguments_add_text(&insert, arrival->key);
	cpw_arguments_add_uuid(&insert, &arrival->execution);
	if (cpw_arguments_execute(&keep_key, &insert) > 0)
		return true;
	cpw_arguments_add_uuid(&find, &arrival->webhook_id);
	cpw_arguments_add_text(&find, arrival->key);
	if (cpw_arguments_execute(&find_key, &find) == 0)
		return true;			/* just removed as too old */
	*first = cpw_statement_get_uuid(0, 1);
	return memcmp(first, &arrival->execution, UUID_LEN) == 0;
}

void
cpw_nodes_supersede(const pg_uuid_t *execution, const pg_uuid_t *first)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_uuid(&arguments, execution);
	cpw_arguments_add_uuid(&arguments, first);
	cpw_arguments_execute(&supersede, &arguments);
}
