/*
 * wire.c
 *		The operations of the AWS wire, and its requests.
 */
#include "postgres.h"

#include "compat.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pg/counters.h"
#include "pg/json.h"
#include "pg/wire.h"

#define TARGET_PREFIX	"CodePipeline_20150709."

const CpwOperation cpw_wire_operations[] = {
	{NULL, NULL, NULL},
	{"PutWebhook", "put_webhook", &cpw_shape_put_webhook},
	{"ListWebhooks", "list_webhooks", &cpw_shape_list_webhooks},
	{"DeleteWebhook", "delete_webhook", &cpw_shape_delete_webhook},
	{"RegisterWebhookWithThirdParty", "register_webhook_with_third_party",
	&cpw_shape_register_webhook},
	{"DeregisterWebhookWithThirdParty", "deregister_webhook_with_third_party",
	&cpw_shape_register_webhook},
	{"CreatePipeline", "create_pipeline", &cpw_shape_create_pipeline},
	{"UpdatePipeline", "update_pipeline", &cpw_shape_update_pipeline},
	{"GetPipeline", "get_pipeline", &cpw_shape_get_pipeline},
	{"ListPipelines", "list_pipelines", &cpw_shape_list_pipelines},
	{"DeletePipeline", "delete_pipeline", &cpw_shape_delete_pipeline},
	{"StartPipelineExecution", "start_pipeline_execution",
	&cpw_shape_start_pipeline_execution},
	{"StopPipelineExecution", "stop_pipeline_execution",
	&cpw_shape_stop_pipeline_execution},
	{"GetPipelineExecution", "get_pipeline_execution",
	&cpw_shape_get_pipeline_execution},
	{"ListPipelineExecutions", "list_pipeline_executions",
	&cpw_shape_list_pipeline_executions},
	{"TagResource", "tag_resource", &cpw_shape_tag_resource},
	{"UntagResource", "untag_resource", &cpw_shape_untag_resource},
	{"ListTagsForResource", "list_tags_for_resource",
	&cpw_shape_list_tags_for_resource},
};

const int	cpw_wire_operation_count = lengthof(cpw_wire_operations);

StaticAssertDecl(lengthof(cpw_wire_operations) <= CPW_MAX_OPERATIONS,
				 "each operation has counters");

int
cpw_wire_find_operation(const char *target, size_t length)
{
	const size_t prefix = strlen(TARGET_PREFIX);

	if (length <= prefix || memcmp(target, TARGET_PREFIX, prefix) != 0)
		return 0;
	for (int i = 1; i < (int) lengthof(cpw_wire_operations); i++)
		if (strlen(cpw_wire_operations[i].name) == length - prefix &&
			memcmp(cpw_wire_operations[i].name, target + prefix,
				   length - prefix) == 0)
			return i;
	return 0;
}

/* ---- requests ---- */

/* Where the walk is, what it has written, and the first thing wrong. */
typedef struct Walk
{
	CpwJsonWriter writer;
	StringInfoData path;
	char	   *problem;
} Walk;

static const char *const nouns[] = {
	[CPW_SHAPE_STRING] = "a string",
	[CPW_SHAPE_INTEGER] = "a number",
	[CPW_SHAPE_BOOLEAN] = "true or false",
	[CPW_SHAPE_STRUCTURE] = "an object",
	[CPW_SHAPE_LIST] = "an array",
	[CPW_SHAPE_MAP] = "an object",
	[CPW_SHAPE_WHOLE_OBJECT] = "an object",
	[CPW_SHAPE_WHOLE_LIST] = "an array",
};

