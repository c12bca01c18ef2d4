/*
 * webhook.c
 *		A webhook compiled: what a delivery on it is judged by.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "pg/guard.h"
#include "pg/json.h"
#include "pg/settings.h"
#include "pg/webhook.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

CpwAuthentication
cpw_webhook_authentication(const char *name)
{
	static const struct
	{
		const char *name;
		CpwAuthentication authentication;
	}			names[] = {
		{"GITHUB_HMAC", CPW_AUTHENTICATION_GITHUB_HMAC},
		{"IP", CPW_AUTHENTICATION_IP},
		{"UNAUTHENTICATED", CPW_AUTHENTICATION_UNAUTHENTICATED},
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].authentication;
	return CPW_AUTHENTICATION_NONE;
}

typedef struct Compilation
{
	const CpwRoute *route;
	CpwWebhook *webhook;
} Compilation;

static void
compile_filters(const CpwRoute *route, CpwWebhook *webhook)
{
	JsonbContainer *rules = &route->filters->root;
	int			count = cpw_json_length(rules);

	webhook->filters = palloc0(sizeof(CpwFilter *) * Max(count, 1));
	webhook->wanted = palloc0(sizeof(char *) * Max(count, 1));
	webhook->shown = palloc0(sizeof(char *) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *rule = cpw_json_element(rules, i);
		char	   *path = cpw_json_get_text(rule, "jsonPath");
		CpwFilter  *filter;
		char	   *missing;

		/* The table can be changed by hand. */
		if (path == NULL)
			elog(ERROR, "filter %d has no jsonPath", i + 1);
		filter = cpw_filter_compile(path,
									cpw_json_get_text(rule, "matchEquals"));
		webhook->filters[i] = filter;
		webhook->uses_variables |= filter->reads_headers || filter->reads_query;
		if (filter->match_equals == NULL)
			continue;
		webhook->wanted[i] = cpw_filter_expand(filter->match_equals,
											   route->action_configuration,
											   false, &missing);
		webhook->shown[i] = cpw_filter_expand(filter->match_equals,
											  route->action_configuration,
											  true, NULL);
		if (webhook->wanted[i] == NULL && webhook->broken == NULL)
			webhook->broken =
				psprintf("filter %d: action \"%s\" has no configuration \"%s\"",
						 i + 1, route->action, missing);
	}
	webhook->filter_count = count;
}

/* The part that an odd definition can make fail. */
static void
compile(void *arg)
{
	Compilation *compilation = arg;
	const CpwRoute *route = compilation->route;
	CpwWebhook *webhook = compilation->webhook;

	if (webhook->authentication == CPW_AUTHENTICATION_IP)
	{
		char	   *range = cpw_json_get_text(&route->configuration->root,
											  "AllowedIPRange");

		if (range != NULL)
			webhook->range = DatumGetInetPP(DirectFunctionCall1(cidr_in,
																CStringGetDatum(range)));
	}
	compile_filters(route, webhook);
}

CpwWebhook *
cpw_webhook_compile(const CpwRoute *route)
{
	CpwWebhook *webhook = palloc0(sizeof(CpwWebhook));
	Compilation compilation = {route, webhook};
	ErrorData  *error;

	webhook->id = route->id;
	webhook->name = pstrdup(route->name);
	webhook->arn = cpw_settings_webhook_arn(route->name);
	webhook->pipeline = pstrdup(route->pipeline);
	webhook->version = route->version;
	webhook->action = pstrdup(route->action);
	webhook->authentication =
		cpw_webhook_authentication(route->authentication);
	if (route->version == 0)
		webhook->broken = pstrdup("pipeline not found");
	error = cpw_guard_run(compile, &compilation);
	if (error != NULL)
	{
		webhook->filter_count = 0;
		webhook->broken = psprintf("definition cannot be evaluated: %s",
								   error->message);
	}
	if (webhook->authentication == CPW_AUTHENTICATION_GITHUB_HMAC &&
		route->secret != NULL)
	{
		webhook->secret = pstrdup(route->secret);
		webhook->key = cpw_signature_key_create(webhook->authentication,
												route->secret,
												strlen(route->secret));
	}
	return webhook;
}

char *
cpw_webhook_unsigned_warning(CpwAuthentication authentication,
							 const CpwFilter *filter, int number)
{
	if (authentication != CPW_AUTHENTICATION_GITHUB_HMAC ||
		(!filter->reads_headers && !filter->reads_query))
		return NULL;
	return psprintf("filter %d reads %s%s%s, which the signature does not cover",
					number, filter->reads_headers ? "$headers" : "",
					filter->reads_headers && filter->reads_query ? " and " : "",
					filter->reads_query ? "$query" : "");
}
