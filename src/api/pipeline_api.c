/*
 * pipeline_api.c
 *		create_pipeline, update_pipeline, get_pipeline, list_pipelines,
 *		delete_pipeline.
 */
#include "postgres.h"

#include "api/operation.h"
#include "api/registering.h"
#include "compat.h"
#include "pg/declaration.h"
#include "pg/definition.h"
#include "pg/node.h"
#include "pg/page_token.h"
#include "pg/settings.h"
#include "store/pipelines.h"
#include "store/tags.h"
#include "store/webhooks.h"

PG_FUNCTION_INFO_V1(cp_webhook_create_pipeline);
PG_FUNCTION_INFO_V1(cp_webhook_update_pipeline);
PG_FUNCTION_INFO_V1(cp_webhook_get_pipeline);
PG_FUNCTION_INFO_V1(cp_webhook_list_pipelines);
PG_FUNCTION_INFO_V1(cp_webhook_delete_pipeline);

#define LIST_SCOPE	"pipelines"

/*
 * Says at each webhook of a pipeline whether it can still start it, given the
 * pipeline's declaration, NULL after its end: the error that list_webhooks
 * shows is what putting the webhook again would raise.
 */
static void
review_webhooks(const char *pipeline, Jsonb *declaration)
{
	CpwDefinition *definitions;
	int			count = cpw_webhooks_of_pipeline(pipeline, &definitions);

	for (int i = 0; i < count; i++)
	{
		CpwProblems problems = {0};
		const CpwProblem *first;

		cpw_definition_check_target(&definitions[i], declaration, &problems);
		first = problems.items != NIL ? linitial(problems.items) : NULL;
		cpw_webhooks_set_error(&definitions[i],
							   first ? cpw_errors_name(first->exception) : NULL,
							   first ? first->text : NULL);
		if (first == NULL)
			cpw_registering_refresh_named(&definitions[i], declaration);
	}
}

_Noreturn static void
raise_not_found(const char *name, const char *member)
{
	cpw_errors_raise(CPW_PIPELINE_NOT_FOUND, psprintf("At '%s'.", member),
					 "Create the pipeline first, or name one that list_pipelines shows.",
					 "pipeline not found: '%s'", name);
}

/*
 * create_pipeline({"pipeline": PipelineDeclaration, "tags": [Tag]}) returns
 * {"pipeline", "tags"}.
 */
Datum
cp_webhook_create_pipeline(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_create_pipeline);
	JsonbContainer *given = cpw_json_get_container(request, "pipeline");
	JsonbValue *tags = cpw_json_get(request, "tags");
	CpwResource resource = {.type = CPW_RESOURCE_PIPELINE};
	CpwProblems problems = {0};
	CpwJsonWriter answer = {0};
	Jsonb	   *declaration;

	cpw_node_check_defines("create_pipeline");
	cpw_declaration_check(given, &problems);
	cpw_definition_check_tags(cpw_json_container(tags), &problems);
	declaration = cpw_declaration_store(given, 1, NULL, &problems);
	cpw_errors_raise_all(&problems);
	resource.name = cpw_json_get_text(given, "name");
	if (!cpw_pipelines_insert(resource.name,
							  cpw_declaration_execution_mode(given),
							  declaration))
		cpw_errors_raise(CPW_PIPELINE_NAME_IN_USE, "At 'pipeline.name'.",
						 "Use update_pipeline to change the pipeline, or give the new one another name.",
						 "pipeline '%s' exists already", resource.name);
	if (tags != NULL)
		cpw_tags_add(&resource, cpw_json_copy(tags));
	review_webhooks(resource.name, declaration);

	cpw_json_open_object(&answer, NULL);
	cpw_json_add_jsonb(&answer, "pipeline", cpw_declaration_show(declaration));
	cpw_json_add_jsonb(&answer, "tags",
					   cpw_tags_list(&resource, "", CPW_MAX_TAGS));
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}

/*
 * update_pipeline({"pipeline": PipelineDeclaration}) returns {"pipeline"}. The
 * version goes up by one, whatever the request says; the older ones stay.
 */
