/*
 * json_path_compare.c
 *		Comparisons (RFC 9535, 2.3.5.2.2) written as predicates of jsonpath.
 *
 * They differ in this: jsonpath orders booleans, the RFC does not; jsonpath
 * finds different types neither equal nor unequal, the RFC unequal; two absent
 * values are equal to the RFC, and so are two objects with equal members.
 */
#include <string.h>

#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

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
			cpw_path_emit_constant(state, false);
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
		cpw_path_emit_constant(state, false);
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
		cpw_path_emit_constant(state, includes_equal(kind));
}

/* ---- two paths ---- */

static bool
is_same_selector(const CpwPathSelector *a, const CpwPathSelector *b)
{
	return a->kind == b->kind && a->index == b->index &&
		cpw_path_texts_equal(&a->name, &b->name);
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
	return s == NULL && t == NULL && a->is_absolute == b->is_absolute &&
		a->function == CPW_FUNCTION_NONE && b->function == CPW_FUNCTION_NONE;
}

/*
 * Scalars; nothing and nothing; two empty arrays or objects. Arrays of one
 * length or two objects with members can only be refused on the spot.
 */
static void
emit_equality(CpwPathState *state, const CpwPathQuery *a,
			  const CpwPathQuery *b)
{
	cpw_path_emit_pattern(state, "(%a == %b || !exists(%a) && !exists(%b) || "
				 "%a.size() == %b.size() && (%a.size() == 0 || ", a, b);
	cpw_path_emit_refusal(state,
						  "the equality of two arrays cannot be expressed");
	cpw_path_emit_pattern(state, ") || %a.type() == \"object\" && "
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
		cpw_path_emit_constant(state, includes_equal(kind));
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
	cpw_path_emit_pattern(state, includes_equal(kind) ? "(" : "", a, b);
	cpw_path_emit_pattern(state, "((%a.type() == \"number\" || "
				 "%a.type() == \"string\") && %a ", a, b);
	cpw_path_write(state, "%s ", signs[strict]);
	cpw_path_emit_pattern(state, "%b)", a, b);
	if (includes_equal(kind))
	{
		cpw_path_write(state, " || ");
		emit_equality(state, a, b);
		cpw_path_write(state, ")");
	}
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
			cpw_path_emit_pattern(state, is_java ? "(!exists(%a ? (" :
						 "(!exists(%a ? (@.type() == \"string\" || ",
						 left->query, left->query);
			cpw_path_write(state, "@.type() == \"array\" || "
						   "@.type() == \"object\")))");
		}
		else
			cpw_path_emit_constant(state, false);
	}
	else if (left->kind == CPW_OPERAND_COUNT)
		cpw_path_emit_count(state, kind, left, right->number);
	else
		cpw_path_emit_length(state, kind, left, right->number, !is_java);
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
