/*
 * json_path_java.c
 *		Java JsonPath's operators written as predicates of jsonpath.
 *
 * Its lists take a number and a string for equal where their texts or their
 * values are, its patterns match the texts of numbers and booleans and take
 * what has none for "": that is what the extra terms here are for.
 */
#include <string.h>

#include "base/iregexp.h"
#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define MAX_SIZE	250

/* "@": an element that is looked at. */
static const CpwPathQuery current = {0};

/* ---- equality of a value and a literal ---- */

/* Whether Java may read the string as a number. */
static bool
may_be_number(const CpwPathText *text)
{
	bool		has_digit = false;

	for (size_t i = 0; i < text->length; i++)
	{
		unsigned char c = (unsigned char) text->bytes[i];

		/* Digits of other scripts are digits to Java. */
		if ((c >= '0' && c <= '9') || c >= 0x80)
			has_digit = true;
		else if (memchr("+-.eE", c, 5) == NULL)
			return false;
	}
	return has_digit;
}

/* Whether the text is an integer that everyone writes in this way alone. */
static bool
is_plain_integer(const CpwPathText *text)
{
	size_t		start = text->length > 0 && text->bytes[0] == '-' ? 1 : 0;

	if (text->length == start || text->length - start > 15 ||
		(text->bytes[start] == '0' && text->length > 1))
		return false;
	for (size_t i = start; i < text->length; i++)
		if (text->bytes[i] < '0' || text->bytes[i] > '9')
			return false;
	return true;
}

static void
emit_equal(CpwPathState *state, const CpwPathQuery *query,
		   const CpwPathOperand *literal)
{
	cpw_path_emit_query(state, query);
	cpw_path_write(state, " == ");
	cpw_path_emit_literal(state, literal);
	if (literal->kind == CPW_OPERAND_STRING && may_be_number(&literal->text))
	{
		if (!is_plain_integer(&literal->text))
			cpw_path_refuse(state, literal->position,
							"a string that may be read as a number cannot be expressed in a list",
							"Compare it by ==.");
		cpw_path_write(state, " || ");
		cpw_path_emit_query(state, query);
		cpw_path_write(state, " == %.*s", (int) literal->text.length,
					   literal->text.bytes);
	}
	if (literal->kind == CPW_OPERAND_NUMBER)
	{
		if (!is_plain_integer(&literal->text))
			cpw_path_refuse(state, literal->position,
							"a number with a fraction or exponent cannot be expressed in a list",
							"Compare it by ==.");
		cpw_path_write(state, " || ");
		cpw_path_emit_query(state, query);
		cpw_path_write(state, " == ");
		cpw_path_write_text(state, &literal->text);
	}
}

/* Whether the value is in a list of literals. */
static void
emit_in(CpwPathState *state, const CpwPathQuery *query,
		const CpwPathOperand *list)
{
	if (list->items == NULL)
	{
		cpw_path_write(state, "(1 == 0)");
		return;
	}
	cpw_path_write(state, "(");
	for (const CpwPathOperand *item = list->items; item != NULL;
		 item = item->next)
	{
		emit_equal(state, query, item);
		cpw_path_write(state, item->next ? " || " : ")");
	}
}

/* Whether an array has the literal for an element. */
static void
emit_array_has(CpwPathState *state, const CpwPathQuery *query,
			   const CpwPathOperand *literal)
{
	if (literal->kind == CPW_OPERAND_STRING && may_be_number(&literal->text))
	{
		cpw_path_refuse(state, literal->position,
						"a string that may be read as a number cannot be looked for in an array",
						NULL);
		return;
	}
	cpw_path_write(state, "exists(");
	cpw_path_emit_query(state, query);
	cpw_path_write(state, "[*] ? (@ == ");
	cpw_path_emit_literal(state, literal);
	if (literal->kind == CPW_OPERAND_NUMBER)
	{
		cpw_path_write(state, " || @.type() == \"string\" && "
					   "@ like_regex \"^[-+.]*[0-9]\" && ");
		cpw_path_emit_refusal(state,
							  "a number among strings of digits cannot be looked for");
	}
	cpw_path_write(state, "))");
}

