/*
 * registration_api.c
 *		register_webhook_with_third_party, deregister_webhook_with_third_party.
 *
 * Both only write down what is wished: the maintenance worker goes to the third
 * party after the commit, so that no transaction waits for a network and
 * nothing that is rolled back has happened.
 */
#include "postgres.h"

#include "api/operation.h"
#include "compat.h"
#include "pg/node.h"
#include "pg/third_party.h"
#include "store/pipelines.h"
#include "store/registrations.h"
#include "store/routes.h"
#include "store/webhooks.h"

PG_FUNCTION_INFO_V1(cp_webhook_register_webhook_with_third_party);
PG_FUNCTION_INFO_V1(cp_webhook_deregister_webhook_with_third_party);

/* A webhook that is put over and over again while it is looked up. */
#define MAX_LOOKS	5

_Noreturn static void
raise_not_found(const char *name)
{
	cpw_errors_raise(CPW_WEBHOOK_NOT_FOUND, "At 'webhookName'.",
					 "Put the webhook first, or name one that list_webhooks shows.",
					 "webhook not found: '%s'", name);
}

/*
 * The webhook, locked, and its pipeline's declaration, locked before it as
 * put_webhook and update_pipeline do; NULL where there is no pipeline.
 */
static CpwRoute *
lock_webhook(const char *name, Jsonb **declaration)
{
	for (int i = 0; i < MAX_LOOKS; i++)
	{
		CpwRoute   *route = cpw_routes_find_by_name(name);
		CpwRoute   *locked;
		CpwStoredAuthentication stored;
		CpwPipeline pipeline;

		if (route == NULL)
			raise_not_found(name);
		*declaration = NULL;
		if (cpw_pipelines_find(route->pipeline, CPW_PIPELINE_SHARE, &pipeline))
			*declaration = cpw_pipelines_declaration(pipeline.name,
													 pipeline.version);
		if (!cpw_webhooks_lock(name, &stored))
			raise_not_found(name);
		locked = cpw_routes_find_by_name(name);
		if (locked == NULL)
			raise_not_found(name);
		if (strcmp(locked->pipeline, route->pipeline) == 0)
			return locked;
	}
	cpw_errors_raise(CPW_CONCURRENT_MODIFICATION, "At 'webhookName'.",
					 "Repeat the request in a new transaction.",
					 "webhook '%s' is changed by others all the time", name);
}

_Noreturn static void
raise_unsupported(const char *name, const char *constraint)
{
	CpwProblems problems = {0};

	cpw_errors_add_violation(&problems, "webhookName", name,
							 "Member must be the name of a webhook whose %s",
							 constraint);
	cpw_errors_raise_all(&problems);
	pg_unreachable();
}

/* Its deliveries would be rejected, all of them. */
static void
warn_of_authentication(const CpwRoute *route, const CpwProvider *provider)
{
	if (route->sealed.token == NULL)
		return;
	if (cpw_provider_signs(provider, route->authentication))
		return;
	ereport(NOTICE,
			(errmsg("%s does not send what %s checks: its deliveries will be rejected",
					provider->shown, route->authentication),
			 errhint("Put the webhook with another authentication.")));
}

/* register_webhook_with_third_party({"webhookName"}) returns {}. */
Datum
cp_webhook_register_webhook_with_third_party(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_register_webhook);
	char	   *name = cpw_json_get_text(request, "webhookName");
	Jsonb	   *declaration;
	CpwRoute   *route;
	CpwThirdParty party;
	const char *code;
	char	   *problem;

	cpw_node_check_defines("register_webhook_with_third_party");
	route = lock_webhook(name, &declaration);
	if (declaration == NULL)
		raise_unsupported(name, psprintf("target pipeline exists, which '%s' does not",
										 route->pipeline));
	problem = cpw_third_party_read(declaration, route->pipeline, route->action,
								   &party);
	if (problem != NULL)
		raise_unsupported(name, psprintf("target action %s", problem));
	problem = cpw_third_party_forbidden(party.api_url, &code);
	if (problem != NULL)
		raise_unsupported(name, psprintf("third party may be talked to: %s",
										 problem));
	warn_of_authentication(route, party.provider);
	cpw_registrations_register(&route->id, name, route->token, &party,
							   CPW_REGISTER);
	return cpw_operation_end_empty();
}

/*
 * deregister_webhook_with_third_party({"webhookName"}) returns {}, also where
 * the webhook is not registered.
 */
Datum
cp_webhook_deregister_webhook_with_third_party(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_register_webhook);
	char	   *name = cpw_json_get_text(request, "webhookName");
	CpwStoredAuthentication stored;

	cpw_node_check_defines("deregister_webhook_with_third_party");
	if (!cpw_webhooks_lock(name, &stored))
		raise_not_found(name);
	(void) cpw_registrations_deregister(&stored.webhook_id, false);
	return cpw_operation_end_empty();
}
