/*
 * declaration.c
 *		A pipeline's declaration: the rules that no shape says, the secrets in
 *		its actions' configurations.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "pg/declaration.h"
#include "pg/json.h"
#include "pg/secret.h"
#include "pg/shape.h"

/* ---- rules ---- */

/* Names that were seen, to find the second of two. */
typedef struct Names
{
	List	   *items;
} Names;

static bool
seen_before(Names *names, const char *name)
{
	ListCell   *cell;

	CHECK_FOR_INTERRUPTS();
	foreach(cell, names->items)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	names->items = lappend(names->items, unconstify(char *, name));
	return false;
}

/*
 * A pipeline begins with a stage of sources, and has sources nowhere else;
 * action names are unique in the pipeline, so that a name is enough for a
 * webhook's target.
 */
static void
check_action(JsonbContainer *action, int stage, int number, Names *names,
			 CpwProblems *problems)
{
	char	   *name = cpw_json_get_text(action, "name");
	char	   *category =
		cpw_json_get_text(cpw_json_get_container(action, "actionTypeId"),
						  "category");
	bool		is_source = strcmp(category, "Source") == 0;
	char	   *place = psprintf("pipeline.stages.%d.member.actions.%d.member",
								 stage, number);

	if (seen_before(names, name))
		cpw_errors_add(problems, CPW_INVALID_STRUCTURE,
					   psprintf("%s.name", place),
					   "Give each action of the pipeline a name of its own.",
					   "the action name '%s' repeats", name);
	if (stage == 1 && !is_source)
		cpw_errors_add(problems, CPW_INVALID_STRUCTURE,
					   psprintf("%s.actionTypeId.category", place),
					   "Move the action to a later stage.",
					   "action '%s' of the first stage is of category %s, not Source",
					   name, category);
	if (stage > 1 && is_source)
		cpw_errors_add(problems, CPW_INVALID_STRUCTURE,
					   psprintf("%s.actionTypeId.category", place),
					   "Move the action to the first stage.",
					   "action '%s' is of category Source, which only the first stage may have",
					   name);
}

void
cpw_declaration_check(JsonbContainer *declaration, CpwProblems *problems)
{
	JsonbContainer *stages = cpw_json_get_container(declaration, "stages");
	Names		stage_names = {NIL};
	Names		action_names = {NIL};

	if (cpw_json_length(stages) == 0)
		cpw_errors_add(problems, CPW_INVALID_STRUCTURE, "pipeline.stages",
					   "Begin with a stage of Source actions.",
					   "the pipeline has no stages");
	for (int i = 0; i < cpw_json_length(stages); i++)
	{
		JsonbContainer *stage = cpw_json_element(stages, i);
		JsonbContainer *actions = cpw_json_get_container(stage, "actions");
		char	   *name = cpw_json_get_text(stage, "name");
		char	   *place = psprintf("pipeline.stages.%d.member", i + 1);

		if (seen_before(&stage_names, name))
			cpw_errors_add(problems, CPW_INVALID_STRUCTURE,
						   psprintf("%s.name", place),
						   "Give each stage a name of its own.",
						   "the stage name '%s' repeats", name);
		if (cpw_json_length(actions) == 0)
			cpw_errors_add(problems, CPW_INVALID_STAGE_DECLARATION,
						   psprintf("%s.actions", place),
						   "Give the stage an action, or leave it out.",
						   "stage '%s' has no actions", name);
		for (int j = 0; j < cpw_json_length(actions); j++)
			check_action(cpw_json_element(actions, j), i + 1, j + 1,
						 &action_names, problems);
	}
}

/* ---- look-ups ---- */

/* An action by its name, in the first stage or in all. */
static JsonbContainer *
find_action(JsonbContainer *declaration, const char *name, bool first_stage)
{
	JsonbContainer *stages = cpw_json_get_container(declaration, "stages");
	int			count = cpw_json_length(stages);

	for (int i = 0; i < (first_stage ? Min(count, 1) : count); i++)
	{
		JsonbContainer *actions =
			cpw_json_get_container(cpw_json_element(stages, i), "actions");

		for (int j = 0; j < cpw_json_length(actions); j++)
		{
			JsonbContainer *action = cpw_json_element(actions, j);
			char	   *found = cpw_json_get_text(action, "name");

			if (found != NULL && strcmp(found, name) == 0)
				return action;
		}
	}
	return NULL;
}

bool
cpw_declaration_find_action(Jsonb *declaration, const char *name,
							Jsonb **configuration)
{
	JsonbContainer *action = find_action(&declaration->root, name, true);

	*configuration = action == NULL ? NULL :
		cpw_json_copy(cpw_json_get(action, "configuration"));
	return action != NULL;
}