Datum
cp_webhook_update_pipeline(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_update_pipeline);
	JsonbContainer *given = cpw_json_get_container(request, "pipeline");
	CpwProblems problems = {0};
	CpwJsonWriter answer = {0};
	CpwPipeline pipeline;
	Jsonb	   *declaration;

	cpw_node_check_defines("update_pipeline");
	if (!cpw_pipelines_find(cpw_json_get_text(given, "name"),
							CPW_PIPELINE_CHANGE, &pipeline))
		raise_not_found(cpw_json_get_text(given, "name"), "pipeline.name");
	cpw_declaration_check(given, &problems);
	declaration = cpw_declaration_store(given, pipeline.version + 1,
										cpw_pipelines_declaration(pipeline.name,
																  pipeline.version),
										&problems);
	cpw_errors_raise_all(&problems);
	cpw_pipelines_update(pipeline.name, pipeline.version + 1,
						 cpw_declaration_execution_mode(given), declaration);
	review_webhooks(pipeline.name, declaration);

	cpw_json_open_object(&answer, NULL);
	cpw_json_add_jsonb(&answer, "pipeline", cpw_declaration_show(declaration));
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}

/*
 * get_pipeline({"name", "version"}) returns {"pipeline", "metadata"}; without
 * a version the current one.
 */
Datum
cp_webhook_get_pipeline(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_get_pipeline);
	char	   *name = cpw_json_get_text(request, "name");
	int			version = cpw_json_get_int(request, "version", 0);
	CpwJsonWriter answer = {0};
	CpwPipeline pipeline;
	Jsonb	   *declaration;

	if (!cpw_pipelines_read(name, version, &pipeline, &declaration))
		raise_not_found(name, "name");
	if (declaration == NULL)
		cpw_errors_raise(CPW_PIPELINE_VERSION_NOT_FOUND, "At 'version'.",
						 psprintf("Its versions go from 1 to %d.",
								  pipeline.version),
						 "pipeline '%s' has no version %d", name, version);

	cpw_json_open_object(&answer, NULL);
	cpw_json_add_jsonb(&answer, "pipeline", cpw_declaration_show(declaration));
	cpw_json_open_object(&answer, "metadata");
	cpw_json_add_text(&answer, "pipelineArn", cpw_settings_pipeline_arn(name));
	cpw_json_add_timestamp(&answer, "created", pipeline.created_at);
	cpw_json_add_timestamp(&answer, "updated", pipeline.updated_at);
	cpw_json_close_object(&answer);
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}

/* A PipelineSummary. */
static void
add_summary(CpwJsonWriter *answer, const CpwPipeline *pipeline)
{
	cpw_json_open_object(answer, NULL);
	cpw_json_add_text(answer, "name", pipeline->name);
	cpw_json_add_int(answer, "version", pipeline->version);
	cpw_json_add_text(answer, "pipelineType", pipeline->type);
	cpw_json_add_text(answer, "executionMode", pipeline->execution_mode);
	cpw_json_add_timestamp(answer, "created", pipeline->created_at);
	cpw_json_add_timestamp(answer, "updated", pipeline->updated_at);
	cpw_json_close_object(answer);
}

/*
 * list_pipelines({"nextToken", "maxResults"}) returns {"pipelines":
 * [PipelineSummary], "nextToken"}, in the order of names.
 */
Datum
cp_webhook_list_pipelines(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_list_pipelines);
	int			limit = cpw_json_get_int(request, "maxResults",
										 CPW_PAGE_LENGTH);
	CpwJsonWriter answer = {0};
	CpwPipeline *pipelines;
	int			count;

	count = cpw_pipelines_list(cpw_page_token_read(request, "nextToken",
												   LIST_SCOPE),
							   limit + 1, &pipelines);
	cpw_json_open_object(&answer, NULL);
	cpw_json_open_array(&answer, "pipelines");
	for (int i = 0; i < Min(count, limit); i++)
		add_summary(&answer, &pipelines[i]);
	cpw_json_close_array(&answer);
	if (count > limit)
		cpw_json_add_text(&answer, "nextToken",
						  cpw_page_token_make(LIST_SCOPE,
											  pipelines[limit - 1].name));
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}

/*
 * delete_pipeline({"name"}) returns {}, also when there is no such pipeline.
 * Its executions stay; webhooks that target it show an error from now on.
 */
Datum
cp_webhook_delete_pipeline(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_delete_pipeline);
	CpwResource resource = {.type = CPW_RESOURCE_PIPELINE};

	cpw_node_check_defines("delete_pipeline");
	resource.name = cpw_json_get_text(request, "name");
	if (cpw_pipelines_delete(resource.name))
	{
		cpw_tags_remove(&resource, NULL);
		review_webhooks(resource.name, NULL);
	}
	return cpw_operation_end_empty();
}
