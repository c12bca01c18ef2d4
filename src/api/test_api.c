/*
 * test_api.c
 *		test_webhook: why a delivery fires or does not, without firing it.
 */
#include "postgres.h"

#include "api/back_test.h"
#include "api/dry_run.h"
#include "api/explanation.h"
#include "api/operation.h"
#include "compat.h"
#include "fmgr.h"
#include "pg/declaration.h"
#include "pg/definition.h"
#include "store/pipelines.h"
#include "store/routes.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(cp_webhook_test_webhook);

/* Members that say which delivery: one of them. */
static const char *const delivery_members[] = {"body", "deliveryId", "since"};

/* Members that belong to a body, or (query) to a recorded delivery as well. */
static const struct
{
	const char *name;
	bool		with_delivery_id;
}			body_members[] = {
	{"headers", false},
	{"sourceAddress", false},
	{"query", true},
};

/* ---- the request ---- */

/* Collects members that are missing or do not go together. */
static void
check_members(JsonbContainer *request, CpwProblems *problems)
{
	const char *given = NULL;

	for (size_t i = 0; i < lengthof(delivery_members); i++)
	{
		const char *member = delivery_members[i];

		if (cpw_json_get(request, member) == NULL)
			continue;
		if (given != NULL)
			cpw_errors_add_violation(problems, member, CPW_MASK,
									 "Member must not be given together with '%s'",
									 given);
		else
			given = member;
	}
	if (given == NULL)
		cpw_errors_add_violation(problems, "body", NULL,
								 "Member must not be null, unless deliveryId or since is given");
	for (size_t i = 0; given != NULL && i < lengthof(body_members); i++)
	{
		const char *member = body_members[i].name;

		if (cpw_json_get(request, member) != NULL &&
			strcmp(given, "body") != 0 &&
			!(body_members[i].with_delivery_id &&
			  strcmp(given, "deliveryId") == 0))
			cpw_errors_add_violation(problems, member, CPW_MASK,
									 "Member must not be given together with '%s'",
									 given);
	}
	if (cpw_json_get(request, "name") != NULL &&
		cpw_json_get(request, "definition") != NULL)
		cpw_errors_add_violation(problems, "name",
								 cpw_json_get_text(request, "name"),
								 "Member must not be given together with 'definition', which has a name");
	if (cpw_json_get(request, "name") == NULL &&
		cpw_json_get(request, "definition") == NULL &&
		cpw_json_get(request, "deliveryId") == NULL)
		cpw_errors_add_violation(problems, "name", NULL,
								 "Member must not be null, unless definition or deliveryId is given");
}

static CpwRecorded *
find_delivery(JsonbContainer *request)
{
	char	   *text = cpw_json_get_text(request, "deliveryId");
	CpwRecorded *recorded;
	pg_uuid_t  *id;

	if (text == NULL)
		return NULL;
	recorded = palloc0(sizeof(CpwRecorded));
	id = DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
	if (!cpw_recorded_find(id, recorded))
		cpw_errors_raise(CPW_RESOURCE_NOT_FOUND, "At 'deliveryId'.",
						 "Take an id of cp_webhook.deliveries; what a sender calls its delivery is provider_delivery_id there.",
						 "delivery not found: '%s'", text);
	return recorded;
}

/* ---- the webhook ---- */

/* A definition that is not put, held to what put_webhook holds it to. */
static CpwRoute *
route_of_definition(JsonbContainer *request, const CpwRoute *known,
					CpwProblems *problems)
{
	CpwRoute   *route = palloc0(sizeof(CpwRoute));
	CpwDefinition *definition = cpw_definition_read(request, "definition",
													problems);
	Jsonb	   *declaration = NULL;
	CpwStoredAuthentication stored = {0};
	CpwPipeline pipeline;

	if (known != NULL)
	{
		stored.webhook_id = known->id;
		stored.sealed = known->sealed;
		stored.configuration = known->configuration;
	}
	cpw_definition_keep_secrets(definition, known ? &stored : NULL, problems);
	cpw_definition_check_filters(definition, problems);
	(void) cpw_pipelines_read(definition->pipeline, 0, &pipeline, &declaration);
	cpw_definition_check_target(definition, declaration, problems);
	cpw_errors_raise_all(problems);

	/* A known name keeps its id, and with it its keys and deliveries. */
	if (known != NULL)
	{
		route->id = known->id;
		route->token = known->token;
	}
	route->name = definition->name;
	route->pipeline = definition->pipeline;
	route->version = pipeline.version;
	route->action = definition->action;
	route->authentication = definition->authentication;
	route->secrets = definition->secrets;
	route->configuration = definition->configuration;
	route->filters = definition->filters;
	(void) cpw_declaration_find_action(declaration, definition->action,
									   &route->action_configuration);
	return route;
}

