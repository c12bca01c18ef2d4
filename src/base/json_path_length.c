/*
 * json_path_length.c
 *		length() and count() compared with a number, as predicates of jsonpath.
 *
 * jsonpath has size() for arrays alone. A string's length is that of what a
 * pattern matches; whether an object has no, one or more members can be asked,
 * a greater number can't.
 */
#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* Characters that a comparison of a length may speak of. */
#define MAX_LENGTH		1000

/* Bound of a repetition in the server's regular expressions. */
#define MAX_REPETITION	255

#define ANY				INT64_MAX

typedef struct Range
{
	int64_t		least;
	int64_t		most;			/* ANY: no bound; below least: none at all */
} Range;

/* The greatest whole number that is not above. */
static int64_t
round_down(double number)
{
	int64_t		whole = (int64_t) number;

	return (double) whole > number ? whole - 1 : whole;
}

/* The whole numbers from 0 that compare so with a number. */
static Range
make_range(CpwPathConditionKind kind, double number)
{
	const double large = 1e15;
	Range		range = {0, ANY};
	int64_t		down;
	int64_t		up;

	if (number > large)
		number = large;
	if (number < -1)
		number = -1;
	down = round_down(number);
	up = -round_down(-number);
	if (kind == CPW_CONDITION_EQUAL || kind == CPW_CONDITION_GREATER_OR_EQUAL)
		range.least = up;
	if (kind == CPW_CONDITION_GREATER)
		range.least = down + 1;
	if (kind == CPW_CONDITION_EQUAL || kind == CPW_CONDITION_LESS_OR_EQUAL)
		range.most = down;
	if (kind == CPW_CONDITION_LESS)
		range.most = up - 1;
	if (range.least < 0)
		range.least = 0;
	return range;
}

/* A pattern for this many characters, in steps that the server has. */
static void
write_repetition(CpwPathState *state, int64_t least, int64_t most)
{
	int64_t		common = least;

	for (; common > MAX_REPETITION; common -= MAX_REPETITION)
		cpw_path_write(state, ".{%d}", MAX_REPETITION);
	if (most == ANY)
	{
		cpw_path_write(state, ".{%lld}", (long long) common);
		return;
	}
	cpw_path_write(state, ".{%lld}", (long long) common);
	for (most -= least; most > MAX_REPETITION; most -= MAX_REPETITION)
		cpw_path_write(state, ".{0,%d}", MAX_REPETITION);
	if (most > 0)
		cpw_path_write(state, ".{0,%lld}", (long long) most);
	cpw_path_write(state, "$");
}

static void
emit_string_length(CpwPathState *state, const CpwPathOperand *operand,
				   Range range)
{
	const CpwPathQuery *query = operand->query;

	if (range.least == 0 && range.most == ANY)
	{
		cpw_path_emit_pattern(state, "%a.type() == \"string\"", query, query);
		return;
	}
	if (range.least > MAX_LENGTH ||
		(range.most != ANY && range.most > MAX_LENGTH))
	{
		cpw_path_refuse(state, operand->position,
						"a length beyond 1000 cannot be expressed", NULL);
		return;
	}
	cpw_path_emit_query(state, query);
	cpw_path_write(state, " like_regex \"^");
	write_repetition(state, range.least, range.most);
	cpw_path_write(state, "\" flag \"s\"");
}

static void
emit_array_length(CpwPathState *state, const CpwPathQuery *query, Range range)
{
	if (range.least == range.most)
	{
		cpw_path_emit_pattern(state, "%a.size() == ", query, query);
		cpw_path_write(state, "%lld", (long long) range.least);
		return;
	}
	cpw_path_emit_pattern(state, "%a.size() >= ", query, query);
	cpw_path_write(state, "%lld", (long long) range.least);
	if (range.most == ANY)
		return;
	cpw_path_emit_pattern(state, " && %a.size() <= ", query, query);
	cpw_path_write(state, "%lld", (long long) range.most);
}

/* The predicate that an object has this many members or more: up to two. */
static void
emit_at_least(CpwPathState *state, const CpwPathQuery *query, int64_t members)
{
	static const char *const patterns[] = {
		"%a.type() == \"object\"",
		"exists(%a ? (@.type() == \"object\").keyvalue())",
		/* Two keys are different only if one is the greater. */
		("exists(%a ? (@.type() == \"object\") ? "
		 "(@.keyvalue().key < @.keyvalue().key))"),
	};

	cpw_path_emit_pattern(state, patterns[members], query, query);
}