static bool
has_type(const CpwShape *shape, const JsonbValue *value)
{
	JsonbContainer *container = cpw_json_container(value);

	switch (shape->type)
	{
		case CPW_SHAPE_STRING:
			return value->type == jbvString;
		case CPW_SHAPE_INTEGER:
			return value->type == jbvNumeric;
		case CPW_SHAPE_BOOLEAN:
			return value->type == jbvBool;
		case CPW_SHAPE_STRUCTURE:
		case CPW_SHAPE_MAP:
		case CPW_SHAPE_WHOLE_OBJECT:
			return container != NULL && JsonContainerIsObject(container);
		case CPW_SHAPE_LIST:
		case CPW_SHAPE_WHOLE_LIST:
			return container != NULL && JsonContainerIsArray(container);
		default:
			return true;
	}
}

static void copy_value(Walk *walk, const char *name, const CpwShape *shape,
					   JsonbValue *value);

/* Only what the shape knows is looked at. */
static void
copy_members(Walk *walk, const CpwShape *shape, JsonbContainer *object)
{
	int			length = walk->path.len;

	for (const CpwMember *m = shape->members; m->name != NULL; m++)
	{
		JsonbValue *member = cpw_json_get(object, m->name);

		if (member == NULL)
			continue;
		appendStringInfo(&walk->path, "%s%s", length > 0 ? "." : "", m->name);
		copy_value(walk, m->name, m->shape, member);
		walk->path.len = length;
		walk->path.data[length] = '\0';
	}
}

static void
copy_elements(Walk *walk, const CpwShape *shape, JsonbContainer *array)
{
	int			length = walk->path.len;

	for (int i = 0; i < cpw_json_length(array); i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(array, i);

		appendStringInfo(&walk->path, ".%d.member", i + 1);
		/* A null stays, for its place counts: the function refuses it. */
		if (element->type == jbvNull || shape->element == NULL)
			cpw_json_add_value(&walk->writer, NULL, element);
		else
			copy_value(walk, NULL, shape->element, element);
		walk->path.len = length;
		walk->path.data[length] = '\0';
	}
}

static void
copy_entries(Walk *walk, const CpwShape *shape, JsonbContainer *object)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			length = walk->path.len;
	char	   *key = NULL;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = cpw_json_string(&value);
		if (token != WJB_VALUE || value.type == jbvNull)
			continue;
		appendStringInfoString(&walk->path, ".value");
		copy_value(walk, key, shape->element, &value);
		walk->path.len = length;
		walk->path.data[length] = '\0';
	}
}

static void
copy_value(Walk *walk, const char *name, const CpwShape *shape,
		   JsonbValue *value)
{
	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (!has_type(shape, value))
	{
		if (walk->problem == NULL)
			walk->problem = psprintf("'%s' must be %s.",
									 walk->path.len > 0 ? walk->path.data
									 : "the request", nouns[shape->type]);
		return;
	}
	switch (shape->type)
	{
		case CPW_SHAPE_STRUCTURE:
			cpw_json_open_object(&walk->writer, name);
			copy_members(walk, shape, cpw_json_container(value));
			cpw_json_close_object(&walk->writer);
			break;
		case CPW_SHAPE_MAP:
			cpw_json_open_object(&walk->writer, name);
			copy_entries(walk, shape, cpw_json_container(value));
			cpw_json_close_object(&walk->writer);
			break;
		case CPW_SHAPE_LIST:
			cpw_json_open_array(&walk->writer, name);
			copy_elements(walk, shape, cpw_json_container(value));
			cpw_json_close_array(&walk->writer);
			break;
		default:
			cpw_json_add_value(&walk->writer, name, value);
			break;
	}
}

Jsonb *
cpw_wire_read_request(const CpwShape *shape, Jsonb *request, char **problem)
{
	Walk		walk = {0};
	JsonbValue	value;

	initStringInfo(&walk.path);
	if (JB_ROOT_IS_SCALAR(request))
		JsonbExtractScalar(&request->root, &value);
	else
		JsonbToJsonbValue(request, &value);
	copy_value(&walk, NULL, shape, &value);
	*problem = walk.problem;
	return walk.problem == NULL ? cpw_json_finish(&walk.writer) : NULL;
}
