/*
 * json_path_filter.c
 *		The conditions of a JSONPath's filters (RFC 9535, 2.3.5), and Java
 *		JsonPath's operators.
 */
#include <string.h>

#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

static CpwPathCondition *parse_or(CpwPathState *state);
static CpwPathOperand *parse_operand(CpwPathState *state);

static CpwPathCondition *
make_condition(CpwPathState *state, CpwPathConditionKind kind,
			   size_t position)
{
	CpwPathCondition *condition = cpw_path_alloc(state,
												 sizeof(CpwPathCondition));

	if (condition != NULL)
	{
		condition->kind = kind;
		condition->position = position;
	}
	return condition;
}

static CpwPathOperand *
make_operand(CpwPathState *state, CpwPathOperandKind kind, size_t position)
{
	CpwPathOperand *operand = cpw_path_alloc(state, sizeof(CpwPathOperand));

	if (operand != NULL)
	{
		operand->kind = kind;
		operand->position = position;
	}
	return operand;
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_';
}

/* The letters that come next, as text; they are not taken. */
static CpwPathText
next_word(const CpwPathState *state)
{
	CpwPathText word = {state->text + state->at, 0};

	while (state->at + word.length < state->length &&
		   is_word(word.bytes[word.length]))
		word.length++;
	return word;
}

/* ---- operands ---- */

static bool
parse_closing(CpwPathState *state, const char *reason)
{
	cpw_path_skip_blanks(state);
	return cpw_path_take(state, ")") ||
		cpw_path_invalid(state, state->at, reason);
}

/* A query whose type the function asks for: any nodes. */
static bool
parse_nodes(CpwPathState *state, CpwPathOperand *operand)
{
	cpw_path_skip_blanks(state);
	if (cpw_path_peek(state) != '@' && cpw_path_peek(state) != '$')
		return cpw_path_invalid(state, state->at,
								"the function takes a path");
	operand->query = cpw_path_parse_query(state, true);
	if (operand->query == NULL)
		return false;
	return operand->query->function == CPW_FUNCTION_NONE ||
		cpw_path_invalid(state, operand->position,
						 "the function takes a path without functions");
}

/* A value: a literal, a path to one node, or a function that makes one. */
static CpwPathOperand *
parse_value(CpwPathState *state)
{
	CpwPathOperand *value;

	cpw_path_skip_blanks(state);
	value = parse_operand(state);
	if (value == NULL)
		return NULL;
	if (value->kind == CPW_OPERAND_LIST || value->kind == CPW_OPERAND_PATTERN ||
		(value->kind == CPW_OPERAND_QUERY &&
		 (value->query->function != CPW_FUNCTION_NONE ||
		  !cpw_path_is_singular(value->query))))
	{
		cpw_path_invalid(state, value->position,
						 "a value or a path to one node should stand here");
		return NULL;
	}
	return value;
}

/* The function's name is taken, its parenthesis is next. */
static bool
parse_function(CpwPathState *state, const CpwPathText *name,
			   CpwPathOperand *operand)
{
	bool		is_well;

	if (cpw_path_text_is(name, "length"))
		operand->kind = CPW_OPERAND_LENGTH;
	else if (cpw_path_text_is(name, "count"))
		operand->kind = CPW_OPERAND_COUNT;
	else if (cpw_path_text_is(name, "value"))
		operand->kind = CPW_OPERAND_VALUE;
	else if (cpw_path_text_is(name, "match") ||
			 cpw_path_text_is(name, "search"))
		return cpw_path_invalid(state, operand->position,
								"match() and search() have no value to compare");
	else
		return cpw_path_invalid(state, operand->position,
								"no function of a JSONPath");
	if (!cpw_path_enter(state))
		return false;
	cpw_path_take(state, "(");
	if (operand->kind == CPW_OPERAND_LENGTH)
	{
		operand->argument = parse_value(state);
		is_well = operand->argument != NULL;
	}
	else
		is_well = parse_nodes(state, operand);
	cpw_path_leave(state);
	return is_well && parse_closing(state, "the function takes one argument");
}