void
cpw_path_emit_members(CpwPathState *state, const CpwPathQuery *query,
					  int64_t least, int64_t most, const char *reason)
{
	if (least > 2 || (most != ANY && most > 1))
	{
		cpw_path_emit_pattern(state, "(%a.type() == \"object\" && ", query, query);
		cpw_path_emit_refusal(state, reason);
		cpw_path_write(state, ")");
		return;
	}
	cpw_path_write(state, "(");
	emit_at_least(state, query, least);
	if (most != ANY)
	{
		cpw_path_write(state, " && !exists(@ ? (");
		emit_at_least(state, query, most + 1);
		cpw_path_write(state, "))");
	}
	cpw_path_write(state, ")");
}

void
cpw_path_emit_length(CpwPathState *state, CpwPathConditionKind kind,
			const CpwPathOperand *operand, double number, bool with_strings)
{
	Range		range = make_range(kind, number);

	if (range.most < range.least)
	{
		cpw_path_emit_constant(state, false);
		return;
	}
	cpw_path_write(state, "(");
	if (with_strings)
	{
		emit_string_length(state, operand, range);
		cpw_path_write(state, " || ");
	}
	emit_array_length(state, operand->query, range);
	cpw_path_write(state, " || ");
	cpw_path_emit_members(state, operand->query, range.least, range.most,
						  "length() of an object cannot be expressed");
	cpw_path_write(state, ")");
}

/* The path without its last segment, when that is a * behind a path to one. */
static bool
is_children_of(const CpwPathQuery *query, CpwPathState *state,
			   CpwPathQuery **parent)
{
	CpwPathSegment **last;

	if (query->segments == NULL)
		return false;
	*parent = cpw_path_alloc(state, sizeof(CpwPathQuery));
	if (*parent == NULL)
		return false;
	**parent = *query;
	last = &(*parent)->segments;
	for (const CpwPathSegment *segment = query->segments;
		 segment->next != NULL; segment = segment->next)
	{
		*last = cpw_path_alloc(state, sizeof(CpwPathSegment));
		if (*last == NULL)
			return false;
		**last = *segment;
		(*last)->next = NULL;
		last = &(*last)->next;
	}
	*last = NULL;
	for (const CpwPathSegment *segment = query->segments; segment != NULL;
		 segment = segment->next)
		if (segment->next == NULL)
			return !segment->descends && segment->selectors->next == NULL &&
				segment->selectors->kind == CPW_SELECT_WILDCARD &&
				cpw_path_is_singular(*parent);
	return false;
}

static void
emit_existence(CpwPathState *state, const CpwPathQuery *query, bool exists)
{
	cpw_path_write(state, exists ? "(" : "(!");
	cpw_path_emit_exists(state, query);
	cpw_path_write(state, ")");
}

void
cpw_path_emit_count(CpwPathState *state, CpwPathConditionKind kind,
		   const CpwPathOperand *operand, double number)
{
	const CpwPathQuery *query = operand->query;
	Range		range = make_range(kind, number);
	CpwPathQuery *parent;

	/* Where there is no second node, one is as good as any number. */
	if (cpw_path_is_singular(query) && range.most != ANY && range.most >= 1)
		range.most = ANY;
	if (range.most < range.least ||
		(cpw_path_is_singular(query) && range.least > 1))
		cpw_path_emit_constant(state, false);
	else if (range.least == 0 && range.most == ANY)
		cpw_path_emit_constant(state, true);
	else if (range.least == 1 && range.most == ANY)
		emit_existence(state, query, true);
	else if (range.most == 0)
		emit_existence(state, query, false);
	else if (is_children_of(query, state, &parent))
	{
		cpw_path_write(state, "(");
		emit_array_length(state, parent, range);
		cpw_path_write(state, " || ");
		cpw_path_emit_members(state, parent, range.least, range.most,
							  "count() of an object's members cannot be expressed");
		if (range.least == 0)
			cpw_path_emit_pattern(state, " || !exists(%a ? (@.type() == \"array\" || "
						 "@.type() == \"object\"))", parent, parent);
		cpw_path_write(state, ")");
	}
	else
		cpw_path_refuse(state, operand->position,
						"count() beyond one can be expressed for the children of one node alone",
						NULL);
}
