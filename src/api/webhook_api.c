/*
 * webhook_api.c
 *		put_webhook, list_webhooks, delete_webhook.
 */
#include "postgres.h"

#include "api/operation.h"
#include "api/registering.h"
#include "compat.h"
#include "pg/definition.h"
#include "pg/node.h"
#include "pg/page_token.h"
#include "pg/settings.h"
#include "store/pipelines.h"
#include "store/registrations.h"
#include "store/tags.h"
#include "store/webhooks.h"

PG_FUNCTION_INFO_V1(cp_webhook_put_webhook);
PG_FUNCTION_INFO_V1(cp_webhook_list_webhooks);
PG_FUNCTION_INFO_V1(cp_webhook_delete_webhook);

#define LIST_SCOPE	"webhooks"

/* A ListWebhookItem. */
static void
add_item(CpwJsonWriter *answer, const char *name, const CpwWebhookItem *item)
{
	cpw_json_open_object(answer, name);
	cpw_json_add_jsonb(answer, "definition",
					   cpw_definition_show(&item->definition));
	cpw_json_add_text(answer, "url", item->url);
	cpw_json_add_text(answer, "errorMessage", item->error_message);
	cpw_json_add_text(answer, "errorCode", item->error_code);
	cpw_json_add_timestamp(answer, "lastTriggered", item->last_triggered);
	cpw_json_add_text(answer, "arn", item->arn);
	cpw_json_add_jsonb(answer, "tags", item->tags);
	cpw_json_close_object(answer);
}

/*
 * The declaration that the webhook targets. It is locked against changes until
 * the end of the transaction: what is checked now still holds at the commit.
 * The pipeline is locked before the webhook, as update_pipeline does.
 */
static Jsonb *
lock_target(const CpwDefinition *definition)
{
	CpwPipeline pipeline;

	if (!cpw_pipelines_find(definition->pipeline, CPW_PIPELINE_SHARE,
							&pipeline))
		return NULL;
	return cpw_pipelines_declaration(pipeline.name, pipeline.version);
}

/*
 * Stores the definition under its name, known or new, when there is no problem
 * with it. The puts of one name wait for each other at its row, those of new
 * names at the count, so that none goes beyond the limit.
 */
static void
store_definition(CpwDefinition *definition, Jsonb *declaration,
				 CpwProblems *problems)
{
	CpwStoredAuthentication stored = {0};
	int64		count = 0;
	bool		is_known = cpw_webhooks_lock(definition->name, &stored);

	if (!is_known)
	{
		/* Who held the count before may have made this very name. */
		count = cpw_webhooks_lock_count();
		is_known = cpw_webhooks_lock(definition->name, &stored);
		if (!is_known)
			cpw_webhooks_require_new(definition->name);
	}
	cpw_definition_keep_secrets(definition, is_known ? &stored : NULL,
								problems);
	cpw_errors_raise_all(problems);
	if (is_known)
	{
		cpw_webhooks_update(definition, &stored.webhook_id);
		cpw_registering_refresh(definition, &stored.webhook_id, declaration);
		return;
	}
	if (count >= cpw_setting_max_webhooks)
		cpw_errors_raise(CPW_LIMIT_EXCEEDED, "At 'webhook.name', which is new.",
						 "Delete a webhook that is not needed, or raise cp_webhook.max_webhooks.",
						 "there are %lld webhooks already, and cp_webhook.max_webhooks is %d",
						 (long long) count, cpw_setting_max_webhooks);
	if (!cpw_webhooks_insert(definition))
		cpw_errors_raise(CPW_CONCURRENT_MODIFICATION, "At 'webhook.name'.",
						 "Repeat the request in a new transaction.",
						 "webhook '%s' was put by another transaction meanwhile",
						 definition->name);
}

/*
 * put_webhook({"webhook": WebhookDefinition, "tags": [Tag]}) returns
 * {"webhook": ListWebhookItem}. A known name is updated and keeps its URL; its
 * tags are replaced when the request has any.
 */
Datum
cp_webhook_put_webhook(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_put_webhook);
	JsonbValue *tags = cpw_json_get(request, "tags");
	CpwProblems problems = {0};
	CpwJsonWriter answer = {0};
	CpwDefinition *definition;
	Jsonb	   *declaration;
	CpwResource resource = {.type = CPW_RESOURCE_WEBHOOK};

	cpw_node_check_defines("put_webhook");
	definition = cpw_definition_read(request, "webhook", &problems);
	cpw_definition_check_filters(definition, &problems);
	declaration = lock_target(definition);
	cpw_definition_check_target(definition, declaration, &problems);
	cpw_definition_check_tags(cpw_json_container(tags), &problems);
	store_definition(definition, declaration, &problems);
	cpw_definition_warn(definition);
	if (tags != NULL)
	{
		resource.name = definition->name;
		cpw_tags_remove(&resource, NULL);
		cpw_tags_add(&resource, cpw_json_copy(tags));
	}

	cpw_json_open_object(&answer, NULL);
	add_item(&answer, "webhook", cpw_webhooks_find_item(definition->name));
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}

/*
 * list_webhooks({"NextToken", "MaxResults"}) returns {"webhooks":
 * [ListWebhookItem], "NextToken"}, in the order of names.
 */
Datum
cp_webhook_list_webhooks(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_list_webhooks);
	int			limit = cpw_json_get_int(request, "MaxResults",
										 CPW_PAGE_LENGTH);
	CpwJsonWriter answer = {0};
	CpwWebhookItem *items;
	int			count;

	/* One more than the page holds tells whether there is another page. */
	count = cpw_webhooks_list(cpw_page_token_read(request, "NextToken",
												  LIST_SCOPE),
							  limit + 1, &items);
	cpw_json_open_object(&answer, NULL);
	cpw_json_open_array(&answer, "webhooks");
	for (int i = 0; i < Min(count, limit); i++)
		add_item(&answer, NULL, &items[i]);
	cpw_json_close_array(&answer);
	if (count > limit)
		cpw_json_add_text(&answer, "NextToken",
						  cpw_page_token_make(LIST_SCOPE,
											  items[limit - 1].definition.name));
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}

/*
 * delete_webhook({"name"}) returns {}, also when there is no such webhook. Its
 * URL is gone for good, and its hook at a third party is to go as well.
 */
Datum
cp_webhook_delete_webhook(PG_FUNCTION_ARGS)
{
	JsonbContainer *request = cpw_operation_begin(fcinfo,
												  &cpw_shape_delete_webhook);
	CpwResource resource = {.type = CPW_RESOURCE_WEBHOOK};
	pg_uuid_t	id;

	cpw_node_check_defines("delete_webhook");
	resource.name = cpw_json_get_text(request, "name");
	if (cpw_webhooks_delete(resource.name, &id))
	{
		cpw_tags_remove(&resource, NULL);
		(void) cpw_registrations_deregister(&id, true);
	}
	return cpw_operation_end_empty();
}
