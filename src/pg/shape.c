/*
 * shape.c
 *		One walk that checks a request against its shape.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_collation.h"
#include "compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/json.h"
#include "pg/shape.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

/* Names longer than this are near to nothing. */
#define MAX_NAME	100

/* Where the walk is, and what it has found. */
typedef struct Walk
{
	CpwProblems problems;
	StringInfoData path;
} Walk;

static void check_value(Walk *walk, const CpwShape *shape, JsonbValue *value);

/* ---- what a message quotes ---- */

/*
 * A value as a message may quote it. A secret is masked. So is whatever stands
 * where something else was expected and could be a misplaced secret: a value
 * in the place of a container. Of containers only the size is said.
 */
static const char *
show_value(const CpwShape *shape, const JsonbValue *value)
{
	JsonbContainer *container = cpw_json_container(value);

	if (container != NULL)
		return psprintf(JsonContainerIsArray(container) ?
						"[%d members]" : "{%d members}",
						(int) JsonContainerSize(container));
	if (shape->secret || shape->type >= CPW_SHAPE_STRUCTURE)
		return CPW_MASK;
	switch (value->type)
	{
		case jbvString:
			return cpw_json_string(value);
		case jbvNumeric:
			return numeric_normalize(value->val.numeric);
		case jbvBool:
			return value->val.boolean ? "true" : "false";
		default:
			return NULL;
	}
}

static void
check_length(Walk *walk, const CpwShape *shape, const JsonbValue *value,
			 int64 length)
{
	if (shape->min > 0 && length < shape->min)
		cpw_errors_add_violation(&walk->problems, walk->path.data,
								 show_value(shape, value),
								 "Member must have length greater than or equal to %lld",
								 (long long) shape->min);
	if (shape->max > 0 && length > shape->max)
		cpw_errors_add_violation(&walk->problems, walk->path.data,
								 show_value(shape, value),
								 "Member must have length less than or equal to %lld",
								 (long long) shape->max);
}

/* ---- scalars ---- */

static bool
matches(const char *pattern, const JsonbValue *value)
{
	text	   *anchored = cstring_to_text(psprintf("^(?:%s)$", pattern));

	return RE_compile_and_execute(anchored, value->val.string.val,
								  value->val.string.len, REG_ADVANCED,
								  C_COLLATION_OID, 0, NULL);
}

static void
check_enumeration(Walk *walk, const CpwShape *shape, const JsonbValue *value)
{
	StringInfoData values;

	initStringInfo(&values);
	for (const char *const *v = shape->values; *v != NULL; v++)
	{
		if (strlen(*v) == (size_t) value->val.string.len &&
			memcmp(*v, value->val.string.val, value->val.string.len) == 0)
			return;
		appendStringInfo(&values, "%s%s", values.len > 0 ? ", " : "", *v);
	}
	cpw_errors_add_violation(&walk->problems, walk->path.data,
							 show_value(shape, value),
							 "Member must satisfy enum value set: [%s]",
							 values.data);
}

static void
check_string(Walk *walk, const CpwShape *shape, JsonbValue *value)
{
	if (shape->values != NULL)
		check_enumeration(walk, shape, value);
	check_length(walk, shape, value,
				 pg_mbstrlen_with_len(value->val.string.val,
									  value->val.string.len));
	if (shape->pattern != NULL && !matches(shape->pattern, value))
		cpw_errors_add_violation(&walk->problems, walk->path.data,
								 show_value(shape, value),
								 "Member must satisfy regular expression pattern: %s",
								 shape->pattern);
}

static void
check_integer(Walk *walk, const CpwShape *shape, JsonbValue *value)
{
	const char *digits = numeric_normalize(value->val.numeric);
	int64		max = shape->max > 0 ? shape->max : INT_MAX;
	int64		min = shape->min > 0 ? shape->min : INT_MIN;
	bool		negative = *digits == '-';
	long long	number;

	if (strspn(digits + negative, "0123456789") != strlen(digits + negative))
	{
		cpw_errors_add_violation(&walk->problems, walk->path.data, digits,
								 "Member must be an integer");
		return;
	}
	/* What strtoll cannot hold becomes its own limit, which is beyond ours. */
	number = strtoll(digits, NULL, 10);
	if (number < min)
		cpw_errors_add_violation(&walk->problems, walk->path.data, digits,
								 "Member must have value greater than or equal to %lld",
								 (long long) min);
	if (number > max)
		cpw_errors_add_violation(&walk->problems, walk->path.data, digits,
								 "Member must have value less than or equal to %lld",
								 (long long) max);
}

