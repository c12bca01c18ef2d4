/*
 * filter.c
 *		A filter rule compiled and evaluated: the only caller of jsonb_path_*.
 *
 * The path is parsed once, when its webhook is loaded; a delivery pays for the
 * evaluation alone. Errors that a payload's structure or numbers can cause are
 * silenced (the path then selects what it had found); those that remain are
 * the caller's guard's.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "pg/filter.h"
#include "pg/json_path.h"
#include "pg/shape.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* What of a found value a reason shows. */
#define FOUND_LENGTH	60

/* A path that is one condition selects that condition's truth. */
static bool
selects_truth(JsonPath *path)
{
	JsonPathItem item;

	jspInit(&item, path);
	if (jspHasNext(&item))
		return false;
	switch (item.type)
	{
		case jpiAnd:
		case jpiOr:
		case jpiNot:
		case jpiIsUnknown:
		case jpiEqual:
		case jpiNotEqual:
		case jpiLess:
		case jpiGreater:
		case jpiLessOrEqual:
		case jpiGreaterOrEqual:
		case jpiExists:
		case jpiStartsWith:
		case jpiLikeRegex:
			return true;
		default:
			return false;
	}
}

/*
 * All that a path selects, as a jsonb array. The fmgr shortcuts are not used:
 * they raise an error of their own on a NULL result.
 */
static Jsonb *
select_values(JsonPath *path, Jsonb *payload, Jsonb *variables)
{
	LOCAL_FCINFO(fcinfo, 4);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, 4, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = JsonbPGetDatum(payload);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = PointerGetDatum(path);
	fcinfo->args[1].isnull = false;
	fcinfo->args[2].value = JsonbPGetDatum(variables);
	fcinfo->args[2].isnull = false;
	fcinfo->args[3].value = BoolGetDatum(true); /* silent */
	fcinfo->args[3].isnull = false;
	result = jsonb_path_query_array(fcinfo);
	return fcinfo->isnull ? NULL : DatumGetJsonbP(result);
}

