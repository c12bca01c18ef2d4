/*
 * json_path_compare.c
 *		Comparisons (RFC 9535, 2.3.5.2.2) written as predicates of jsonpath.
 *
 * They differ in this: jsonpath orders booleans, the RFC does not; jsonpath
 * finds different types neither equal nor unequal, the RFC unequal; two absent
 * values are equal to the RFC, and so are two objects with equal members.
 */
#include <math.h>
#include <string.h>

#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* Characters that a comparison of a length may speak of. */
#define MAX_LENGTH		1000

/* Bound of a repetition in the server's regular expressions. */
#define MAX_REPETITION	255

#define ANY				INT64_MAX

static const char *const signs[] = {
	[CPW_CONDITION_EQUAL] = "==",
	[CPW_CONDITION_LESS] = "<",
	[CPW_CONDITION_LESS_OR_EQUAL] = "<=",
	[CPW_CONDITION_GREATER] = ">",
	[CPW_CONDITION_GREATER_OR_EQUAL] = ">=",
};

static void emit_operands(CpwPathState *state, CpwPathConditionKind kind,
						  const CpwPathOperand *left,
						  const CpwPathOperand *right);

static void
emit_constant(CpwPathState *state, bool value)
{
	cpw_path_write(state, value ? "(1 == 1)" : "(1 == 0)");
}

static CpwPathConditionKind
mirror(CpwPathConditionKind kind)
{
	switch (kind)
	{
		case CPW_CONDITION_LESS:
			return CPW_CONDITION_GREATER;
		case CPW_CONDITION_LESS_OR_EQUAL:
			return CPW_CONDITION_GREATER_OR_EQUAL;
		case CPW_CONDITION_GREATER:
			return CPW_CONDITION_LESS;
		case CPW_CONDITION_GREATER_OR_EQUAL:
			return CPW_CONDITION_LESS_OR_EQUAL;
		default:
			return kind;
	}
}

/* <= and >= hold where == does, whatever the type. */
static bool
includes_equal(CpwPathConditionKind kind)
{
	return kind == CPW_CONDITION_EQUAL ||
		kind == CPW_CONDITION_LESS_OR_EQUAL ||
		kind == CPW_CONDITION_GREATER_OR_EQUAL;
}

static bool
is_literal(const CpwPathOperand *operand)
{
	return operand->kind <= CPW_OPERAND_NOTHING;
}

/* ---- a path and a literal ---- */

static void
emit_with_literal(CpwPathState *state, CpwPathConditionKind kind,
				  const CpwPathQuery *query, const CpwPathOperand *literal)
{
	bool		is_ordered = literal->kind == CPW_OPERAND_NUMBER ||
		literal->kind == CPW_OPERAND_STRING;

	if (!is_ordered)
	{
		if (!includes_equal(kind))
		{
			emit_constant(state, false);
			return;
		}
		kind = CPW_CONDITION_EQUAL;
	}
	if (literal->kind == CPW_OPERAND_NOTHING)
	{
		cpw_path_write(state, "(!");
		cpw_path_emit_exists(state, query);
		cpw_path_write(state, ")");
		return;
	}
	cpw_path_write(state, "(");
	cpw_path_emit_query(state, query);
	cpw_path_write(state, " %s ", signs[kind]);
	cpw_path_emit_literal(state, literal);
	cpw_path_write(state, ")");
}

/* Numbers are left to the server: it has them exact. */
static void
emit_literals(CpwPathState *state, CpwPathConditionKind kind,
			  const CpwPathOperand *left, const CpwPathOperand *right)
{
	if (left->kind != right->kind)
		emit_constant(state, false);
	else if (left->kind == CPW_OPERAND_NUMBER ||
			 left->kind == CPW_OPERAND_STRING)
	{
		cpw_path_write(state, "(");
		cpw_path_emit_literal(state, left);
		cpw_path_write(state, " %s ", signs[kind]);
		cpw_path_emit_literal(state, right);
		cpw_path_write(state, ")");
	}
	else
		emit_constant(state, includes_equal(kind));
}