static void
check_nothing(Walk *walk, const CpwShape *shape, JsonbValue *value)
{
	(void) walk;
	(void) shape;
	(void) value;
}

/* ---- containers ---- */

/* Appends ".name" (or "name" at the top); the caller cuts it off again. */
static void
enter(Walk *walk, const char *name, int length)
{
	appendStringInfo(&walk->path, "%s%.*s", walk->path.len > 0 ? "." : "",
					 pg_mbcliplen(name, length, MAX_NAME), name);
}

static void
leave(Walk *walk, int length)
{
	walk->path.len = length;
	walk->path.data[length] = '\0';
}

static void
violate_null(Walk *walk)
{
	cpw_errors_add_violation(&walk->problems, walk->path.data, NULL,
							 "Member must not be null");
}

const CpwShape *
cpw_shape_member(const CpwShape *structure, const char *name, int length)
{
	for (const CpwMember *m = structure->members; m->name != NULL; m++)
		if (strlen(m->name) == (size_t) length &&
			memcmp(m->name, name, length) == 0)
			return m->shape;
	return NULL;
}

/* The known member whose name is nearest by edit distance, in either case. */
static const char *
nearest_member(const CpwShape *structure, const char *name, int length)
{
	const char *nearest = structure->members[0].name;
	int			least = INT_MAX;
	char	   *lower;

	length = pg_mbcliplen(name, length, MAX_NAME);
	lower = asc_tolower(name, length);
	for (const CpwMember *m = structure->members; m->name != NULL; m++)
	{
		char	   *known = asc_tolower(m->name, strlen(m->name));
		int			distance = varstr_levenshtein(known, (int) strlen(known),
												  lower, length, 1, 1, 1, true);

		if (distance < least)
		{
			least = distance;
			nearest = m->name;
		}
	}
	return nearest;
}

/* The value of an unknown member could be a misplaced secret: masked. */
static void
check_unknown_members(Walk *walk, const CpwShape *shape,
					  JsonbContainer *object)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	name;
	int			length = walk->path.len;

	while ((token = JsonbIteratorNext(&iterator, &name, true)) != WJB_DONE)
	{
		if (token != WJB_KEY ||
			cpw_shape_member(shape, name.val.string.val,
							 name.val.string.len) != NULL)
			continue;
		enter(walk, name.val.string.val, name.val.string.len);
		cpw_errors_add_violation(&walk->problems, walk->path.data, CPW_MASK,
								 "Member must be known, the nearest known one is '%s'",
								 nearest_member(shape, name.val.string.val,
												name.val.string.len));
		leave(walk, length);
	}
}

static void
check_structure(Walk *walk, const CpwShape *shape, JsonbValue *value)
{
	JsonbContainer *object = cpw_json_container(value);
	int			length = walk->path.len;

	for (const CpwMember *m = shape->members; m->name != NULL; m++)
	{
		JsonbValue *member = cpw_json_get(object, m->name);

		if (member == NULL && !m->required)
			continue;
		enter(walk, m->name, (int) strlen(m->name));
		if (member == NULL)
			violate_null(walk);
		else
			check_value(walk, m->shape, member);
		leave(walk, length);
	}
	check_unknown_members(walk, shape, object);
}

static void
check_list(Walk *walk, const CpwShape *shape, JsonbValue *value)
{
	JsonbContainer *array = cpw_json_container(value);
	int			length = walk->path.len;

	check_length(walk, shape, value, JsonContainerSize(array));
	if (shape->element == NULL)
		return;
	for (uint32 i = 0; i < JsonContainerSize(array); i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(array, i);

		appendStringInfo(&walk->path, ".%u.member", i + 1);
		if (element->type == jbvNull)
			violate_null(walk);
		else
			check_value(walk, shape->element, element);
		leave(walk, length);
	}
}

