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
#include "miscadmin.h"
#include "mb/pg_wchar.h"
#include "pg/filter.h"
#include "pg/json_path.h"
#include "pg/shape.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"

/* What of a found value a reason shows, and of how many of them. */
#define FOUND_LENGTH	60
#define FOUND_VALUES	3

/* What of a wanted one: all of a matchEquals, not of a long value in it. */
#define WANTED_LENGTH	150

/* What numeric can hold (numeric.h): digits before and after the point. */
#define MAX_WHOLE_DIGITS	131072
#define MAX_FRACTION_DIGITS	16383

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
 * Calls one of jsonb_path_*. The fmgr shortcuts are not used: they raise an
 * error of their own on a NULL result.
 */
static Datum
call(PGFunction function, const CpwFilter *filter, const JsonPath *path,
	 Jsonb *payload, Jsonb *variables, bool *is_null)
{
	LOCAL_FCINFO(fcinfo, 4);
	Datum		result;

	if (variables == NULL)
		variables = filter->no_variables;
	InitFunctionCallInfoData(*fcinfo, NULL, 4, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = JsonbPGetDatum(payload);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = PointerGetDatum(path);
	fcinfo->args[1].isnull = false;
	fcinfo->args[2].value = JsonbPGetDatum(variables);
	fcinfo->args[2].isnull = false;
	fcinfo->args[3].value = BoolGetDatum(true); /* silent */
	fcinfo->args[3].isnull = false;
	result = function(fcinfo);
	*is_null = fcinfo->isnull;
	return result;
}

static Jsonb *
select_by(const JsonPath *path, const CpwFilter *filter, Jsonb *payload,
		  Jsonb *variables)
{
	bool		is_null;
	Datum		values = call(jsonb_path_query_array, filter, path, payload,
							  variables, &is_null);

	return is_null ? NULL : DatumGetJsonbP(values);
}

Jsonb *
cpw_filter_select(const CpwFilter *filter, Jsonb *payload, Jsonb *variables)
{
	return select_by(filter->path, filter, payload, variables);
}

/*
 * Whether the path selects anything. A lax one need not select it all; of a
 * strict one that would be another question: an error behind the first value
 * would count.
 */
static bool
selects_anything(const CpwFilter *filter, Jsonb *payload, Jsonb *variables)
{
	bool		is_null;
	Datum		exists;
	Jsonb	   *values;

	if ((filter->path->header & JSONPATH_LAX) == 0)
	{
		values = select_by(filter->types ? filter->types : filter->path, filter,
						   payload, variables);
		return values != NULL && JsonContainerSize(&values->root) > 0;
	}
	exists = call(jsonb_path_exists, filter, filter->path, payload, variables,
				  &is_null);
	return !is_null && DatumGetBool(exists);
}

static Jsonb *
parse_constant(const char *json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

/* The path with more behind it. It is strict. */
static JsonPath *
extend(const char *path, const char *more)
{
	static const char mode[] = "strict ";
	char	   *text = psprintf("strict (%s)%s", path + strlen(mode), more);

	Assert(strncmp(path, mode, strlen(mode)) == 0);
	return DatumGetJsonPathP(DirectFunctionCall1(jsonpath_in,
												 CStringGetDatum(text)));
}

/*
 * A path that descends selects an object and all that is in it, each beside the
 * others: of a body of 15 kB these can be a gigabyte. Objects and arrays equal
 * nothing, so only how many there are is asked for. A lax path would look into
 * them where it is extended.
 */
static void
compile_apart(CpwFilter *filter)
{
	char	   *path = cpw_filter_translated(filter);

	if ((filter->path->header & JSONPATH_LAX) != 0 || filter->is_predicate ||
		strstr(path, "**") == NULL)
		return;
	filter->scalars = extend(path, " ? (@.type() != \"object\" && @.type() != \"array\")");
	filter->types = extend(path, ".type()");
}

CpwFilter *
cpw_filter_compile(const char *json_path, const char *match_equals)
{
	CpwFilter  *filter = palloc0(sizeof(CpwFilter));
	CpwJsonPathUse use;

	filter->json_path = pstrdup(json_path);
	filter->match_equals = match_equals ? pstrdup(match_equals) : NULL;
	filter->path = cpw_json_path_compile(json_path, &use);
	filter->is_predicate = selects_truth(filter->path);
	filter->wants_secret = match_equals != NULL &&
		cpw_filter_wants_secret(match_equals);
	filter->reads_headers = use.reads_headers;
	filter->reads_query = use.reads_query;
	filter->no_variables = parse_constant("{\"headers\":{},\"query\":{}}");
	compile_apart(filter);
	return filter;
}

/* The exponent after "e", or a value beyond any limit; false: it is none. */
static bool
read_exponent(const char **text, int *exponent)
{
	const char *p = *text;
	bool		negative = *p == '-';
	size_t		digits;

	if (*p == '+' || *p == '-')
		p++;
	digits = strspn(p, "0123456789");
	if (digits == 0)
		return false;
	*text = p + digits;
	while (*p == '0' && digits > 1)
	{
		p++;
		digits--;
	}
	*exponent = digits > 6 ? 1000000 : (int) strtol(p, NULL, 10);
	if (negative)
		*exponent = -*exponent;
	return true;
}

/*
 * Whether text is a number as JSON writes it, and one that a payload can hold;
 * numeric_in takes more, and raises an error for what does not fit.
 */
static bool
is_json_number(const char *text)
{
	const char *p = text;
	size_t		whole;
	size_t		fraction = 0;
	int			exponent = 0;

	if (*p == '-')
		p++;
	whole = strspn(p, "0123456789");
	if (whole == 0 || (whole > 1 && *p == '0'))
		return false;
	p += whole;
	if (*p == '.')
	{
		fraction = strspn(++p, "0123456789");
		if (fraction == 0)
			return false;
		p += fraction;
	}
	if (*p == 'e' || *p == 'E')
	{
		p++;
		if (!read_exponent(&p, &exponent))
			return false;
	}
	return *p == '\0' && (int) whole + exponent <= MAX_WHOLE_DIGITS &&
		(int) fraction - exponent <= MAX_FRACTION_DIGITS;
}

char *
cpw_filter_translated(const CpwFilter *filter)
{
	return DatumGetCString(DirectFunctionCall1(jsonpath_out,
											   PointerGetDatum(filter->path)));
}

/* What values are compared with; its number is made when it is needed. */
typedef struct Wanted
{
	const char *text;
	size_t		length;
	bool		is_read;		/* whether the text was looked at */
	Numeric		number;			/* NULL: it is none */
} Wanted;

static bool
equals_number(Numeric value, Wanted *wanted)
{
	if (!wanted->is_read)
	{
		wanted->is_read = true;
		if (is_json_number(wanted->text))
			wanted->number =
				DatumGetNumeric(DirectFunctionCall3(numeric_in,
													CStringGetDatum(wanted->text),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
	}
	return wanted->number != NULL &&
		DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(value),
										 NumericGetDatum(wanted->number)));
}

static bool
equals_value(const JsonbValue *value, Wanted *wanted)
{
	switch (value->type)
	{
		case jbvString:
			return (size_t) value->val.string.len == wanted->length &&
				memcmp(value->val.string.val, wanted->text,
					   wanted->length) == 0;
		case jbvNumeric:
			return equals_number(value->val.numeric, wanted);
		case jbvBool:
			return strcmp(wanted->text,
						  value->val.boolean ? "true" : "false") == 0;
		case jbvNull:
			return strcmp(wanted->text, "null") == 0;
		default:
			return false;
	}
}

/* Text in quotes and on one line, its first bytes. */
static char *
quote(const char *text, int length, int limit)
{
	StringInfoData quoted;
	int			shown = pg_mbcliplen(text, length, limit);

	initStringInfo(&quoted);
	escape_json(&quoted, psprintf("%.*s%s", shown, text,
								  shown < length ? "..." : ""));
	return quoted.data;
}

char *
cpw_filter_quote(const char *text)
{
	return quote(text, (int) strlen(text), WANTED_LENGTH);
}

/* A value for a reason. */
static char *
describe_value(const JsonbValue *value)
{
	char	   *digits;

	switch (value->type)
	{
		case jbvString:
			return quote(value->val.string.val, value->val.string.len,
						 FOUND_LENGTH);
		case jbvNumeric:
			digits = numeric_normalize(value->val.numeric);
			if (strlen(digits) > FOUND_LENGTH)
				return psprintf("%.*s...", FOUND_LENGTH, digits);
			return digits;
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvNull:
			return pstrdup("null");
		default:
			return pstrdup("an object or array");
	}
}

static bool
is_scalar_type(const JsonbValue *type)
{
	return !(type->val.string.len == 6 &&
			 memcmp(type->val.string.val, "object", 6) == 0) &&
		!(type->val.string.len == 5 &&
		  memcmp(type->val.string.val, "array", 5) == 0);
}

/*
 * The first of the values: "a", "b", "c" and 7 more. With types, which are of
 * all of them, the values are the scalars alone.
 */
static char *
describe_values(Jsonb *values, Jsonb *types)
{
	StringInfoData text;
	uint32		count = JsonContainerSize(types ? &types->root : &values->root);
	uint32		next = 0;

	initStringInfo(&text);
	for (uint32 i = 0; i < Min(count, FOUND_VALUES); i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(types ? &types->root :
														  &values->root, i);

		if (types != NULL && is_scalar_type(value))
			value = getIthJsonbValueFromContainer(&values->root, next++);
		else if (types != NULL)
			value->type = jbvBinary;
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "",
						 describe_value(value));
	}
	if (count > FOUND_VALUES)
		appendStringInfo(&text, " and %u more", count - FOUND_VALUES);
	return text.data;
}

/* Whether any of the values equals the wanted text. */
static bool
holds_value(Jsonb *values, const char *text)
{
	JsonbIterator *iterator = JsonbIteratorInit(&values->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	Wanted		wanted = {text, strlen(text), false, NULL};

	/* Nested ones are skipped: they equal nothing. */
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		CHECK_FOR_INTERRUPTS();
		if (equals_value(&value, &wanted))
			return true;
	}
	return false;
}

static CpwFilterResult
evaluate(const CpwFilter *filter, const char *wanted, Jsonb *payload,
		 Jsonb *variables, char **found)
{
	Jsonb	   *values;
	Jsonb	   *types = NULL;

	if (wanted == NULL && !filter->is_predicate)
		return selects_anything(filter, payload, variables) ?
			CPW_FILTER_PASSES : CPW_FILTER_FINDS_NOTHING;
	values = select_by(filter->scalars ? filter->scalars : filter->path, filter,
					   payload, variables);
	if (values == NULL)
		return CPW_FILTER_FINDS_NOTHING;

	/* A condition must hold; the text "true" is what it is compared with. */
	if (holds_value(values, wanted ? wanted : "true"))
		return CPW_FILTER_PASSES;
	if (filter->types != NULL)
		types = select_by(filter->types, filter, payload, variables);
	if (JsonContainerSize(types ? &types->root : &values->root) == 0)
		return CPW_FILTER_FINDS_NOTHING;
	*found = filter->wants_secret ? "\"" CPW_MASK "\"" :
		describe_values(values, types);
	return CPW_FILTER_DIFFERS;
}

CpwFilterResult
cpw_filter_evaluate(const CpwFilter *filter, const char *wanted,
					Jsonb *payload, Jsonb *variables, char **found)
{
	MemoryContext caller = CurrentMemoryContext;
	CpwFilterResult result;

	/* After an error it goes with the guard's subtransaction. */
	MemoryContext own = AllocSetContextCreate(CurTransactionContext,
											  "cp_webhook filter",
											  ALLOCSET_DEFAULT_SIZES);

	*found = NULL;
	MemoryContextSwitchTo(own);
	result = evaluate(filter, wanted, payload, variables, found);
	MemoryContextSwitchTo(caller);
	if (*found != NULL)
		*found = pstrdup(*found);
	MemoryContextDelete(own);
	return result;
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
				  bool masked, char **missing_key)
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
		if (masked && cpw_shape_is_secret_key(p + 1, (int) length))
			appendStringInfoString(&expanded, CPW_MASK);
		else
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
