/*
 * json_path_condition.c
 *		A filter's condition written as a predicate of jsonpath.
 *
 * jsonpath has three truth values, JSONPath two. Written here is always what
 * is true where the condition holds, and false or unknown elsewhere: so is
 * what filters, && and || make of such. Negation alone must not pass on an
 * unknown: !exists(@ ? (...)) is true wherever the inner one is not.
 */
#include "base/iregexp.h"
#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

void
cpw_path_emit_literal(CpwPathState *state, const CpwPathOperand *literal)
{
	switch (literal->kind)
	{
		case CPW_OPERAND_STRING:
			cpw_path_write_text(state, &literal->text);
			break;
		case CPW_OPERAND_NUMBER:
			cpw_path_write(state, "%.*s", (int) literal->text.length,
						   literal->text.bytes);
			break;
		case CPW_OPERAND_TRUE:
			cpw_path_write(state, "true");
			break;
		case CPW_OPERAND_FALSE:
			cpw_path_write(state, "false");
			break;
		default:
			cpw_path_write(state, "null");
			break;
	}
}

/* "a && b && c" of any length without depth: it is a list to the left. */
static void
emit_chain(CpwPathState *state, const CpwPathCondition *condition)
{
	const CpwPathCondition *parts = condition;
	size_t		count = 1;

	while (parts->kind == condition->kind)
	{
		parts = parts->first;
		count++;
	}
	cpw_path_write(state, "(");
	for (size_t i = 0; i < count && cpw_path_is_well(state); i++)
	{
		const CpwPathCondition *part = condition;

		for (size_t step = count - 1 - i; step > 0; step--)
			part = part->first;
		if (i > 0)
			part = part->second;
		if (i > 0)
			cpw_path_write(state, condition->kind == CPW_CONDITION_OR ?
						   " || " : " && ");
		cpw_path_emit_condition(state, part);
	}
	cpw_path_write(state, ")");
}

static void
emit_negation(CpwPathState *state, const CpwPathCondition *negated)
{
	if (negated->kind == CPW_CONDITION_EXISTS)
	{
		cpw_path_write(state, "(!");
		cpw_path_emit_condition(state, negated);
		cpw_path_write(state, ")");
		return;
	}
	cpw_path_write(state, "(!exists(@ ? ");
	cpw_path_emit_condition(state, negated);
	cpw_path_write(state, "))");
}

/* The value that match() and search() look at: a query or a literal. */
static const CpwPathOperand *
look_through_value(CpwPathState *state, const CpwPathOperand *operand)
{
	static CpwPathOperand nothing = {.kind = CPW_OPERAND_NOTHING};

	if (operand->kind != CPW_OPERAND_VALUE)
		return operand;
	if (!cpw_path_is_singular(operand->query))
	{
		cpw_path_refuse(state, operand->position,
						"value() of a path to more than one node cannot be expressed",
						NULL);
		return &nothing;
	}
	return operand;
}

static bool
selects(const CpwPathOperand *operand)
{
	return operand->kind == CPW_OPERAND_QUERY ||
		operand->kind == CPW_OPERAND_VALUE;
}

static void
emit_match(CpwPathState *state, const CpwPathCondition *condition)
{
	const CpwPathOperand *value = look_through_value(state, condition->left);
	const CpwPathOperand *pattern = look_through_value(state,
													   condition->right);
	CpwRegexp	regexp = {
		.pattern = pattern->text.bytes,
		.length = pattern->text.length,
		.whole = condition->kind == CPW_CONDITION_MATCH,
	};

	if (selects(pattern))
	{
		cpw_path_refuse(state, pattern->position,
						"a pattern that is no literal cannot be expressed",
						NULL);
		return;
	}
	if (pattern->kind != CPW_OPERAND_STRING ||
		(value->kind != CPW_OPERAND_STRING && !selects(value)))
	{
		/* What is no string does not match. */
		cpw_path_write(state, "(1 == 0)");
		return;
	}
	regexp.output_size = CPW_REGEXP_SIZE(regexp.length);
	regexp.output = cpw_path_alloc(state, regexp.output_size);
	if (regexp.output == NULL)
		return;
	if (!cpw_regexp_translate(&regexp))
	{
		cpw_path_refuse(state, pattern->position, regexp.reason, NULL);
		return;
	}
	cpw_path_write(state, "(");
	if (selects(value))
		cpw_path_emit_query(state, value->query);
	else
		cpw_path_write_text(state, &value->text);
	cpw_path_write(state, " like_regex ");
	cpw_path_write_text(state, &(CpwPathText) {regexp.output,
						regexp.output_length});
	cpw_path_write(state, " flag \"s\")");
}

void
cpw_path_emit_condition(CpwPathState *state,
						const CpwPathCondition *condition)
{
	if (!cpw_path_is_well(state) || !cpw_path_enter(state))
		return;
	switch (condition->kind)
	{
		case CPW_CONDITION_OR:
		case CPW_CONDITION_AND:
			emit_chain(state, condition);
			break;
		case CPW_CONDITION_NOT:
			emit_negation(state, condition->first);
			break;
		case CPW_CONDITION_EXISTS:
			cpw_path_write(state, "(");
			cpw_path_emit_exists(state, condition->left->query);
			cpw_path_write(state, ")");
			break;
		case CPW_CONDITION_MATCH:
		case CPW_CONDITION_SEARCH:
			emit_match(state, condition);
			break;
		case CPW_CONDITION_EQUAL:
		case CPW_CONDITION_NOT_EQUAL:
		case CPW_CONDITION_LESS:
		case CPW_CONDITION_LESS_OR_EQUAL:
		case CPW_CONDITION_GREATER:
		case CPW_CONDITION_GREATER_OR_EQUAL:
			cpw_path_emit_comparison(state, condition);
			break;
		default:
			cpw_path_emit_java(state, condition);
			break;
	}
	cpw_path_leave(state);
}