static void
check_map_entry(Walk *walk, const CpwShape *shape, JsonbValue *key,
				JsonbValue *value)
{
	CpwShape	element = *shape->element;
	int			length = walk->path.len;
	int			characters = pg_mbstrlen_with_len(key->val.string.val,
												  key->val.string.len);

	if (characters < shape->key->min)
		cpw_errors_add_violation(&walk->problems, walk->path.data,
								 show_value(shape->key, key),
								 "Map keys must satisfy constraint: [Member must have length greater than or equal to %lld]",
								 (long long) shape->key->min);
	if (characters > shape->key->max)
		cpw_errors_add_violation(&walk->problems, walk->path.data,
								 show_value(shape->key, key),
								 "Map keys must satisfy constraint: [Member must have length less than or equal to %lld]",
								 (long long) shape->key->max);
	element.secret |= shape->is_secret_key != NULL &&
		shape->is_secret_key(key->val.string.val, key->val.string.len);
	enter(walk, key->val.string.val, key->val.string.len);
	if (value->type == jbvNull)
		violate_null(walk);
	else
		check_value(walk, &element, value);
	leave(walk, length);
}

static void
check_map(Walk *walk, const CpwShape *shape, JsonbValue *value)
{
	JsonbIterator *iterator = JsonbIteratorInit(cpw_json_container(value));
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	entry;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &entry, true);
		check_map_entry(walk, shape, &key, &entry);
	}
}

/* ---- the walk ---- */

static bool
is_string(const JsonbValue *value)
{
	return value->type == jbvString;
}

static bool
is_number(const JsonbValue *value)
{
	return value->type == jbvNumeric;
}

static bool
is_boolean(const JsonbValue *value)
{
	return value->type == jbvBool;
}

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary &&
		JsonContainerIsObject(value->val.binary.data);
}

static bool
is_anything(const JsonbValue *value)
{
	(void) value;
	return true;
}

static bool
is_array(const JsonbValue *value)
{
	return value->type == jbvBinary &&
		JsonContainerIsArray(value->val.binary.data);
}

typedef struct TypeCheck
{
	const char *noun;			/* "Member must be ..." */
	bool		(*is_type) (const JsonbValue *value);
	void		(*check) (Walk *walk, const CpwShape *shape, JsonbValue *value);
} TypeCheck;

static const TypeCheck type_checks[] = {
	[CPW_SHAPE_STRING] = {"a string", is_string, check_string},
	[CPW_SHAPE_INTEGER] = {"an integer", is_number, check_integer},
	[CPW_SHAPE_BOOLEAN] = {"a boolean", is_boolean, check_nothing},
	[CPW_SHAPE_STRUCTURE] = {"an object", is_object, check_structure},
	[CPW_SHAPE_LIST] = {"an array", is_array, check_list},
	[CPW_SHAPE_MAP] = {"an object", is_object, check_map},
	[CPW_SHAPE_WHOLE_OBJECT] = {"an object", is_object, check_nothing},
	[CPW_SHAPE_WHOLE_LIST] = {"an array", is_array, check_list},
	[CPW_SHAPE_ANY] = {"anything", is_anything, check_nothing},
};

static void
check_value(Walk *walk, const CpwShape *shape, JsonbValue *value)
{
	const TypeCheck *type = &type_checks[shape->type];

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (type->is_type(value))
		type->check(walk, shape, value);
	else
		cpw_errors_add_violation(&walk->problems, walk->path.data,
								 show_value(shape, value), "Member must be %s",
								 type->noun);
}

void
cpw_shape_check(const CpwShape *shape, Jsonb *request)
{
	Walk		walk = {0};
	JsonbValue	value;

	initStringInfo(&walk.path);
	if (request == NULL)
		cpw_errors_add_violation(&walk.problems, "request", NULL,
								 "Member must not be null");
	else if (JB_ROOT_IS_SCALAR(request) || !JB_ROOT_IS_OBJECT(request))
		cpw_errors_add_violation(&walk.problems, "request", CPW_MASK,
								 "Member must be an object");
	else
	{
		JsonbToJsonbValue(request, &value);
		check_value(&walk, shape, &value);
	}
	cpw_errors_raise_all(&walk.problems);
}