/* ---- two paths ---- */

static bool
is_same_selector(const CpwPathSelector *a, const CpwPathSelector *b)
{
	return a->kind == b->kind && a->index == b->index &&
		a->name.length == b->name.length &&
		(a->name.length == 0 || cpw_path_texts_equal(&a->name, &b->name));
}

static bool
is_same_query(const CpwPathQuery *a, const CpwPathQuery *b)
{
	const CpwPathSegment *s = a->segments;
	const CpwPathSegment *t = b->segments;

	while (s != NULL && t != NULL &&
		   is_same_selector(s->selectors, t->selectors))
	{
		s = s->next;
		t = t->next;
	}
	return s == NULL && t == NULL && a->is_absolute == b->is_absolute;
}

/*
 * Writes a format in which %a and %b stand for the two paths.
 */
static void
emit_pattern(CpwPathState *state, const char *pattern, const CpwPathQuery *a,
			 const CpwPathQuery *b)
{
	for (const char *p = pattern; *p != '\0'; p++)
	{
		if (*p != '%')
			cpw_path_write(state, "%c", *p);
		else if (*++p == 'a')
			cpw_path_emit_query(state, a);
		else
			cpw_path_emit_query(state, b);
	}
}

/*
 * Scalars; nothing and nothing; two empty arrays or objects. Arrays of one
 * length or two objects with members can only be refused on the spot.
 */
static void
emit_equality(CpwPathState *state, const CpwPathQuery *a,
			  const CpwPathQuery *b)
{
	emit_pattern(state, "(%a == %b || !exists(%a) && !exists(%b) || "
				 "%a.size() == %b.size() && (%a.size() == 0 || ", a, b);
	cpw_path_emit_refusal(state,
						  "the equality of two arrays cannot be expressed");
	emit_pattern(state, ") || %a.type() == \"object\" && "
				 "%b.type() == \"object\" && "
				 "(!exists(%a.keyvalue()) && !exists(%b.keyvalue()) || "
				 "exists(%a.keyvalue()) && exists(%b.keyvalue()) && ", a, b);
	cpw_path_emit_refusal(state,
						  "the equality of two objects cannot be expressed");
	cpw_path_write(state, "))");
}

static void
emit_with_query(CpwPathState *state, CpwPathConditionKind kind,
				const CpwPathQuery *a, const CpwPathQuery *b)
{
	CpwPathConditionKind strict = kind;

	if (is_same_query(a, b))
	{
		emit_constant(state, includes_equal(kind));
		return;
	}
	if (kind == CPW_CONDITION_EQUAL)
	{
		emit_equality(state, a, b);
		return;
	}
	if (kind == CPW_CONDITION_LESS_OR_EQUAL)
		strict = CPW_CONDITION_LESS;
	if (kind == CPW_CONDITION_GREATER_OR_EQUAL)
		strict = CPW_CONDITION_GREATER;
	emit_pattern(state, includes_equal(kind) ? "(" : "", a, b);
	emit_pattern(state, "((%a.type() == \"number\" || "
				 "%a.type() == \"string\") && %a ", a, b);
	cpw_path_write(state, "%s ", signs[strict]);
	emit_pattern(state, "%b)", a, b);
	if (includes_equal(kind))
	{
		cpw_path_write(state, " || ");
		emit_equality(state, a, b);
		cpw_path_write(state, ")");
	}
}

/* ---- length() and count() ---- */

typedef struct Range
{
	int64_t		least;
	int64_t		most;			/* ANY: no bound; below least: none at all */
} Range;