/* ---- the operators ---- */

static void
emit_list_operator(CpwPathState *state, const CpwPathCondition *condition)
{
	const CpwPathQuery *query = condition->left->query;
	const CpwPathOperand *list = condition->right;

	switch (condition->kind)
	{
		case CPW_CONDITION_IN:
			emit_in(state, query, list);
			break;
		case CPW_CONDITION_NOT_IN:
			cpw_path_write(state, "(!exists(@ ? ");
			emit_in(state, query, list);
			cpw_path_write(state, "))");
			break;
		case CPW_CONDITION_ANY_OF:
			cpw_path_write(state, "(exists(");
			cpw_path_emit_query(state, query);
			cpw_path_write(state, "[*] ? ");
			emit_in(state, &current, list);
			cpw_path_write(state, "))");
			break;
		case CPW_CONDITION_NONE_OF:
			cpw_path_write(state, "(");
			cpw_path_emit_query(state, query);
			cpw_path_write(state, ".type() == \"array\" && !exists(");
			cpw_path_emit_query(state, query);
			cpw_path_write(state, "[*] ? ");
			emit_in(state, &current, list);
			cpw_path_write(state, "))");
			break;
		default:				/* subsetof */
			cpw_path_write(state, "(");
			cpw_path_emit_query(state, query);
			cpw_path_write(state, ".type() == \"array\" && !exists(");
			cpw_path_emit_query(state, query);
			cpw_path_write(state, "[*] ? (!exists(@ ? ");
			emit_in(state, &current, list);
			cpw_path_write(state, "))))");
			break;
	}
}

/* A string holds a string, an array an element. */
static void
emit_contains(CpwPathState *state, const CpwPathCondition *condition)
{
	const CpwPathQuery *query = condition->left->query;
	const CpwPathOperand *literal = condition->right;

	cpw_path_write(state, "(");
	if (literal->kind == CPW_OPERAND_STRING)
	{
		if (literal->text.length == 0)
		{
			cpw_path_emit_query(state, query);
			cpw_path_write(state, ".type() == \"string\" || ");
		}
		else
		{
			cpw_path_emit_query(state, query);
			cpw_path_write(state, " like_regex ");
			cpw_path_write_text(state, &literal->text);
			cpw_path_write(state, " flag \"q\" || ");
		}
	}
	emit_array_has(state, query, literal);
	cpw_path_write(state, ")");
}

/*
 * An array's elements, a string's UTF-16 units. Strings with characters beyond
 * U+FFFF whose length may be the wanted one are refused on the spot.
 */
static void
emit_size(CpwPathState *state, const CpwPathCondition *condition)
{
	const CpwPathQuery *query = condition->left->query;
	double		number = condition->right->number;
	int			size;

	/* Java cuts a fraction off. */
	if (number >= MAX_SIZE + 1)
	{
		cpw_path_refuse(state, condition->right->position,
						"a size beyond 250 cannot be expressed", NULL);
		return;
	}
	cpw_path_write(state, "(");
	cpw_path_emit_query(state, query);
	if (number <= -1)
	{
		/* Java's size of an object is -1. */
		cpw_path_write(state, number > -2 ? ".type() == \"object\")" :
					   ".size() < 0)");
		return;
	}
	size = (int) number;
	cpw_path_write(state, ".size() == %d || ", size);
	cpw_path_emit_query(state, query);
	cpw_path_write(state, " like_regex \"^[^\\\\U00010000-\\\\U0010ffff]{%d}$\" flag \"s\"",
				   size);
	if (size >= 2)
	{
		cpw_path_write(state, " || ");
		cpw_path_emit_query(state, query);
		cpw_path_write(state, ".type() == \"string\" && ");
		cpw_path_emit_query(state, query);
		cpw_path_write(state, " like_regex \"^.{%d,%d}$\" flag \"s\" && ",
					   (size + 1) / 2, size - 1);
		cpw_path_emit_query(state, query);
		cpw_path_write(state, " like_regex \"[\\\\U00010000-\\\\U0010ffff]\" flag \"s\" && ");
		cpw_path_emit_refusal(state,
							  "the size of a string with characters beyond U+FFFF cannot be expressed");
	}
	cpw_path_write(state, ")");
}