JsonbContainer *
cpw_declaration_action(Jsonb *declaration, const char *name)
{
	return find_action(&declaration->root, name, true);
}

char *
cpw_declaration_execution_mode(JsonbContainer *declaration)
{
	char	   *mode = cpw_json_get_text(declaration, "executionMode");

	return mode != NULL ? mode : pstrdup(CPW_DEFAULT_EXECUTION_MODE);
}

/* ---- copies with secrets put in or taken out ---- */

typedef enum CopyKind
{
	COPY_TO_STORE,				/* secrets are sealed, or come from stored */
	COPY_TO_SHOW,				/* they are masked */
	COPY_TO_RESEAL				/* stored ones are sealed anew */
} CopyKind;

/* A copy on its way: what becomes of secrets, and where it is. */
typedef struct Copy
{
	CpwJsonWriter writer;
	CopyKind	kind;
	JsonbContainer *stored;		/* where those that are masked come from */
	CpwProblems *problems;
	const char *pipeline;
	bool		changed;		/* a secret was sealed anew */
	JsonbContainer *action;		/* whose configuration is being copied */
	StringInfoData path;
} Copy;

static void copy_value(Copy *copy, const CpwShape *shape, const char *name,
					   JsonbValue *value);

static bool
same_text(JsonbContainer *one, JsonbContainer *other, const char *key)
{
	char	   *first = cpw_json_get_text(one, key);
	char	   *second = cpw_json_get_text(other, key);

	return first == NULL || second == NULL ? first == second :
		strcmp(first, second) == 0;
}

/*
 * The stored value in the place of a mask. Who only changes where an action's
 * secrets are sent to does not know them, and must not learn them there.
 */
static JsonbValue *
stored_secret(Copy *copy, const char *key)
{
	char	   *action = cpw_json_get_text(copy->action, "name");
	JsonbContainer *stored = find_action(copy->stored, action, false);
	JsonbContainer *configuration = cpw_json_get_container(stored, "configuration");
	JsonbValue *secret = cpw_json_get(configuration, key);

	if (secret != NULL &&
		(!same_text(configuration, cpw_json_get_container(copy->action, "configuration"),
					"ApiUrl") ||
		 !same_text(cpw_json_get_container(stored, "actionTypeId"),
					cpw_json_get_container(copy->action, "actionTypeId"), "provider")))
		cpw_errors_add(copy->problems, CPW_INVALID_ACTION_DECLARATION,
					   psprintf("%s.%s", copy->path.data, key),
					   "Give the value itself.",
					   "'" CPW_MASK "' stands for the value that is stored, which action '%s' has for another provider or ApiUrl",
					   action);
	if (secret == NULL)
		cpw_errors_add(copy->problems, CPW_INVALID_ACTION_DECLARATION,
					   psprintf("%s.%s", copy->path.data, key),
					   "Give the value itself.",
					   "'" CPW_MASK "' stands for the value that is stored, and action '%s' has none under '%s'",
					   action, key);
	return secret;
}

static bool
is_mask(const JsonbValue *value)
{
	return value->type == jbvString &&
		value->val.string.len == (int) strlen(CPW_MASK) &&
		memcmp(value->val.string.val, CPW_MASK, strlen(CPW_MASK)) == 0;
}

char *
cpw_declaration_secret_place(const char *pipeline, const char *action, const char *key)
{
	return psprintf("pipeline/%s/%s/%s", pipeline, action ? action : "", key);
}

static void
copy_secret(Copy *copy, const char *key, JsonbValue *value)
{
	char	   *place = cpw_declaration_secret_place(copy->pipeline,
								 cpw_json_get_text(copy->action, "name"), key);
	char	   *text = cpw_json_string(value);

	if (copy->kind == COPY_TO_STORE)
		text = cpw_secret_seal(text, place);
	else
		copy->changed |= cpw_secret_reseal(&text, place);
	cpw_json_add_text(&copy->writer, key, text);
}

static void
copy_entry(Copy *copy, const char *key, JsonbValue *value)
{
	if (!cpw_shape_is_secret_key(key, (int) strlen(key)) ||
		value->type != jbvString)
		cpw_json_add_value(&copy->writer, key, value);
	else if (copy->kind == COPY_TO_SHOW)
		cpw_json_add_text(&copy->writer, key, CPW_MASK);
	else if (copy->kind == COPY_TO_STORE && is_mask(value))
		cpw_json_add_value(&copy->writer, key, stored_secret(copy, key));
	else
		copy_secret(copy, key, value);
}

