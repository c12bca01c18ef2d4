/*
 * definition.c
 *		A webhook's definition between the API's JSON and C, and the rules for
 *		it that no shape says.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/declaration.h"
#include "pg/definition.h"
#include "pg/filter.h"
#include "pg/guard.h"
#include "pg/json.h"
#include "pg/webhook.h"
#include "utils/builtins.h"

/* The member of the request that it is. */
static const char *
root_of(const CpwDefinition *definition)
{
	return definition->place ? definition->place : "webhook";
}

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
	return psprintf("%s.%s", root_of(definition), member);
}

/* ---- reading and showing ---- */

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
	definition->given = configuration;
	cpw_authentication_read_secrets(configuration, &definition->secrets);
	definition->configuration =
		cpw_authentication_store(definition->authentication, configuration,
								 &definition->secrets, NULL);
	definition->filters = read_filters(cpw_json_get_container(webhook,
															  "filters"));
	cpw_authentication_check(definition->authentication, configuration, place,
							 problems);
	return definition;
}

void
cpw_definition_keep_secrets(CpwDefinition *definition,
							const CpwStoredAuthentication *stored,
							CpwProblems *problems)
{
	char	   *expires;

	cpw_authentication_resolve(definition->authentication, definition->given,
							   stored, &definition->secrets, &expires,
							   root_of(definition), problems);
	definition->configuration =
		cpw_authentication_store(definition->authentication,
								 definition->given, &definition->secrets,
								 expires);
}

Jsonb *
cpw_definition_show(const CpwDefinition *definition)
{
	CpwJsonWriter writer = {0};

	cpw_json_open_object(&writer, NULL);
	cpw_json_add_text(&writer, "name", definition->name);
	cpw_json_add_text(&writer, "targetPipeline", definition->pipeline);
	cpw_json_add_text(&writer, "targetAction", definition->action);
	cpw_json_add_jsonb(&writer, "filters", definition->filters);
	cpw_json_add_text(&writer, "authentication", definition->authentication);
	cpw_json_open_object(&writer, "authenticationConfiguration");
	cpw_authentication_show(&writer, definition->authentication,
							&definition->configuration->root);
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