static void
emit_empty(CpwPathState *state, const CpwPathCondition *condition)
{
	bool		wanted = condition->right->kind == CPW_OPERAND_TRUE;
	const CpwPathQuery *query = condition->left->query;

	cpw_path_write(state, "(");
	cpw_path_emit_query(state, query);
	cpw_path_write(state, wanted ? " == \"\" || " : " > \"\" || ");
	cpw_path_emit_query(state, query);
	cpw_path_write(state, wanted ? ".size() == 0 || " : ".size() > 0 || ");
	cpw_path_emit_members(state, query, wanted ? 0 : 1,
						  wanted ? 0 : INT64_MAX, "");
	cpw_path_write(state, ")");
}

/* ---- patterns ---- */

static void
write_match(CpwPathState *state, const CpwRegexp *regexp)
{
	cpw_path_write(state, " like_regex ");
	cpw_path_write_text(state, &(CpwPathText) {regexp->output,
						regexp->output_length});
	cpw_path_write(state, " flag \"s\"");
}

/* One value against the pattern; of what has no text, "" is matched. */
static void
emit_text_matches(CpwPathState *state, const CpwPathQuery *query,
				  const CpwRegexp *regexp)
{
	cpw_path_emit_query(state, query);
	write_match(state, regexp);
	if (regexp->can_be_true)
	{
		cpw_path_write(state, " || ");
		cpw_path_emit_query(state, query);
		cpw_path_write(state, " == true && \"true\"");
		write_match(state, regexp);
	}
	if (regexp->can_be_false)
	{
		cpw_path_write(state, " || ");
		cpw_path_emit_query(state, query);
		cpw_path_write(state, " == false && \"false\"");
		write_match(state, regexp);
	}
}

static void
emit_regex(CpwPathState *state, const CpwPathCondition *condition)
{
	const CpwPathOperand *pattern = condition->right;
	const CpwPathQuery *query = condition->left->query;
	CpwRegexp	regexp = {
		.pattern = pattern->text.bytes,
		.length = pattern->text.length,
		.is_java = true,
		.whole = true,
		.ignores_case = pattern->ignores_case,
		.dot_is_all = pattern->dot_is_all,
	};

	regexp.output_size = CPW_REGEXP_SIZE(regexp.length);
	regexp.output = cpw_path_alloc(state, regexp.output_size);
	if (regexp.output == NULL)
		return;
	if (!cpw_regexp_translate(&regexp))
		cpw_path_refuse(state, pattern->position, regexp.reason, NULL);
	if (regexp.can_be_number || regexp.can_be_empty)
		cpw_path_refuse(state, pattern->position,
						regexp.can_be_empty ?
						"a pattern that matches the empty string matches absent values to Java JsonPath" :
						"a pattern that may match digits alone matches numbers to Java JsonPath",
						"Use match(@.a, 'pattern') or search(@.a, 'pattern'): these look at strings alone.");
	cpw_path_write(state, "(");
	emit_text_matches(state, query, &regexp);
	cpw_path_write(state, " || exists(");
	cpw_path_emit_query(state, query);
	cpw_path_write(state, "[*] ? (");
	emit_text_matches(state, &current, &regexp);
	cpw_path_write(state, ")))");
}

/* ---- min() and max() ---- */

/* exists(query[*] ? (@ sign number)) */
static void
emit_any(CpwPathState *state, const CpwPathQuery *query, const char *sign,
		 const CpwPathOperand *number)
{
	cpw_path_write(state, "exists(");
	cpw_path_emit_query(state, query);
	cpw_path_write(state, "[*] ? (@ %s ", sign);
	cpw_path_emit_literal(state, number);
	cpw_path_write(state, "))");
}