/* Java JsonPath's list of literals. */
static bool
parse_list(CpwPathState *state, CpwPathOperand *list)
{
	CpwPathOperand **last = &list->items;

	list->kind = CPW_OPERAND_LIST;
	cpw_path_take(state, "[");
	cpw_path_skip_blanks(state);
	if (cpw_path_take(state, "]"))
		return true;
	do
	{
		cpw_path_skip_blanks(state);
		if (cpw_path_peek(state) == '[' || cpw_path_peek(state) == '{')
			return cpw_path_refuse(state, state->at,
								   "a list of arrays or objects cannot be expressed",
								   NULL);
		*last = parse_operand(state);
		if (*last == NULL)
			return false;
		if ((*last)->kind > CPW_OPERAND_NULL)
			return cpw_path_invalid(state, (*last)->position,
									"a list holds strings, numbers, true, false and null");
		last = &(*last)->next;
		cpw_path_skip_blanks(state);
	} while (cpw_path_take(state, ","));
	return cpw_path_take(state, "]") ||
		cpw_path_invalid(state, state->at, "] or , should stand here");
}

/* Java JsonPath's pattern between slashes, and its flags. */
static bool
parse_pattern(CpwPathState *state, CpwPathOperand *pattern)
{
	pattern->kind = CPW_OPERAND_PATTERN;
	cpw_path_take(state, "/");
	pattern->text.bytes = state->text + state->at;
	while (state->at < state->length && cpw_path_peek(state) != '/')
	{
		if (cpw_path_peek(state) == '\\')
			state->at++;
		state->at++;
	}
	if (state->at >= state->length)
		return cpw_path_invalid(state, pattern->position,
								"the pattern has no end");
	pattern->text.length = (size_t) (state->text + state->at -
									 pattern->text.bytes);
	state->at++;
	while (is_word(cpw_path_peek(state)))
	{
		if (cpw_path_take(state, "i"))
			pattern->ignores_case = true;
		else if (cpw_path_take(state, "s"))
			pattern->dot_is_all = true;
		else
			return cpw_path_refuse(state, state->at,
								   "a pattern's flags are i and s", NULL);
	}
	return true;
}

static bool
parse_word(CpwPathState *state, CpwPathOperand *operand)
{
	CpwPathText word = next_word(state);

	if (word.length == 0)
		return cpw_path_invalid(state, state->at,
								"a path from @ or $, a literal or a function should stand here");
	state->at += word.length;
	if (cpw_path_peek(state) == '(')
		return parse_function(state, &word, operand);
	if (cpw_path_text_is(&word, "true"))
		operand->kind = CPW_OPERAND_TRUE;
	else if (cpw_path_text_is(&word, "false"))
		operand->kind = CPW_OPERAND_FALSE;
	else if (cpw_path_text_is(&word, "null"))
		operand->kind = CPW_OPERAND_NULL;
	else
		return cpw_path_invalid(state, operand->position,
								"neither a literal nor a function");
	return true;
}

static CpwPathOperand *
parse_operand(CpwPathState *state)
{
	CpwPathOperand *operand = make_operand(state, CPW_OPERAND_NULL,
										   state->at);
	char		c = cpw_path_peek(state);
	bool		is_well;

	if (operand == NULL)
		return NULL;
	if (c == '@' || c == '$')
	{
		operand->kind = CPW_OPERAND_QUERY;
		operand->query = cpw_path_parse_query(state, true);
		is_well = operand->query != NULL;
	}
	else if (c == '\'' || c == '"')
	{
		operand->kind = CPW_OPERAND_STRING;
		is_well = cpw_path_parse_string(state, &operand->text);
	}
	else if (c == '-' || (c >= '0' && c <= '9'))
		is_well = cpw_path_parse_number(state, operand);
	else if (c == '[')
		is_well = parse_list(state, operand);
	else if (c == '/')
		is_well = parse_pattern(state, operand);
	else
		is_well = parse_word(state, operand);
	return is_well ? operand : NULL;
}

