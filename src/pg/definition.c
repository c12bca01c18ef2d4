/*
 * definition.c
 *		A webhook's definition between the API's JSON and C, and the rules for
 *		it that no shape says.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "compat.h"
#include "pg/declaration.h"
#include "pg/definition.h"
#include "pg/filter.h"
#include "pg/guard.h"
#include "pg/json.h"
#include "pg/webhook.h"
#include "utils/builtins.h"
#include "utils/inet.h"

/* ---- authentication ---- */

#define SECRET_TOKEN			"SecretToken"
#define ALLOWED_IP_RANGE		"AllowedIPRange"

/* Which member each authentication takes: that one, and no other. */
typedef struct AuthenticationRule
{
	const char *authentication;
	const char *takes;			/* NULL: none */
	const char *hint;
} AuthenticationRule;

static const AuthenticationRule authentication_rules[] = {
	{"GITHUB_HMAC", SECRET_TOKEN,
	"Set authenticationConfiguration to {\"SecretToken\": \"...\"}."},
	{"IP", ALLOWED_IP_RANGE,
	"Set authenticationConfiguration to {\"AllowedIPRange\": \"192.0.2.0/24\"}."},
	{"UNAUTHENTICATED", NULL,
	"Set authenticationConfiguration to {}."},
};

/* Where in the request something of the definition stands. */
static char *
place_of(const CpwDefinition *definition, const char *format,...)
			pg_attribute_printf(2, 3);

static char *
place_of(const CpwDefinition *definition, const char *format,...)
{
	char		member[NAMEDATALEN * 2];
	va_list		args;

	va_start(args, format);
	vsnprintf(member, sizeof(member), format, args);
	va_end(args);
	return psprintf("%s.%s", definition->place ? definition->place : "webhook",
					member);
}

static void
add_authentication_problem(const CpwDefinition *definition,
						   CpwProblems *problems, const char *member,
						   const char *hint, const char *text)
{
	cpw_errors_add(problems, CPW_INVALID_WEBHOOK_AUTHENTICATION_PARAMETERS,
				   place_of(definition, "authenticationConfiguration%s%s",
							member ? "." : "", member ? member : ""),
				   hint, "%s", text);
}

/* Whether no bit of an address is set beyond its first bits. */
static bool
host_bits_are_zero(const unsigned char *address, int length, int bits)
{
	for (int i = 0; i < length; i++)
	{
		int			in_network = Max(0, Min(8, bits - i * 8));

		if ((address[i] & (0xff >> in_network)) != 0)
			return false;
	}
	return true;
}

/*
 * What is wrong with a range, or NULL. The server's own parser of inet does
 * the work; what it takes beyond the usual notation (10.1/16, 010.0.0.1) is
 * refused, because others read it otherwise. A range of mapped addresses would
 * admit nobody: a client's IPv4 address is compared as one.
 */
static const char *
range_fault(const char *range)
{
	bool		is_v6 = strchr(range, ':') != NULL;
	int			length = is_v6 ? 16 : 4;
	unsigned char address[16] = {0};
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	int			bits;
	int			dots = 0;

	if (strspn(range, is_v6 ? "0123456789abcdefABCDEF:./" : "0123456789./") !=
		strlen(range))
		return "is no CIDR range";
	bits = pg_inet_net_pton(is_v6 ? PGSQL_AF_INET6 : PGSQL_AF_INET, range,
							address, (size_t) -1);
	if (bits < 0)
		return "is no CIDR range";
	for (const char *p = range; *p != '\0' && *p != '/'; p++)
	{
		bool		begins = p == range || p[-1] == '.';

		dots += *p == '.';
		if (!is_v6 && begins && *p == '0' && p[1] >= '0' && p[1] <= '9')
			return "has an octet with a leading zero";
	}
	if (!is_v6 && dots != 3)
		return "is no CIDR range";
	if (!host_bits_are_zero(address, length, bits))
		return "has bits set to the right of its prefix length";
	if (is_v6 && bits >= 96 && memcmp(address, mapped, sizeof(mapped)) == 0)
		return "is an IPv4 range written as an IPv6 one";
	return NULL;
}