/*
 * The webhook that is tried: the request's definition, or the one of its name,
 * or that of the delivery. *known is the one of that name as it is put, NULL
 * where there is none.
 */
static CpwWebhook *
find_webhook(JsonbContainer *request, const CpwRecorded *recorded,
			 CpwProblems *problems, CpwRoute **known)
{
	JsonbContainer *definition = cpw_json_get_container(request,
														"definition");
	char	   *name = cpw_json_get_text(definition ? definition : request,
										 "name");
	const char *place = name == NULL ? "deliveryId" :
		definition != NULL ? "definition.name" : "name";
	bool		must_be_known = definition == NULL ||
		cpw_json_get(request, "since") != NULL;

	if (name == NULL && recorded != NULL)
		name = recorded->webhook;
	*known = cpw_routes_find_by_name(name);
	if (*known == NULL && must_be_known)
		cpw_errors_raise(CPW_WEBHOOK_NOT_FOUND, psprintf("At '%s'.", place),
						 "Name a webhook that list_webhooks shows; a definition alone can be tried on a body or on a deliveryId.",
						 "webhook not found: '%s'", name);
	if (definition == NULL)
		return cpw_dry_run_compile(*known);
	return cpw_dry_run_compile(route_of_definition(request, *known,
												  problems));
}

/* ---- the answer ---- */

static void
add_back_test(CpwJsonWriter *answer, CpwWebhook *webhook,
			  const CpwRoute *known, const char *since)
{
	CpwAuthentication before =
		cpw_webhook_authentication(known->authentication);

	cpw_back_test_add(answer, webhook, cpw_back_test_read_since(since));
	cpw_json_open_array(answer, "warnings");
	cpw_explanation_add_warnings(answer, webhook, true);
	if (webhook->key != NULL && before != webhook->authentication)
		cpw_json_add_text(answer, NULL,
						  psprintf("the recorded deliveries were not authenticated by %s: their signatures are taken as right where they have the form",
								   webhook->scheme->name));
	cpw_json_close_array(answer);
}

/*
 * test_webhook({"name" or "definition", "headers", "body", "query",
 * "sourceAddress"}), ({"deliveryId", ...}) or ({..., "since"}): what would
 * become of that delivery, or of the recorded ones. Stores nothing.
 */
Datum
cp_webhook_test_webhook(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_test_webhook);
	char	   *since = cpw_json_get_text(request, "since");
	CpwDryRun  *run = palloc0(sizeof(CpwDryRun));
	CpwProblems problems = {0};
	CpwJsonWriter answer = {0};
	CpwRecorded *recorded;
	CpwRoute   *known;

	check_members(request, &problems);
	if (cpw_json_get(request, "body") != NULL)
		cpw_dry_run_describe(run, request, &problems);
	cpw_errors_raise_all(&problems);
	recorded = find_delivery(request);
	run->webhook = find_webhook(request, recorded, &problems, &known);

	cpw_json_open_object(&answer, NULL);
	cpw_json_add_text(&answer, "webhook", run->webhook->name);
	if (since != NULL)
		add_back_test(&answer, run->webhook, known, since);
	else
	{
		if (recorded != NULL)
		{
			cpw_dry_run_recall(run, recorded,
							   cpw_json_get_text(request, "query"));
			cpw_json_add_text(&answer, "deliveryId",
							  cpw_json_get_text(request, "deliveryId"));
		}
		cpw_dry_run_judge(run);
		cpw_explanation_add(&answer, run);
	}
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}