/* ---- operators ---- */

typedef struct Operator
{
	const char *token;
	CpwPathConditionKind kind;
} Operator;

/* Longer ones before those that they begin with. */
static const Operator symbols[] = {
	{"==", CPW_CONDITION_EQUAL},
	{"!=", CPW_CONDITION_NOT_EQUAL},
	{"<=", CPW_CONDITION_LESS_OR_EQUAL},
	{">=", CPW_CONDITION_GREATER_OR_EQUAL},
	{"<", CPW_CONDITION_LESS},
	{">", CPW_CONDITION_GREATER},
	{"=~", CPW_CONDITION_REGEX},
};

/* Java JsonPath takes them in any case. */
static const Operator words[] = {
	{"in", CPW_CONDITION_IN},
	{"nin", CPW_CONDITION_NOT_IN},
	{"subsetof", CPW_CONDITION_SUBSET_OF},
	{"anyof", CPW_CONDITION_ANY_OF},
	{"noneof", CPW_CONDITION_NONE_OF},
	{"size", CPW_CONDITION_SIZE},
	{"empty", CPW_CONDITION_EMPTY},
	{"contains", CPW_CONDITION_CONTAINS},
};

static bool
is_same_word(const CpwPathText *word, const char *wanted)
{
	if (word->length != strlen(wanted))
		return false;
	for (size_t i = 0; i < word->length; i++)
		if ((word->bytes[i] | 0x20) != wanted[i])
			return false;
	return true;
}

static bool
take_operator(CpwPathState *state, CpwPathConditionKind *kind)
{
	CpwPathText word = next_word(state);

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (cpw_path_take(state, symbols[i].token))
		{
			*kind = symbols[i].kind;
			return true;
		}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_same_word(&word, words[i].token))
		{
			state->at += word.length;
			*kind = words[i].kind;
			return true;
		}
	return false;
}

/* An operand of a comparison is one value. */
static bool
check_comparable(CpwPathState *state, const CpwPathOperand *operand)
{
	if (operand->kind == CPW_OPERAND_LIST)
		return cpw_path_refuse(state, operand->position,
							   "a comparison with a list cannot be expressed",
							   "Use in, anyof or subsetof.");
	if (operand->kind == CPW_OPERAND_PATTERN)
		return cpw_path_invalid(state, operand->position,
								"a pattern is compared by =~");
	if (operand->kind == CPW_OPERAND_QUERY &&
		!cpw_path_is_singular(operand->query))
		return cpw_path_invalid(state, operand->position,
								"a path that is compared leads to one node, by names and indexes alone");
	return true;
}

/* An operand, its operator and the other one; or a path that must exist. */
static CpwPathCondition *
parse_comparison(CpwPathState *state)
{
	CpwPathCondition *condition = make_condition(state, CPW_CONDITION_EXISTS,
												 state->at);
	size_t		end;

	if (condition == NULL)
		return NULL;
	condition->left = parse_operand(state);
	if (condition->left == NULL)
		return NULL;
	end = state->at;
	cpw_path_skip_blanks(state);
	if (!take_operator(state, &condition->kind))
	{
		state->at = end;
		if (condition->left->kind == CPW_OPERAND_QUERY)
			return condition;
		cpw_path_invalid(state, condition->position,
						 "a literal or a function's value must be compared");
		return NULL;
	}
	cpw_path_skip_blanks(state);
	condition->right = parse_operand(state);
	if (condition->right == NULL)
		return NULL;
	if (condition->kind < CPW_CONDITION_MATCH &&
		!(check_comparable(state, condition->left) &&
		  check_comparable(state, condition->right)))
		return NULL;
	return condition;
}

