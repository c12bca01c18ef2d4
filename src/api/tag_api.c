/*
 * tag_api.c
 *		tag_resource, untag_resource, list_tags_for_resource.
 */
#include "postgres.h"

#include "api/operation.h"
#include "compat.h"
#include "pg/arn.h"
#include "pg/definition.h"
#include "pg/node.h"
#include "pg/page_token.h"
#include "store/pipelines.h"
#include "store/tags.h"
#include "store/webhooks.h"

PG_FUNCTION_INFO_V1(cp_webhook_tag_resource);
PG_FUNCTION_INFO_V1(cp_webhook_untag_resource);
PG_FUNCTION_INFO_V1(cp_webhook_list_tags_for_resource);

/*
 * The resource of a request's ARN, locked until the end of the transaction
 * when its tags are to change. Raises InvalidArnException and
 * ResourceNotFoundException.
 */
static CpwResource
read_resource(JsonbContainer *request, bool change)
{
	char	   *text = cpw_json_get_text(request, "resourceArn");
	CpwArn		arn = cpw_arn_read(text);
	CpwResource resource;
	CpwStoredAuthentication stored;
	bool		exists = false;

	resource.type = arn.is_webhook ? CPW_RESOURCE_WEBHOOK :
		CPW_RESOURCE_PIPELINE;
	resource.name = arn.name;
	if (arn.is_ours && !arn.is_webhook)
		exists = cpw_pipelines_find(arn.name, change ? CPW_PIPELINE_CHANGE :
									CPW_PIPELINE_READ, NULL);
	else if (arn.is_ours)
		exists = change ? cpw_webhooks_lock(arn.name, &stored) :
			cpw_webhooks_exists(arn.name);
	if (!exists)
		cpw_errors_raise(CPW_RESOURCE_NOT_FOUND, "At 'resourceArn'.",
						 "list_webhooks and list_pipelines show what there is.",
						 "there is no resource '%s'", text);
	return resource;
}

/* tag_resource({"resourceArn", "tags": [Tag]}) returns {}. */
Datum
cp_webhook_tag_resource(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_tag_resource);
	JsonbValue *tags = cpw_json_get(request, "tags");
	CpwProblems problems = {0};
	CpwResource resource;
	int			count;

	cpw_node_check_defines("tag_resource");
	cpw_definition_check_tags(cpw_json_container(tags), &problems);
	cpw_errors_raise_all(&problems);
	resource = read_resource(request, true);
	cpw_tags_add(&resource, cpw_json_copy(tags));
	count = cpw_tags_count(&resource);
	if (count > CPW_MAX_TAGS)
		cpw_errors_raise(CPW_TOO_MANY_TAGS, "At 'tags'.",
						 "Remove tags with untag_resource, or give fewer.",
						 "with these tags %s '%s' would have %d, and a resource has at most %d",
						 resource.type, resource.name, count, CPW_MAX_TAGS);
	return cpw_operation_end_empty();
}

/*
 * untag_resource({"resourceArn", "tagKeys": [string]}) returns {}; a key that
 * the resource has not is no error.
 */
Datum
cp_webhook_untag_resource(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_untag_resource);
	JsonbValue *keys = cpw_json_get(request, "tagKeys");
	JsonbContainer *list = cpw_json_container(keys);
	CpwProblems problems = {0};
	CpwResource resource;

	cpw_node_check_defines("untag_resource");
	for (int i = 0; i < cpw_json_length(list); i++)
	{
		char	   *key = cpw_json_string(getIthJsonbValueFromContainer(list, i));

		if (cpw_definition_is_reserved_key(key))
			cpw_errors_add(&problems, CPW_INVALID_TAGS,
						   psprintf("tagKeys.%d.member", i + 1),
						   "Leave the key out.",
						   "the key '%s' begins with 'aws:', which is reserved",
						   key);
	}
	cpw_errors_raise_all(&problems);
	resource = read_resource(request, true);
	cpw_tags_remove(&resource, cpw_json_copy(keys));
	return cpw_operation_end_empty();
}

/*
 * list_tags_for_resource({"resourceArn", "nextToken", "maxResults"}) returns
 * {"tags": [Tag], "nextToken"}, in the order of keys.
 */
Datum
cp_webhook_list_tags_for_resource(PG_FUNCTION_ARGS)
{
	JsonbContainer *request =
		cpw_operation_begin(fcinfo, &cpw_shape_list_tags_for_resource);
	CpwResource resource = read_resource(request, false);
	int			limit = cpw_json_get_int(request, "maxResults",
										 CPW_PAGE_LENGTH);
	char	   *scope = psprintf("tags of %s %s", resource.type, resource.name);
	JsonbContainer *tags;
	CpwJsonWriter answer = {0};
	int			count;

	tags = &cpw_tags_list(&resource, cpw_page_token_read(request, "nextToken",
														 scope),
						  limit + 1)->root;
	count = cpw_json_length(tags);
	cpw_json_open_object(&answer, NULL);
	cpw_json_open_array(&answer, "tags");
	for (int i = 0; i < Min(count, limit); i++)
		cpw_json_add_value(&answer, NULL, getIthJsonbValueFromContainer(tags, i));
	cpw_json_close_array(&answer);
	if (count > limit)
		cpw_json_add_text(&answer, "nextToken",
						  cpw_page_token_make(scope,
											  cpw_json_get_text(cpw_json_element(tags, limit - 1),
																"key")));
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}