/* The whole numbers from 0 that compare so with a number. */
static Range
make_range(CpwPathConditionKind kind, double number)
{
	const double large = 1e15;
	Range		range = {0, ANY};

	if (number > large)
		number = large;
	if (number < -1)
		number = -1;
	if (kind == CPW_CONDITION_EQUAL || kind == CPW_CONDITION_GREATER_OR_EQUAL)
		range.least = (int64_t) ceil(number);
	if (kind == CPW_CONDITION_GREATER)
		range.least = (int64_t) floor(number) + 1;
	if (kind == CPW_CONDITION_EQUAL || kind == CPW_CONDITION_LESS_OR_EQUAL)
		range.most = (int64_t) floor(number);
	if (kind == CPW_CONDITION_LESS)
		range.most = (int64_t) ceil(number) - 1;
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
		emit_pattern(state, "%a.type() == \"string\"", query, query);
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
		emit_pattern(state, "%a.size() == ", query, query);
		cpw_path_write(state, "%lld", (long long) range.least);
		return;
	}
	emit_pattern(state, "%a.size() >= ", query, query);
	cpw_path_write(state, "%lld", (long long) range.least);
	if (range.most == ANY)
		return;
	emit_pattern(state, " && %a.size() <= ", query, query);
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

	emit_pattern(state, patterns[members], query, query);
}

