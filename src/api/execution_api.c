/*
 * execution_api.c
 *		start_pipeline_execution, stop_pipeline_execution,
 *		get_pipeline_execution, list_pipeline_executions.
 */
#include "postgres.h"

#include "api/operation.h"
#include "compat.h"
#include "miscadmin.h"
#include "pg/node.h"
#include "pg/page_token.h"
#include "store/executions.h"
#include "store/pipelines.h"

PG_FUNCTION_INFO_V1(cp_webhook_start_pipeline_execution);
PG_FUNCTION_INFO_V1(cp_webhook_stop_pipeline_execution);
PG_FUNCTION_INFO_V1(cp_webhook_get_pipeline_execution);
PG_FUNCTION_INFO_V1(cp_webhook_list_pipeline_executions);

/* The pipeline's name in a member of the request; it must exist. */
static char *
read_pipeline(JsonbContainer *request, const char *member,
			  CpwPipeline *pipeline)
{
	char	   *name = cpw_json_get_text(request, member);

	if (!cpw_pipelines_find(name, CPW_PIPELINE_READ, pipeline))
		cpw_errors_raise(CPW_PIPELINE_NOT_FOUND, psprintf("At '%s'.", member),
						 "Create the pipeline first, or name one that list_pipelines shows.",
						 "pipeline not found: '%s'", name);
	return name;
}

/* An answer of nothing but the execution's id. */
static Datum
end_with_id(const char *id)
{
	CpwJsonWriter answer = {0};

	cpw_json_open_object(&answer, NULL);
	cpw_json_add_text(&answer, "pipelineExecutionId", id);
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}

/* What is kept of a request for the answers to come; NULL: nothing. */
static Jsonb *
read_overrides(JsonbContainer *request)
{
	static const char *const members[] = {"variables", "sourceRevisions"};
	CpwJsonWriter writer = {0};
	bool		is_empty = true;

	cpw_json_open_object(&writer, NULL);
	for (size_t i = 0; i < lengthof(members); i++)
	{
		JsonbValue *value = cpw_json_get(request, members[i]);

		is_empty &= value == NULL;
		cpw_json_add_value(&writer, members[i], value);
	}
	cpw_json_close_object(&writer);
	return is_empty ? NULL : cpw_json_finish(&writer);
}

/*
 * start_pipeline_execution({"name", "variables", "clientRequestToken",
 * "sourceRevisions"}) returns {"pipelineExecutionId"}; of a token that was
 * used before, the id that it was answered then.
 */
Datum
cp_webhook_start_pipeline_execution(PG_FUNCTION_ARGS)
{
	JsonbContainer *request =
		cpw_operation_begin(fcinfo, &cpw_shape_start_pipeline_execution);
	CpwExecutionStart start = {0};
	CpwPipeline pipeline;
	char	   *id;

	start.pipeline = read_pipeline(request, "name", &pipeline);
	start.version = pipeline.version;
	/* The function runs as its owner; the session is the caller's. */
	start.trigger_detail = GetUserNameFromId(GetSessionUserId(), false);
	start.client_request_token = cpw_json_get_text(request,
												   "clientRequestToken");
	start.request = read_overrides(request);

	id = cpw_executions_start(&start);
	if (id == NULL)
		id = cpw_executions_find_by_token(start.pipeline,
										  start.client_request_token);
	if (id == NULL)
		cpw_errors_raise(CPW_CONFLICT, "At 'clientRequestToken'.",
						 "Repeat the request in a new transaction.",
						 "another transaction has used the token meanwhile");
	return end_with_id(id);
}

/*
 * stop_pipeline_execution({"pipelineName", "pipelineExecutionId", "abandon",
 * "reason"}) returns {"pipelineExecutionId"}. One that waits stops at once,
 * one that a worker has claimed becomes Stopping for the worker to end, or
 * Stopped with abandon.
 */
Datum
cp_webhook_stop_pipeline_execution(PG_FUNCTION_ARGS)
{
	JsonbContainer *request =
		cpw_operation_begin(fcinfo, &cpw_shape_stop_pipeline_execution);
	char	   *pipeline = read_pipeline(request, "pipelineName", NULL);
	char	   *id = cpw_json_get_text(request, "pipelineExecutionId");
	bool		abandon = cpw_json_get_bool(request, "abandon", false);
	char	   *status;
	bool		is_claimed;
	bool		is_stopping;

	cpw_node_check_claims("stop_pipeline_execution");
	if (!cpw_executions_lock(pipeline, id, &status, &is_claimed))
		cpw_errors_raise(CPW_PIPELINE_EXECUTION_NOT_STOPPABLE,
						 "At 'pipelineExecutionId'.",
						 "list_pipeline_executions shows the pipeline's executions.",
						 "pipeline '%s' has no execution '%s'", pipeline, id);
	is_stopping = strcmp(status, "Stopping") == 0;
	if (!is_stopping && strcmp(status, "InProgress") != 0)
		cpw_errors_raise(CPW_PIPELINE_EXECUTION_NOT_STOPPABLE,
						 "At 'pipelineExecutionId'.",
						 "Only an execution that is InProgress or Stopping can be stopped.",
						 "execution '%s' has ended: it is %s", id, status);
	if (is_stopping && !abandon)
		cpw_errors_raise(CPW_DUPLICATED_STOP_REQUEST,
						 "At 'pipelineExecutionId'.",
						 "Wait for its worker, or stop it with \"abandon\": true.",
						 "execution '%s' is Stopping already", id);
	cpw_executions_stop(pipeline, id, abandon || !is_claimed,
						cpw_json_get_text(request, "reason"));
	return end_with_id(id);
}

