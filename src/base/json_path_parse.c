/*
 * json_path_parse.c
 *		The segments and selectors of a JSONPath (RFC 9535, 2.3 to 2.5), and
 *		Java JsonPath's functions at the end of a path.
 */
#include <string.h>

#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

static const char selector_missing[] =
"a name in quotes, an index, a slice, * or ?filter should stand here";

bool
cpw_path_is_singular(const CpwPathQuery *query)
{
	for (CpwPathSegment *segment = query->segments; segment != NULL;
		 segment = segment->next)
	{
		CpwPathSelector *selector = segment->selectors;

		if (segment->descends || selector->next != NULL ||
			(selector->kind != CPW_SELECT_NAME &&
			 selector->kind != CPW_SELECT_INDEX))
			return false;
	}
	return true;
}

static bool
starts_integer(char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

/* An index, or a slice. */
static bool
parse_numbers(CpwPathState *state, CpwPathSelector *selector)
{
	selector->kind = CPW_SELECT_INDEX;
	if (starts_integer(cpw_path_peek(state)))
	{
		size_t		end;

		if (!cpw_path_parse_integer(state, &selector->index))
			return false;
		selector->has_start = true;
		end = state->at;
		cpw_path_skip_blanks(state);
		if (cpw_path_peek(state) != ':')
		{
			state->at = end;
			return true;
		}
	}
	selector->kind = CPW_SELECT_SLICE;
	selector->step = 1;
	cpw_path_take(state, ":");
	cpw_path_skip_blanks(state);
	if (starts_integer(cpw_path_peek(state)))
	{
		if (!cpw_path_parse_integer(state, &selector->end))
			return false;
		selector->has_end = true;
		cpw_path_skip_blanks(state);
	}
	if (!cpw_path_take(state, ":"))
		return true;
	cpw_path_skip_blanks(state);
	return !starts_integer(cpw_path_peek(state)) ||
		cpw_path_parse_integer(state, &selector->step);
}

static CpwPathSelector *
parse_selector(CpwPathState *state)
{
	CpwPathSelector *selector = cpw_path_alloc(state,
											   sizeof(CpwPathSelector));
	char		c = cpw_path_peek(state);
	bool		is_well;

	if (selector == NULL)
		return NULL;
	selector->position = state->at;
	if (c == '\'' || c == '"')
	{
		selector->kind = CPW_SELECT_NAME;
		is_well = cpw_path_parse_string(state, &selector->name);
	}
	else if (starts_integer(c) || c == ':')
		is_well = parse_numbers(state, selector);
	else if (cpw_path_take(state, "*"))
	{
		selector->kind = CPW_SELECT_WILDCARD;
		is_well = true;
	}
	else if (cpw_path_take(state, "?"))
	{
		selector->kind = CPW_SELECT_FILTER;
		selector->filter = cpw_path_parse_condition(state);
		is_well = selector->filter != NULL;
	}
	else
		is_well = cpw_path_invalid(state, state->at, selector_missing);
	return is_well ? selector : NULL;
}

/* The opening bracket is taken. */
static bool
parse_bracket(CpwPathState *state, CpwPathSegment *segment)
{
	CpwPathSelector **last = &segment->selectors;

	do
	{
		cpw_path_skip_blanks(state);
		*last = parse_selector(state);
		if (*last == NULL)
			return false;
		last = &(*last)->next;
		cpw_path_skip_blanks(state);
	} while (cpw_path_take(state, ","));
	if (!cpw_path_take(state, "]"))
		return cpw_path_invalid(state, state->at,
								"] or , should stand here");
	return true;
}

/* What stands behind a dot: * or a name. */
static bool
parse_shorthand(CpwPathState *state, CpwPathSegment *segment)
{
	CpwPathSelector *selector = cpw_path_alloc(state,
											   sizeof(CpwPathSelector));

	if (selector == NULL)
		return false;
	selector->position = state->at;
	segment->selectors = selector;
	if (cpw_path_take(state, "*"))
	{
		selector->kind = CPW_SELECT_WILDCARD;
		return true;
	}
	selector->kind = CPW_SELECT_NAME;
	if (!cpw_path_parse_name(state, &selector->name))
		return cpw_path_invalid(state, state->at,
								"a name or * should stand here");
	return true;
}

/* ---- functions of Java JsonPath ---- */

typedef struct Function
{
	const char *name;
	CpwPathFunction function;
	const char *refusal;
} Function;

static const Function functions[] = {
	{"length", CPW_FUNCTION_LENGTH, NULL},
	{"min", CPW_FUNCTION_MIN, "the value of min() cannot be expressed, only its comparison with a number"},
	{"max", CPW_FUNCTION_MAX, "the value of max() cannot be expressed, only its comparison with a number"},
	{"keys", CPW_FUNCTION_OTHER, "keys() cannot be expressed: it makes an array"},
	{"sum", CPW_FUNCTION_OTHER, "sum() cannot be expressed"},
	{"avg", CPW_FUNCTION_OTHER, "avg() cannot be expressed"},
	{"stddev", CPW_FUNCTION_OTHER, "stddev() cannot be expressed"},
	{"first", CPW_FUNCTION_OTHER, "first() is not supported: write [0]"},
	{"last", CPW_FUNCTION_OTHER, "last() is not supported: write [-1]"},
	{"index", CPW_FUNCTION_OTHER, "index() is not supported: write the index in brackets"},
	{"concat", CPW_FUNCTION_OTHER, "concat() cannot be expressed"},
	{"append", CPW_FUNCTION_OTHER, "append() cannot be expressed"},
};

/* A name of them and () come next: taken. */
static bool
take_function(CpwPathState *state, CpwPathQuery *query)
{
	size_t		start = state->at;
	CpwPathText name;

	if (!cpw_path_parse_name(state, &name))
		return false;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
	{
		if (!cpw_path_text_is(&name, functions[i].name) ||
			!cpw_path_take(state, "("))
			continue;
		cpw_path_skip_blanks(state);
		if (!cpw_path_take(state, ")"))
			break;
		query->function = functions[i].function;
		query->refusal = functions[i].refusal;
		return true;
	}
	state->at = start;
	return false;
}

/* ---- queries ---- */

/* Whether one more segment came, or the function that ends the path. */
static bool
parse_segment(CpwPathState *state, CpwPathQuery *query,
			  CpwPathSegment ***last)
{
	size_t		end = state->at;
	CpwPathSegment *segment;
	bool		descends;
	bool		is_well;

	cpw_path_skip_blanks(state);
	if (cpw_path_peek(state) != '.' && cpw_path_peek(state) != '[')
	{
		state->at = end;
		return false;
	}
	descends = cpw_path_take(state, "..");
	if (!descends && cpw_path_take(state, "."))
	{
		if (take_function(state, query))
			return false;
		state->at--;
	}
	segment = cpw_path_alloc(state, sizeof(CpwPathSegment));
	if (segment == NULL)
		return false;
	segment->descends = descends;
	if (cpw_path_take(state, "["))
		is_well = parse_bracket(state, segment);
	else
	{
		if (!descends)
			cpw_path_take(state, ".");
		is_well = parse_shorthand(state, segment);
	}
	**last = segment;
	*last = &segment->next;
	return is_well;
}

CpwPathQuery *
cpw_path_parse_query(CpwPathState *state, bool in_filter)
{
	CpwPathQuery *query = cpw_path_alloc(state, sizeof(CpwPathQuery));
	CpwPathSegment **last;

	if (query == NULL)
		return NULL;
	last = &query->segments;
	query->position = state->at;
	query->is_absolute = cpw_path_take(state, "$");
	if (!query->is_absolute && !(in_filter && cpw_path_take(state, "@")))
	{
		cpw_path_invalid(state, state->at, "a path begins with $");
		return NULL;
	}
	while (parse_segment(state, query, &last))
		;
	return cpw_path_is_well(state) ? query : NULL;
}
