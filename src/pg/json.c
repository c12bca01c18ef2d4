/*
 * json.c
 *		Members of jsonb objects read and written with less ceremony.
 */
#include "postgres.h"

#include <limits.h>

#include "compat.h"
#include "pg/json.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#define UNIX_EPOCH_OFFSET \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* ---- reading ---- */

JsonbContainer *
cpw_json_container(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary ?
		value->val.binary.data : NULL;
}

JsonbValue *
cpw_json_get(JsonbContainer *object, const char *name)
{
	JsonbValue *value;

	if (object == NULL || !JsonContainerIsObject(object))
		return NULL;
	value = getKeyJsonValueFromContainer(object, name, (int) strlen(name),
										 NULL);
	return value == NULL || value->type == jbvNull ? NULL : value;
}

char *
cpw_json_get_text(JsonbContainer *object, const char *name)
{
	JsonbValue *value = cpw_json_get(object, name);

	return value != NULL && value->type == jbvString ?
		cpw_json_string(value) : NULL;
}

int
cpw_json_get_int(JsonbContainer *object, const char *name, int if_absent)
{
	JsonbValue *value = cpw_json_get(object, name);
	char	   *digits;
	char	   *end;
	long		number;

	if (value == NULL || value->type != jbvNumeric)
		return if_absent;
	digits = numeric_normalize(value->val.numeric);
	errno = 0;
	number = strtol(digits, &end, 10);
	if (errno != 0 || *end != '\0' || number < INT_MIN || number > INT_MAX)
		return if_absent;
	return (int) number;
}

bool
cpw_json_get_bool(JsonbContainer *object, const char *name, bool if_absent)
{
	JsonbValue *value = cpw_json_get(object, name);

	return value != NULL && value->type == jbvBool ?
		value->val.boolean : if_absent;
}

JsonbContainer *
cpw_json_get_container(JsonbContainer *object, const char *name)
{
	return cpw_json_container(cpw_json_get(object, name));
}

int
cpw_json_length(JsonbContainer *array)
{
	return array != NULL ? (int) JsonContainerSize(array) : 0;
}

JsonbContainer *
cpw_json_element(JsonbContainer *array, int index)
{
	return cpw_json_container(getIthJsonbValueFromContainer(array, index));
}

char *
cpw_json_string(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

Jsonb *
cpw_json_copy(JsonbValue *value)
{
	return value != NULL ? JsonbValueToJsonb(value) : NULL;
}

/* ---- writing ---- */

/* Adds a value, or opens or closes a container. */
static void
push(CpwJsonWriter *writer, JsonbIteratorToken token, const JsonbValue *value)
{
	writer->result = pushJsonbValue(&writer->state, token,
									unconstify(JsonbValue *, value));
}

static void
push_name(CpwJsonWriter *writer, const char *name)
{
	JsonbValue	key;

	if (name == NULL)
		return;
	key.type = jbvString;
	key.val.string.val = unconstify(char *, name);
	key.val.string.len = (int) strlen(name);
	push(writer, WJB_KEY, &key);
}

void
cpw_json_open_object(CpwJsonWriter *writer, const char *name)
{
	push_name(writer, name);
	push(writer, WJB_BEGIN_OBJECT, NULL);
}

void
cpw_json_close_object(CpwJsonWriter *writer)
{
	push(writer, WJB_END_OBJECT, NULL);
}

void
cpw_json_open_array(CpwJsonWriter *writer, const char *name)
{
	push_name(writer, name);
	push(writer, WJB_BEGIN_ARRAY, NULL);
}

void
cpw_json_close_array(CpwJsonWriter *writer)
{
	push(writer, WJB_END_ARRAY, NULL);
}

void
cpw_json_add_value(CpwJsonWriter *writer, const char *name,
				   const JsonbValue *value)
{
	if (value == NULL)
		return;
	push_name(writer, name);
	push(writer, name != NULL ? WJB_VALUE : WJB_ELEM, value);
}

void
cpw_json_add_text(CpwJsonWriter *writer, const char *name, const char *text)
{
	JsonbValue	value;

	if (text == NULL)
		return;
	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = (int) strlen(text);
	cpw_json_add_value(writer, name, &value);
}

static void
add_numeric(CpwJsonWriter *writer, const char *name, Numeric number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = number;
	cpw_json_add_value(writer, name, &value);
}

void
cpw_json_add_int(CpwJsonWriter *writer, const char *name, int number)
{
	add_numeric(writer, name, int64_to_numeric(number));
}

void
cpw_json_add_timestamp(CpwJsonWriter *writer, const char *name,
					   TimestampTz instant)
{
	if (instant == 0)
		return;
	add_numeric(writer, name,
				int64_div_fast_to_numeric(instant + UNIX_EPOCH_OFFSET, 6));
}

void
cpw_json_add_jsonb(CpwJsonWriter *writer, const char *name, const Jsonb *json)
{
	JsonbValue	value;

	if (json == NULL)
		return;
	if (!JsonbExtractScalar((JsonbContainer *) &json->root, &value))
		JsonbToJsonbValue(unconstify(Jsonb *, json), &value);
	cpw_json_add_value(writer, name, &value);
}

Jsonb *
cpw_json_finish(CpwJsonWriter *writer)
{
	return JsonbValueToJsonb(writer->result);
}