void
cpw_path_emit_members(CpwPathState *state, const CpwPathQuery *query,
					  int64_t least, int64_t most, const char *reason)
{
	if (least > 2 || (most != ANY && most > 1))
	{
		emit_pattern(state, "(%a.type() == \"object\" && ", query, query);
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

/* with_strings: RFC 9535's length(), else Java JsonPath's. */
static void
emit_length(CpwPathState *state, CpwPathConditionKind kind,
			const CpwPathOperand *operand, double number, bool with_strings)
{
	Range		range = make_range(kind, number);

	if (range.most < range.least)
	{
		emit_constant(state, false);
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

static void
emit_count(CpwPathState *state, CpwPathConditionKind kind,
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
		emit_constant(state, false);
	else if (range.least == 0 && range.most == ANY)
		emit_constant(state, true);
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
			emit_pattern(state, " || !exists(%a ? (@.type() == \"array\" || "
						 "@.type() == \"object\"))", parent, parent);
		cpw_path_write(state, ")");
	}
	else
		cpw_path_refuse(state, operand->position,
						"count() beyond one can be expressed for the children of one node alone",
						NULL);
}

/* ---- any two operands ---- */

/*
 * What an operand comes to: value() of one node is that node, length() of a
 * literal a number or nothing.
 */
static const CpwPathOperand *
simplify(CpwPathState *state, const CpwPathOperand *operand)
{
	CpwPathOperand *simple;
	const CpwPathOperand *argument;

	if (operand->kind != CPW_OPERAND_VALUE &&
		operand->kind != CPW_OPERAND_LENGTH)
		return operand;
	simple = cpw_path_alloc(state, sizeof(CpwPathOperand));
	if (simple == NULL || !cpw_path_enter(state))
		return operand;
	*simple = *operand;
	if (operand->kind == CPW_OPERAND_VALUE)
	{
		simple->kind = CPW_OPERAND_QUERY;
		if (!cpw_path_is_singular(operand->query))
			cpw_path_refuse(state, operand->position,
							"value() of a path to more than one node cannot be expressed",
							NULL);
	}
	else
	{
		argument = simplify(state, operand->argument);
		simple->query = argument->query;
		if (argument->kind == CPW_OPERAND_STRING)
		{
			char	   *digits = cpw_path_alloc(state, 24);
			uint32_t	length = 0;
			size_t		used = 0;

			for (size_t i = 0; i < argument->text.length; i++)
				length += ((unsigned char) argument->text.bytes[i] & 0xc0) != 0x80;
			simple->kind = CPW_OPERAND_NUMBER;
			simple->number = length;
			for (uint32_t unit = 1000000000; digits != NULL && unit > 0; unit /= 10)
				if (length >= unit || unit == 1)
					digits[used++] = (char) ('0' + length / unit % 10);
			simple->text = (CpwPathText) {digits, used};
		}
		else if (argument->kind != CPW_OPERAND_QUERY)
			simple->kind = CPW_OPERAND_NOTHING;
	}
	cpw_path_leave(state);
	return simple;
}

/* left is no literal, right is one. */
static void
emit_function(CpwPathState *state, CpwPathConditionKind kind,
			  const CpwPathOperand *left, const CpwPathOperand *right)
{
	bool		is_java = left->kind == CPW_OPERAND_QUERY;

	if (right->kind != CPW_OPERAND_NUMBER)
	{
		/* A length may be nothing, which equals nothing; a count may not. */
		if (right->kind == CPW_OPERAND_NOTHING && includes_equal(kind) &&
			left->kind != CPW_OPERAND_COUNT)
		{
			emit_pattern(state, is_java ? "(!exists(%a ? (" :
						 "(!exists(%a ? (@.type() == \"string\" || ",
						 left->query, left->query);
			cpw_path_write(state, "@.type() == \"array\" || "
						   "@.type() == \"object\")))");
		}
		else
			emit_constant(state, false);
	}
	else if (left->kind == CPW_OPERAND_COUNT)
		emit_count(state, kind, left, right->number);
	else
		emit_length(state, kind, left, right->number, !is_java);
}

/* A path without Java JsonPath's function, in the place of the one with it. */
static const CpwPathOperand *
without_function(CpwPathState *state, const CpwPathOperand *operand)
{
	CpwPathOperand *bare = cpw_path_alloc(state, sizeof(CpwPathOperand));
	CpwPathQuery *query = cpw_path_alloc(state, sizeof(CpwPathQuery));

	if (bare == NULL || query == NULL)
		return operand;
	*bare = *operand;
	*query = *operand->query;
	query->function = CPW_FUNCTION_NONE;
	bare->query = query;
	return bare;
}

static void
emit_operands(CpwPathState *state, CpwPathConditionKind kind,
			  const CpwPathOperand *left, const CpwPathOperand *right)
{
	CpwPathFunction function = CPW_FUNCTION_NONE;

	if (left->kind == CPW_OPERAND_QUERY)
		function = left->query->function;
	if (is_literal(left) && is_literal(right))
		emit_literals(state, kind, left, right);
	else if (is_literal(left))
		emit_operands(state, mirror(kind), right, left);
	else if ((function == CPW_FUNCTION_MIN || function == CPW_FUNCTION_MAX) &&
			 right->kind == CPW_OPERAND_NUMBER)
		cpw_path_emit_extreme(state, function, kind,
							  without_function(state, left)->query, right);
	else if (function == CPW_FUNCTION_LENGTH && is_literal(right))
		emit_function(state, kind, without_function(state, left), right);
	else if (left->kind == CPW_OPERAND_QUERY && is_literal(right))
		emit_with_literal(state, kind, left->query, right);
	else if (is_literal(right))
		emit_function(state, kind, left, right);
	else if (left->kind == CPW_OPERAND_QUERY &&
			 right->kind == CPW_OPERAND_QUERY)
		emit_with_query(state, kind, left->query, right->query);
	else
		cpw_path_refuse(state, left->position,
						"length() and count() can be compared with numbers alone",
						NULL);
}

void
cpw_path_emit_comparison(CpwPathState *state,
						 const CpwPathCondition *condition)
{
	const CpwPathOperand *left = simplify(state, condition->left);
	const CpwPathOperand *right = simplify(state, condition->right);

	if (!cpw_path_is_well(state))
		return;
	if (condition->kind == CPW_CONDITION_NOT_EQUAL)
	{
		cpw_path_write(state, "(!exists(@ ? ");
		emit_operands(state, CPW_CONDITION_EQUAL, left, right);
		cpw_path_write(state, "))");
	}
	else
		emit_operands(state, condition->kind, left, right);
}