void
cpw_path_emit_extreme(CpwPathState *state, CpwPathFunction function,
					  CpwPathConditionKind kind, const CpwPathQuery *query,
					  const CpwPathOperand *right)
{
	bool		is_max = function == CPW_FUNCTION_MAX;
	const char *beyond = is_max ? ">" : "<";
	const char *beyond_or_equal = is_max ? ">=" : "<=";
	bool		toward = kind == (is_max ? CPW_CONDITION_GREATER :
								  CPW_CONDITION_LESS);
	bool		toward_or_equal = kind == (is_max ?
										   CPW_CONDITION_GREATER_OR_EQUAL :
										   CPW_CONDITION_LESS_OR_EQUAL);
	bool		or_equal = kind == CPW_CONDITION_LESS_OR_EQUAL ||
		kind == CPW_CONDITION_GREATER_OR_EQUAL;

	cpw_path_write(state, "(");
	if (toward || toward_or_equal)
		emit_any(state, query, toward ? beyond : beyond_or_equal, right);
	else
	{
		if (kind == CPW_CONDITION_EQUAL)
			emit_any(state, query, "==", right);
		else
		{
			cpw_path_write(state, "exists(");
			cpw_path_emit_query(state, query);
			cpw_path_write(state, "[*] ? (@.type() == \"number\"))");
		}
		cpw_path_write(state, " && !");
		emit_any(state, query,
				 kind == CPW_CONDITION_EQUAL || or_equal ? beyond :
				 beyond_or_equal, right);
	}
	cpw_path_write(state, ")");
}

/* ---- which operands an operator takes ---- */

static bool
takes_operands(CpwPathConditionKind kind, const CpwPathOperand *right)
{
	switch (kind)
	{
		case CPW_CONDITION_REGEX:
			return right->kind == CPW_OPERAND_PATTERN;
		case CPW_CONDITION_SIZE:
			return right->kind == CPW_OPERAND_NUMBER;
		case CPW_CONDITION_EMPTY:
			return right->kind == CPW_OPERAND_TRUE ||
				right->kind == CPW_OPERAND_FALSE;
		case CPW_CONDITION_CONTAINS:
			return right->kind <= CPW_OPERAND_NULL;
		default:
			return right->kind == CPW_OPERAND_LIST;
	}
}

void
cpw_path_emit_java(CpwPathState *state, const CpwPathCondition *condition)
{
	const CpwPathOperand *left = condition->left;
	const CpwPathOperand *right = condition->right;
	bool		is_membership = condition->kind == CPW_CONDITION_IN ||
		condition->kind == CPW_CONDITION_NOT_IN;

	/* 'x' in @.list */
	if (is_membership && left->kind <= CPW_OPERAND_NULL &&
		right->kind == CPW_OPERAND_QUERY &&
		cpw_path_is_singular(right->query))
	{
		cpw_path_write(state,
					   condition->kind == CPW_CONDITION_IN ? "(" : "(!");
		emit_array_has(state, right->query, left);
		cpw_path_write(state, ")");
	}
	else if (left->kind != CPW_OPERAND_QUERY ||
			 !cpw_path_is_singular(left->query) ||
			 !takes_operands(condition->kind, right))
		cpw_path_refuse(state, condition->position,
						"an operator of Java JsonPath can be expressed between a path to one node and a literal alone",
						NULL);
	else if (condition->kind == CPW_CONDITION_REGEX)
		emit_regex(state, condition);
	else if (condition->kind == CPW_CONDITION_SIZE)
		emit_size(state, condition);
	else if (condition->kind == CPW_CONDITION_EMPTY)
		emit_empty(state, condition);
	else if (condition->kind == CPW_CONDITION_CONTAINS)
		emit_contains(state, condition);
	else
		emit_list_operator(state, condition);
}