static Jsonb *
parse_constant(const char *json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

CpwFilter *
cpw_filter_compile(const char *json_path, const char *match_equals)
{
	CpwFilter  *filter = palloc0(sizeof(CpwFilter));
	bool		is_translated;

	filter->json_path = pstrdup(json_path);
	filter->match_equals = match_equals ? pstrdup(match_equals) : NULL;
	filter->path = cpw_json_path_compile(json_path, &is_translated);
	filter->is_predicate = selects_truth(filter->path);
	filter->no_variables = parse_constant("{\"headers\":{},\"query\":{}}");
	/* A text search errs on the safe side: "headers" may be a member's name. */
	filter->uses_variables = !is_translated &&
		(strstr(json_path, "headers") != NULL ||
		 strstr(json_path, "query") != NULL);
	return filter;
}

/* Whether text is a number as JSON writes it; numeric_in takes more. */
static bool
is_json_number(const char *text)
{
	const char *p = text;

	if (*p == '-')
		p++;
	if (*p == '0')
		p++;
	else if (*p >= '1' && *p <= '9')
		p += strspn(p, "0123456789");
	else
		return false;
	if (*p == '.')
	{
		size_t		digits = strspn(++p, "0123456789");

		if (digits == 0)
			return false;
		p += digits;
	}
	if (*p == 'e' || *p == 'E')
	{
		size_t		digits;

		p++;
		if (*p == '+' || *p == '-')
			p++;
		digits = strspn(p, "0123456789");
		/* An exponent beyond numeric's range would raise an error. */
		if (digits == 0 || digits > 4)
			return false;
		p += digits;
	}
	return *p == '\0';
}

static bool
equals_number(Numeric value, const char *wanted)
{
	Datum		number;

	if (!is_json_number(wanted))
		return false;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(wanted),
								 ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	return DatumGetBool(DirectFunctionCall2(numeric_eq,
											NumericGetDatum(value), number));
}

static bool
equals_value(const JsonbValue *value, const char *wanted)
{
	switch (value->type)
	{
		case jbvString:
			return (size_t) value->val.string.len == strlen(wanted) &&
				memcmp(value->val.string.val, wanted,
					   value->val.string.len) == 0;
		case jbvNumeric:
			return equals_number(value->val.numeric, wanted);
		case jbvBool:
			return strcmp(wanted, value->val.boolean ? "true" : "false") == 0;
		case jbvNull:
			return strcmp(wanted, "null") == 0;
		default:
			return false;
	}
}

/* A value for a reason: short, and of one line. */
static char *
describe_value(const JsonbValue *value)
{
	int			length;

	switch (value->type)
	{
		case jbvString:
			length = value->val.string.len;
			if (length <= FOUND_LENGTH)
				return psprintf("\"%.*s\"", length, value->val.string.val);
			length = pg_mbcliplen(value->val.string.val, length, FOUND_LENGTH);
			return psprintf("\"%.*s...\"", length, value->val.string.val);
		case jbvNumeric:
			{
				char	   *digits = numeric_normalize(value->val.numeric);

				if (strlen(digits) > FOUND_LENGTH)
					return psprintf("%.*s...", FOUND_LENGTH, digits);
				return digits;
			}
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvNull:
			return pstrdup("null");
		default:
			return pstrdup("an object or array");
	}
}

CpwFilterResult
cpw_filter_evaluate(const CpwFilter *filter, const char *wanted,
					Jsonb *payload, Jsonb *variables, char **found)
{
	Jsonb	   *values;
	uint32		count;

	*found = NULL;
	if (variables == NULL)
		variables = filter->no_variables;
	values = select_values(filter->path, payload, variables);
	count = values ? JsonContainerSize(&values->root) : 0;
	if (count == 0)
		return CPW_FILTER_FINDS_NOTHING;

	/* A condition must hold; the text "true" is what it is compared with. */
	if (wanted == NULL)
	{
		if (!filter->is_predicate)
			return CPW_FILTER_PASSES;
		wanted = "true";
	}
	for (uint32 i = 0; i < count; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(&values->root, i);

		if (equals_value(value, wanted))
			return CPW_FILTER_PASSES;
		if (i == 0)
			*found = describe_value(value);
	}
	return CPW_FILTER_DIFFERS;
}

/* The length of a placeholder's key at text ("{" behind us), or 0. */
static size_t
placeholder_length(const char *text)
{
	size_t		length = strspn(text, "abcdefghijklmnopqrstuvwxyz"
								"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return text[length] == '}' ? length : 0;
}

char *
cpw_filter_expand(const char *match_equals, Jsonb *configuration,
				  char **missing_key)
{
	StringInfoData expanded;

	if (missing_key != NULL)
		*missing_key = NULL;
	initStringInfo(&expanded);
	for (const char *p = match_equals; *p != '\0'; p++)
	{
		size_t		length = *p == '{' ? placeholder_length(p + 1) : 0;
		JsonbValue *value = NULL;

		if (length == 0)
		{
			appendStringInfoChar(&expanded, *p);
			continue;
		}
		if (configuration != NULL && JB_ROOT_IS_OBJECT(configuration))
			value = getKeyJsonValueFromContainer(&configuration->root,
												 p + 1, (int) length, NULL);
		if (value == NULL || value->type != jbvString)
		{
			if (missing_key != NULL)
				*missing_key = pnstrdup(p + 1, length);
			return NULL;
		}
		appendBinaryStringInfo(&expanded, value->val.string.val,
							   value->val.string.len);
		p += length + 1;
	}
	return expanded.data;
}

bool
cpw_filter_wants_secret(const char *match_equals)
{
	for (const char *p = match_equals; *p != '\0'; p++)
	{
		size_t		length = *p == '{' ? placeholder_length(p + 1) : 0;

		if (length > 0 && cpw_shape_is_secret_key(p + 1, (int) length))
			return true;
	}
	return false;
}
