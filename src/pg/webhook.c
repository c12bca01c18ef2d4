/*
 * webhook.c
 *		A webhook compiled: what a delivery on it is judged by.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/authentication.h"
#include "pg/guard.h"
#include "pg/json.h"
#include "pg/settings.h"
#include "pg/webhook.h"

CpwAuthentication
cpw_webhook_authentication(const char *name)
{
	return cpw_scheme_authentication(cpw_scheme_find(name));
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
		if (webhook->wanted[i] == NULL && route->configuration_problem != NULL)
			webhook->unavailable = pstrdup(route->configuration_problem);
		else if (webhook->wanted[i] == NULL && webhook->broken == NULL)
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

	webhook->range_count =
		cpw_authentication_ranges(&route->configuration->root,
								  &webhook->ranges);
	compile_filters(route, webhook);
}

static char *
copy(const char *text)
{
	return text != NULL ? pstrdup(text) : NULL;
}

/*
 * The lower-case name of the header whose value is compared with a secret as
 * it is, not a signature; NULL: there is none. It is known without a key: what
 * is refused for want of one may hold a secret all the same.
 */
static char *
secret_header_of(const CpwScheme *scheme, const CpwSignatureSettings *settings)
{
	const char *header = scheme->takes_headers ? settings->header :
		scheme->ways[0].header;
	char	   *lower;

	if (settings->algorithm != CPW_ALGORITHM_TOKEN || header == NULL)
		return NULL;
	lower = pstrdup(header);
	for (char *c = lower; *c != '\0'; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return lower;
}

/*
 * The key that verifies. Without one nobody passes, as when the table was
 * changed by hand to something that is no definition.
 */
static void
make_key(const CpwRoute *route, CpwWebhook *webhook)
{
	CpwSignatureSettings settings;

	if (!cpw_authentication_settings(route->authentication,
									 &route->configuration->root,
									 &route->secrets, &settings))
		return;
	webhook->secret_header = secret_header_of(webhook->scheme, &settings);

	/* The secrets that do open are not enough. */
	if (route->secret_problem != NULL)
		return;
	webhook->secret = copy(route->secrets.token);
	webhook->previous_secret = copy(route->secrets.previous);
	webhook->verify_token = copy(route->secrets.verify);
	webhook->key = cpw_signature_key_make(&settings);
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
	webhook->scheme = cpw_scheme_of(webhook->authentication);
	webhook->token = copy(route->token);
	webhook->range_count = -1;	/* until they are read */
	if (route->version == 0)
		webhook->broken = pstrdup("pipeline not found");
	if (route->secret_problem != NULL)
		webhook->unavailable = pstrdup(route->secret_problem);
	error = cpw_guard_run(compile, &compilation);
	if (error != NULL)
	{
		webhook->filter_count = 0;
		webhook->broken = psprintf("definition cannot be evaluated: %s",
								   error->message);
	}
	make_key(route, webhook);
	return webhook;
}

char *
cpw_webhook_unsigned_warning(CpwAuthentication authentication,
							 const CpwFilter *filter, int number)
{
	if (!cpw_scheme_signs(cpw_scheme_of(authentication)) ||
		(!filter->reads_headers && !filter->reads_query))
		return NULL;
	return psprintf("filter %d reads %s%s%s, which the signature does not cover",
					number, filter->reads_headers ? "$headers" : "",
					filter->reads_headers && filter->reads_query ? " and " : "",
					filter->reads_query ? "$query" : "");
}