/* ---- reading ---- */

static void
add_trigger(CpwJsonWriter *answer, const CpwExecution *execution)
{
	cpw_json_open_object(answer, "trigger");
	cpw_json_add_text(answer, "triggerType", execution->trigger_type);
	cpw_json_add_text(answer, "triggerDetail", execution->trigger_detail);
	cpw_json_close_object(answer);
}

/*
 * get_pipeline_execution({"pipelineName", "pipelineExecutionId"}) returns
 * {"pipelineExecution": PipelineExecution}.
 */
Datum
cp_webhook_get_pipeline_execution(PG_FUNCTION_ARGS)
{
	JsonbContainer *request =
		cpw_operation_begin(fcinfo, &cpw_shape_get_pipeline_execution);
	char	   *pipeline = read_pipeline(request, "pipelineName", NULL);
	char	   *id = cpw_json_get_text(request, "pipelineExecutionId");
	CpwExecution *execution = cpw_executions_find(pipeline, id);
	CpwJsonWriter answer = {0};

	if (execution == NULL)
		cpw_errors_raise(CPW_PIPELINE_EXECUTION_NOT_FOUND,
						 "At 'pipelineExecutionId'.",
						 "list_pipeline_executions shows the pipeline's executions.",
						 "pipeline '%s' has no execution '%s'", pipeline, id);
	cpw_json_open_object(&answer, NULL);
	cpw_json_open_object(&answer, "pipelineExecution");
	cpw_json_add_text(&answer, "pipelineName", execution->pipeline);
	cpw_json_add_int(&answer, "pipelineVersion", execution->version);
	cpw_json_add_text(&answer, "pipelineExecutionId", execution->id);
	cpw_json_add_text(&answer, "status", execution->status);
	cpw_json_add_text(&answer, "statusSummary", execution->reason);
	cpw_json_add_jsonb(&answer, "variables", execution->variables);
	add_trigger(&answer, execution);
	cpw_json_add_text(&answer, "executionMode", execution->execution_mode);
	cpw_json_add_text(&answer, "executionType", "STANDARD");
	cpw_json_close_object(&answer);
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}

/* A PipelineExecutionSummary. */
static void
add_summary(CpwJsonWriter *answer, const CpwExecution *execution)
{
	cpw_json_open_object(answer, NULL);
	cpw_json_add_text(answer, "pipelineExecutionId", execution->id);
	cpw_json_add_text(answer, "status", execution->status);
	cpw_json_add_text(answer, "statusSummary", execution->reason);
	cpw_json_add_timestamp(answer, "startTime", execution->created_at);
	cpw_json_add_timestamp(answer, "lastUpdateTime", execution->updated_at);
	cpw_json_add_jsonb(answer, "sourceRevisions",
					   execution->source_revisions);
	add_trigger(answer, execution);
	/* Stopping and Stopped. */
	if (strncmp(execution->status, "Stop", 4) == 0)
	{
		cpw_json_open_object(answer, "stopTrigger");
		cpw_json_add_text(answer, "reason", execution->reason);
		cpw_json_close_object(answer);
	}
	cpw_json_add_text(answer, "executionMode", execution->execution_mode);
	cpw_json_add_text(answer, "executionType", "STANDARD");
	cpw_json_close_object(answer);
}

/*
 * list_pipeline_executions({"pipelineName", "maxResults", "filter",
 * "nextToken"}) returns {"pipelineExecutionSummaries":
 * [PipelineExecutionSummary], "nextToken"}, newest first.
 */
Datum
cp_webhook_list_pipeline_executions(PG_FUNCTION_ARGS)
{
	JsonbContainer *request =
		cpw_operation_begin(fcinfo, &cpw_shape_list_pipeline_executions);
	CpwExecutionPage page = {0};
	CpwJsonWriter answer = {0};
	CpwExecution *executions;
	JsonbContainer *filter = cpw_json_get_container(request, "filter");
	char	   *scope;
	int			limit = cpw_json_get_int(request, "maxResults",
										 CPW_PAGE_LENGTH);
	int			count;

	page.pipeline = read_pipeline(request, "pipelineName", NULL);
	page.limit = limit + 1;
	page.succeeded_in_stage =
		cpw_json_get_text(cpw_json_get_container(filter, "succeededInStage"),
						  "stageName");
	scope = psprintf("executions of %s", page.pipeline);
	page.before = cpw_page_token_read_id(request, "nextToken", scope);
	count = cpw_executions_list(&page, &executions);

	cpw_json_open_object(&answer, NULL);
	cpw_json_open_array(&answer, "pipelineExecutionSummaries");
	for (int i = 0; i < Min(count, limit); i++)
		add_summary(&answer, &executions[i]);
	cpw_json_close_array(&answer);
	if (count > limit)
		cpw_json_add_text(&answer, "nextToken",
						  cpw_page_token_make(scope, executions[limit - 1].id));
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}