/* match(value, pattern) and search(value, pattern); the name is next. */
static CpwPathCondition *
parse_match(CpwPathState *state, const CpwPathText *name)
{
	static const char arguments[] = "the function takes two arguments";
	CpwPathCondition *condition = make_condition(state, CPW_CONDITION_SEARCH,
												 state->at);

	if (condition == NULL)
		return NULL;
	if (cpw_path_text_is(name, "match"))
		condition->kind = CPW_CONDITION_MATCH;
	state->at += name->length + 1;
	condition->left = parse_value(state);
	if (condition->left == NULL)
		return NULL;
	cpw_path_skip_blanks(state);
	if (!cpw_path_take(state, ","))
	{
		cpw_path_invalid(state, state->at, arguments);
		return NULL;
	}
	condition->right = parse_value(state);
	return condition->right != NULL && parse_closing(state, arguments) ?
		condition : NULL;
}

static bool
follows_match(const CpwPathState *state, const CpwPathText *word)
{
	return (cpw_path_text_is(word, "match") ||
			cpw_path_text_is(word, "search")) &&
		state->at + word->length < state->length &&
		word->bytes[word->length] == '(';
}

static CpwPathCondition *
parse_parentheses(CpwPathState *state)
{
	CpwPathCondition *condition;

	cpw_path_take(state, "(");
	condition = parse_or(state);
	return condition != NULL && parse_closing(state, ") should stand here") ?
		condition : NULL;
}

static CpwPathCondition *
parse_basic(CpwPathState *state)
{
	CpwPathText word;
	CpwPathCondition *negation;

	cpw_path_skip_blanks(state);
	word = next_word(state);
	if (cpw_path_peek(state) == '(')
		return parse_parentheses(state);
	if (follows_match(state, &word))
		return parse_match(state, &word);
	if (cpw_path_peek(state) != '!')
		return parse_comparison(state);

	negation = make_condition(state, CPW_CONDITION_NOT, state->at);
	if (negation == NULL)
		return NULL;
	cpw_path_take(state, "!");
	cpw_path_skip_blanks(state);
	word = next_word(state);
	if (cpw_path_peek(state) == '(')
		negation->first = parse_parentheses(state);
	else if (follows_match(state, &word))
		negation->first = parse_match(state, &word);
	else if (cpw_path_peek(state) == '@' || cpw_path_peek(state) == '$')
	{
		negation->first = parse_comparison(state);
		if (negation->first != NULL &&
			negation->first->kind != CPW_CONDITION_EXISTS)
			cpw_path_invalid(state, negation->position,
							 "a comparison is negated in parentheses");
	}
	else
		cpw_path_invalid(state, state->at,
						 "what is negated is a path, match(), search(), or in parentheses");
	return cpw_path_is_well(state) ? negation : NULL;
}

/* Operands of && or ||; a chain of them makes no depth. */
static CpwPathCondition *
parse_chain(CpwPathState *state, CpwPathConditionKind kind)
{
	bool		is_or = kind == CPW_CONDITION_OR;
	CpwPathCondition *left;

	left = is_or ? parse_chain(state, CPW_CONDITION_AND) : parse_basic(state);
	while (left != NULL)
	{
		size_t		end = state->at;
		CpwPathCondition *both;

		cpw_path_skip_blanks(state);
		if (!cpw_path_take(state, is_or ? "||" : "&&"))
		{
			state->at = end;
			return left;
		}
		both = make_condition(state, kind, end);
		if (both == NULL)
			return NULL;
		both->first = left;
		both->second = is_or ? parse_chain(state, CPW_CONDITION_AND) :
			parse_basic(state);
		left = both->second != NULL ? both : NULL;
	}
	return NULL;
}

static CpwPathCondition *
parse_or(CpwPathState *state)
{
	CpwPathCondition *condition;

	if (!cpw_path_enter(state))
		return NULL;
	condition = parse_chain(state, CPW_CONDITION_OR);
	cpw_path_leave(state);
	return condition;
}

CpwPathCondition *
cpw_path_parse_condition(CpwPathState *state)
{
	return parse_or(state);
}
