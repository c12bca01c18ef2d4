/*
 * routes.c
 *		What a receiver needs to know of the webhooks behind tokens.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/declaration.h"
#include "store/arguments.h"
#include "store/routes.h"
#include "store/statement.h"
#include "store/webhooks.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/*
 * The action's configuration is that of the pipeline's current version; the
 * target action is one of its first stage.
 */
#define ROUTE_QUERY \
	"SELECT w.token, w.id, w.name, w.pipeline, w.action," \
	" w.authentication, w.configuration, w.filters, p.version," \
	" (SELECT a.value -> 'configuration'" \
	"    FROM pg_catalog.jsonb_array_elements(v.declaration #> '{stages,0,actions}') a" \
	"   WHERE a.value ->> 'name' = w.action LIMIT 1)," \
	" " CPW_SECRET_COLUMNS("w") \
	" FROM cp_webhook.webhook_definitions w" \
	" LEFT JOIN cp_webhook.pipeline_definitions p ON p.name = w.pipeline" \
	" LEFT JOIN cp_webhook.pipeline_versions v" \
	" ON v.name = p.name AND v.version = p.version"

static CpwStatement find_routes = {
	.sql = ROUTE_QUERY " WHERE w.token = ANY ($1)",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTARRAYOID},
};

static CpwStatement find_route_by_name = {
	.sql = ROUTE_QUERY " WHERE w.name = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

/* Opens what is sealed. What does not open must not look like no secret. */
static void
open_secrets(CpwRoute *route)
{
	cpw_secrets_try_open(&route->sealed, &route->id, &route->secrets,
						 &route->secret_problem);
	if (route->action_configuration != NULL)
		route->action_configuration =
			cpw_declaration_open_configuration(route->action_configuration,
											   route->pipeline, route->action,
											   &route->configuration_problem);
}

static void
read_route(uint64 row, CpwRoute *route)
{
	MemoryContext context = CurrentMemoryContext;

	route->token = cpw_statement_get_text(row, 1, context);
	route->id = cpw_statement_get_uuid(row, 2);
	route->name = cpw_statement_get_text(row, 3, context);
	route->pipeline = cpw_statement_get_text(row, 4, context);
	route->action = cpw_statement_get_text(row, 5, context);
	route->authentication = cpw_statement_get_text(row, 6, context);
	route->configuration = cpw_statement_get_jsonb(row, 7, context);
	route->filters = cpw_statement_get_jsonb(row, 8, context);
	if (!cpw_statement_is_null(row, 9))
		route->version = cpw_statement_get_int(row, 9);
	route->action_configuration = cpw_statement_get_jsonb(row, 10, context);
	cpw_webhooks_read_secrets(row, 11, &route->sealed);
	open_secrets(route);
}

int
cpw_routes_find(const char *const *tokens, int count, CpwRoute **routes)
{
	Datum	   *elements = palloc(sizeof(Datum) * count);
	Datum		values[1];
	int			found;

	for (int i = 0; i < count; i++)
		elements[i] = CStringGetTextDatum(tokens[i]);
	values[0] = PointerGetDatum(construct_array(elements, count, TEXTOID,
												-1, false, TYPALIGN_INT));
	found = (int) cpw_statement_execute(&find_routes, values, NULL);
	*routes = palloc0(sizeof(CpwRoute) * Max(found, 1));
	for (int i = 0; i < found; i++)
		read_route(i, &(*routes)[i]);
	SPI_freetuptable(SPI_tuptable);
	return found;
}

CpwRoute *
cpw_routes_find_by_name(const char *name)
{
	CpwRoute   *route;

	if (cpw_arguments_execute_text(&find_route_by_name, name) == 0)
		return NULL;
	route = palloc0(sizeof(CpwRoute));
	read_route(0, route);
	SPI_freetuptable(SPI_tuptable);
	return route;
}

Oid
cpw_routes_table(void)
{
	Oid			schema = get_namespace_oid("cp_webhook", true);

	if (!OidIsValid(schema))
		return InvalidOid;
	return get_relname_relid("webhook_definitions", schema);
}