/* The members of an object: of a map as entries, of a structure by shape. */
static void
copy_members(Copy *copy, const CpwShape *shape, JsonbContainer *object)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		name = cpw_json_string(&key);
		if (value.type == jbvNull)
			continue;
		if (shape->type == CPW_SHAPE_MAP)
			copy_entry(copy, name, &value);
		else
			copy_value(copy, cpw_shape_member(shape, name, (int) strlen(name)),
					   name, &value);
	}
}

static void
copy_elements(Copy *copy, const CpwShape *shape, JsonbContainer *array)
{
	int			length = copy->path.len;

	for (int i = 0; i < cpw_json_length(array); i++)
	{
		JsonbContainer *element = cpw_json_element(array, i);

		appendStringInfo(&copy->path, ".%d.member", i + 1);
		copy->action = element;
		cpw_json_open_object(&copy->writer, NULL);
		copy_members(copy, shape->element, element);
		cpw_json_close_object(&copy->writer);
		copy->path.len = length;
		copy->path.data[length] = '\0';
	}
}

/* Only what has members of its own is looked into: lists are of structures. */
static void
copy_value(Copy *copy, const CpwShape *shape, const char *name,
		   JsonbValue *value)
{
	JsonbContainer *container = cpw_json_container(value);
	int			length = copy->path.len;

	appendStringInfo(&copy->path, ".%s", name);
	if (shape != NULL && container != NULL && shape->type == CPW_SHAPE_LIST)
	{
		cpw_json_open_array(&copy->writer, name);
		copy_elements(copy, shape, container);
		cpw_json_close_array(&copy->writer);
	}
	else if (shape != NULL && container != NULL &&
			 (shape->type == CPW_SHAPE_STRUCTURE ||
			  shape->type == CPW_SHAPE_MAP))
	{
		cpw_json_open_object(&copy->writer, name);
		copy_members(copy, shape, container);
		cpw_json_close_object(&copy->writer);
	}
	else
		cpw_json_add_value(&copy->writer, name, value);
	copy->path.len = length;
	copy->path.data[length] = '\0';
}

static Jsonb *
make_copy(Copy *copy, JsonbContainer *declaration, int version)
{
	initStringInfo(&copy->path);
	appendStringInfoString(&copy->path, "pipeline");
	copy->pipeline = cpw_json_get_text(declaration, "name");
	cpw_json_open_object(&copy->writer, NULL);
	copy_members(copy, &cpw_shape_pipeline_declaration, declaration);
	/* Of a key that is written twice the last value counts. */
	if (version > 0)
		cpw_json_add_int(&copy->writer, "version", version);
	cpw_json_close_object(&copy->writer);
	return cpw_json_finish(&copy->writer);
}

Jsonb *
cpw_declaration_store(JsonbContainer *declaration, int version, Jsonb *stored,
					  CpwProblems *problems)
{
	Copy		copy = {0};

	copy.stored = stored ? &stored->root : NULL;
	copy.problems = problems;
	return make_copy(&copy, declaration, version);
}

Jsonb *
cpw_declaration_show(Jsonb *declaration)
{
	Copy		copy = {0};

	copy.kind = COPY_TO_SHOW;
	return make_copy(&copy, &declaration->root, 0);
}

Jsonb *
cpw_declaration_reseal(Jsonb *declaration, bool *changed)
{
	Copy		copy = {0};
	Jsonb	   *result;

	copy.kind = COPY_TO_RESEAL;
	result = make_copy(&copy, &declaration->root, 0);
	*changed = copy.changed;
	return result;
}

Jsonb *
cpw_declaration_open_configuration(Jsonb *configuration, const char *pipeline,
								   const char *action, const char **problem)
{
	JsonbIterator *iterator = JsonbIteratorInit(&configuration->root);
	CpwJsonWriter writer = {0};
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	*problem = NULL;
	cpw_json_open_object(&writer, NULL);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		name = cpw_json_string(&key);
		if (value.type != jbvString ||
			!cpw_shape_is_secret_key(name, (int) strlen(name)))
		{
			cpw_json_add_value(&writer, name, &value);
			continue;
		}
		cpw_json_add_text(&writer, name,
						  cpw_secret_try_open(cpw_json_string(&value),
											  cpw_declaration_secret_place(pipeline, action, name),
											  problem));
		if (*problem != NULL)
			return NULL;
	}
	cpw_json_close_object(&writer);
	return cpw_json_finish(&writer);
}