static void
check_authentication(const CpwDefinition *definition,
					 JsonbContainer *configuration, CpwProblems *problems)
{
	const char *authentication = definition->authentication;
	static const char *const members[] = {SECRET_TOKEN, ALLOWED_IP_RANGE};
	const AuthenticationRule *rule = authentication_rules;
	const char *range = cpw_json_get_text(configuration, ALLOWED_IP_RANGE);
	const char *fault;

	while (strcmp(rule->authentication, authentication) != 0)
		rule++;
	for (size_t i = 0; i < lengthof(members); i++)
	{
		bool		wanted = rule->takes != NULL &&
			strcmp(rule->takes, members[i]) == 0;
		bool		given = cpw_json_get(configuration, members[i]) != NULL;

		if (wanted && !given)
			add_authentication_problem(definition, problems, NULL, rule->hint,
									   psprintf("%s needs %s", authentication,
												members[i]));
		if (given && !wanted)
			add_authentication_problem(definition, problems, members[i], rule->hint,
									   psprintf("%s takes no %s",
												authentication, members[i]));
	}
	if (range == NULL || rule->takes == NULL ||
		strcmp(rule->takes, ALLOWED_IP_RANGE) != 0)
		return;
	fault = range_fault(range);
	if (fault != NULL)
		add_authentication_problem(definition, problems, ALLOWED_IP_RANGE,
								   "Give one range such as 192.0.2.0/24 or 2001:db8::/32, or one address.",
								   psprintf("'%s' %s", range, fault));
}

void
cpw_definition_keep_secret(CpwDefinition *definition, const char *stored,
						   CpwProblems *problems)
{
	if (definition->secret == NULL ||
		strcmp(definition->secret, CPW_MASK) != 0)
		return;
	if (stored != NULL)
		definition->secret = pstrdup(stored);
	else
		add_authentication_problem(definition, problems, SECRET_TOKEN,
								   "Give the secret itself.",
								   "'" CPW_MASK "' stands for the secret that is stored, and none is");
}

/* ---- reading and showing ---- */

/* The configuration without the secret, which has a column of its own. */
static Jsonb *
read_configuration(JsonbContainer *configuration)
{
	CpwJsonWriter writer = {0};

	cpw_json_open_object(&writer, NULL);
	cpw_json_add_text(&writer, ALLOWED_IP_RANGE,
					  cpw_json_get_text(configuration, ALLOWED_IP_RANGE));
	cpw_json_close_object(&writer);
	return cpw_json_finish(&writer);
}

/* The rules as they were put; a member that is null is absent. */
static Jsonb *
read_filters(JsonbContainer *filters)
{
	CpwJsonWriter writer = {0};

	cpw_json_open_array(&writer, NULL);
	for (int i = 0; i < cpw_json_length(filters); i++)
	{
		JsonbContainer *rule = cpw_json_element(filters, i);

		cpw_json_open_object(&writer, NULL);
		cpw_json_add_text(&writer, "jsonPath",
						  cpw_json_get_text(rule, "jsonPath"));
		cpw_json_add_text(&writer, "matchEquals",
						  cpw_json_get_text(rule, "matchEquals"));
		cpw_json_close_object(&writer);
	}
	cpw_json_close_array(&writer);
	return cpw_json_finish(&writer);
}

CpwDefinition *
cpw_definition_read(JsonbContainer *request, const char *place,
					CpwProblems *problems)
{
	JsonbContainer *webhook = cpw_json_get_container(request, place);
	CpwDefinition *definition = palloc0(sizeof(CpwDefinition));
	JsonbContainer *configuration =
		cpw_json_get_container(webhook, "authenticationConfiguration");

	definition->place = place;
	definition->name = cpw_json_get_text(webhook, "name");
	definition->pipeline = cpw_json_get_text(webhook, "targetPipeline");
	definition->action = cpw_json_get_text(webhook, "targetAction");
	definition->authentication = cpw_json_get_text(webhook, "authentication");
	definition->secret = cpw_json_get_text(configuration, SECRET_TOKEN);
	definition->configuration = read_configuration(configuration);
	definition->filters = read_filters(cpw_json_get_container(webhook,
															  "filters"));
	check_authentication(definition, configuration, problems);
	return definition;
}

Jsonb *
cpw_definition_show(const CpwDefinition *definition)
{
	CpwJsonWriter writer = {0};
	JsonbContainer *configuration = &definition->configuration->root;

	cpw_json_open_object(&writer, NULL);
	cpw_json_add_text(&writer, "name", definition->name);
	cpw_json_add_text(&writer, "targetPipeline", definition->pipeline);
	cpw_json_add_text(&writer, "targetAction", definition->action);
	cpw_json_add_jsonb(&writer, "filters", definition->filters);
	cpw_json_add_text(&writer, "authentication", definition->authentication);
	cpw_json_open_object(&writer, "authenticationConfiguration");
	cpw_json_add_text(&writer, ALLOWED_IP_RANGE,
					  cpw_json_get_text(configuration, ALLOWED_IP_RANGE));
	if (strcmp(definition->authentication, "GITHUB_HMAC") == 0)
		cpw_json_add_text(&writer, SECRET_TOKEN, CPW_MASK);
	cpw_json_close_object(&writer);
	cpw_json_close_object(&writer);
	return cpw_json_finish(&writer);
}

/* ---- filters ---- */

static void
compile_filter(void *arg)
{
	JsonbContainer *rule = arg;

	(void) cpw_filter_compile(cpw_json_get_text(rule, "jsonPath"),
							  cpw_json_get_text(rule, "matchEquals"));
}

void
cpw_definition_check_filters(const CpwDefinition *definition,
							 CpwProblems *problems)
{
	JsonbContainer *filters = &definition->filters->root;

	for (int i = 0; i < cpw_json_length(filters); i++)
	{
		JsonbContainer *rule = cpw_json_element(filters, i);
		ErrorData  *error = cpw_guard_run_cancelable(compile_filter, rule);

		if (error == NULL)
			continue;
		cpw_errors_add(problems, CPW_INVALID_WEBHOOK_FILTER_PATTERN,
					   place_of(definition, "filters.%d.member.jsonPath", i + 1),
					   error->hint ? pstrdup(error->hint) : NULL,
					   "%s", cpw_errors_text(error));
		FreeErrorData(error);
	}
}

void
cpw_definition_warn(const CpwDefinition *definition)
{
	JsonbContainer *filters = &definition->filters->root;
	CpwAuthentication authentication =
		cpw_webhook_authentication(definition->authentication);

	for (int i = 0; i < cpw_json_length(filters); i++)
	{
		JsonbContainer *rule = cpw_json_element(filters, i);
		CpwFilter  *filter =
			cpw_filter_compile(cpw_json_get_text(rule, "jsonPath"), NULL);
		char	   *warning = cpw_webhook_unsigned_warning(authentication,
														   filter, i + 1);

		if (warning == NULL)
			continue;
		ereport(NOTICE,
				(errmsg("%s", warning),
				 errdetail("The signature is over the body alone: who sees one delivery can send it again with other headers and another query."),
				 cpw_errors_hide_statement()));
	}
}

/* ---- the target ---- */

void
cpw_definition_check_target(const CpwDefinition *definition,
							Jsonb *declaration, CpwProblems *problems)
{
	JsonbContainer *filters = &definition->filters->root;
	Jsonb	   *configuration;

	if (declaration == NULL)
	{
		cpw_errors_add(problems, CPW_PIPELINE_NOT_FOUND,
					   place_of(definition, "targetPipeline"),
					   "Create the pipeline first, or name one that list_pipelines shows.",
					   "pipeline not found: '%s'", definition->pipeline);
		return;
	}
	if (!cpw_declaration_find_action(declaration, definition->action,
									 &configuration))
	{
		cpw_errors_add_violation(problems, place_of(definition, "targetAction"),
								 definition->action,
								 "Member must be an action of the first stage of pipeline '%s'",
								 definition->pipeline);
		return;
	}
	for (int i = 0; i < cpw_json_length(filters); i++)
	{
		char	   *wanted = cpw_json_get_text(cpw_json_element(filters, i),
											   "matchEquals");
		char	   *missing;

		if (wanted == NULL ||
			cpw_filter_expand(wanted, configuration, false, &missing) != NULL)
			continue;
		cpw_errors_add(problems, CPW_INVALID_WEBHOOK_FILTER_PATTERN,
					   place_of(definition, "filters.%d.member.matchEquals", i + 1),
					   "Add the key to the action's configuration, or take the placeholder out of matchEquals.",
					   "the configuration of action '%s' has no '%s', which '%s' names",
					   definition->action, missing, wanted);
	}
}

/* ---- tags ---- */

bool
cpw_definition_is_reserved_key(const char *key)
{
	return pg_strncasecmp(key, "aws:", 4) == 0;
}

void
cpw_definition_check_tags(JsonbContainer *tags, CpwProblems *problems)
{
	int			count = cpw_json_length(tags);
	char	  **keys = palloc(sizeof(char *) * Max(count, 1));

	if (count > CPW_MAX_TAGS)
	{
		cpw_errors_add(problems, CPW_TOO_MANY_TAGS, "tags",
					   "Give fewer tags.",
					   "%d tags, and a resource has at most %d", count,
					   CPW_MAX_TAGS);
		return;
	}
	for (int i = 0; i < count; i++)
	{
		char	   *place = psprintf("tags.%d.member.key", i + 1);

		keys[i] = cpw_json_get_text(cpw_json_element(tags, i), "key");
		if (cpw_definition_is_reserved_key(keys[i]))
			cpw_errors_add(problems, CPW_INVALID_TAGS, place,
						   "Give the tag another key.",
						   "the key '%s' begins with 'aws:', which is reserved",
						   keys[i]);
		for (int j = 0; j < i; j++)
		{
			if (strcmp(keys[i], keys[j]) != 0)
				continue;
			cpw_errors_add(problems, CPW_INVALID_TAGS, place,
						   "Give each key once.",
						   "the key '%s' repeats", keys[i]);
			break;
		}
	}
}
