/*
 * json_path_tree.h
 *		What a JSONPath is parsed to, and the state of one translation. For the
 *		files of the translation alone.
 */
#ifndef CPW_JSON_PATH_TREE_H
#define CPW_JSON_PATH_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_path_problem.h"

/* Parentheses, "!", filters and functions in one another. */
#define CPW_JSON_PATH_DEPTH		100

/* The bytes of a decoded string. */
typedef struct CpwPathText
{
	const char *bytes;
	size_t		length;
} CpwPathText;

typedef struct CpwPathCondition CpwPathCondition;
typedef struct CpwPathOperand CpwPathOperand;

typedef enum CpwPathSelectorKind
{
	CPW_SELECT_NAME,
	CPW_SELECT_INDEX,
	CPW_SELECT_SLICE,
	CPW_SELECT_WILDCARD,
	CPW_SELECT_FILTER
} CpwPathSelectorKind;

typedef struct CpwPathSelector
{
	struct CpwPathSelector *next;
	CpwPathSelectorKind kind;
	size_t		position;
	CpwPathText name;
	int64_t		index;			/* or a slice's start */
	int64_t		end;
	int64_t		step;
	bool		has_start;
	bool		has_end;
	CpwPathCondition *filter;
} CpwPathSelector;

typedef struct CpwPathSegment
{
	struct CpwPathSegment *next;
	bool		descends;
	CpwPathSelector *selectors;
} CpwPathSegment;

/* Java JsonPath's functions at the end of a path. */
typedef enum CpwPathFunction
{
	CPW_FUNCTION_NONE,
	CPW_FUNCTION_LENGTH,
	CPW_FUNCTION_MIN,
	CPW_FUNCTION_MAX,
	CPW_FUNCTION_OTHER			/* refused: its reason stands in the query */
} CpwPathFunction;

typedef struct CpwPathQuery
{
	size_t		position;
	bool		is_absolute;	/* from $, not from @ */
	CpwPathSegment *segments;
	CpwPathFunction function;
	const char *refusal;
} CpwPathQuery;

typedef enum CpwPathOperandKind
{
	CPW_OPERAND_STRING,
	CPW_OPERAND_NUMBER,
	CPW_OPERAND_TRUE,
	CPW_OPERAND_FALSE,
	CPW_OPERAND_NULL,
	CPW_OPERAND_NOTHING,		/* the RFC's Nothing */
	CPW_OPERAND_QUERY,
	CPW_OPERAND_LENGTH,			/* of argument */
	CPW_OPERAND_COUNT,			/* of query */
	CPW_OPERAND_VALUE,			/* of query */
	CPW_OPERAND_LIST,			/* of items */
	CPW_OPERAND_PATTERN			/* text between slashes */
} CpwPathOperandKind;

struct CpwPathOperand
{
	CpwPathOperand *next;		/* in a list */
	CpwPathOperandKind kind;
	size_t		position;
	CpwPathText text;			/* of a string or pattern; a number's digits */
	double		number;
	CpwPathQuery *query;
	CpwPathOperand *argument;
	CpwPathOperand *items;
	bool		ignores_case;	/* a pattern's flags */
	bool		dot_is_all;
};

typedef enum CpwPathConditionKind
{
	CPW_CONDITION_OR,
	CPW_CONDITION_AND,
	CPW_CONDITION_NOT,			/* first alone */
	CPW_CONDITION_EXISTS,		/* left's query */
	CPW_CONDITION_EQUAL,
	CPW_CONDITION_NOT_EQUAL,
	CPW_CONDITION_LESS,
	CPW_CONDITION_LESS_OR_EQUAL,
	CPW_CONDITION_GREATER,
	CPW_CONDITION_GREATER_OR_EQUAL,
	CPW_CONDITION_MATCH,
	CPW_CONDITION_SEARCH,
	/* Java JsonPath's */
	CPW_CONDITION_REGEX,
	CPW_CONDITION_IN,
	CPW_CONDITION_NOT_IN,
	CPW_CONDITION_SUBSET_OF,
	CPW_CONDITION_ANY_OF,
	CPW_CONDITION_NONE_OF,
	CPW_CONDITION_SIZE,
	CPW_CONDITION_EMPTY,
	CPW_CONDITION_CONTAINS
} CpwPathConditionKind;

struct CpwPathCondition
{
	CpwPathConditionKind kind;
	size_t		position;
	CpwPathCondition *first;
	CpwPathCondition *second;
	CpwPathOperand *left;
	CpwPathOperand *right;
};

/*
 * One translation. A problem is kept once and ends everything: parsers return
 * NULL or false, what is written behind it is dropped.
 */
typedef struct CpwPathState
{
	const char *text;
	size_t		length;
	size_t		at;				/* bytes that are parsed */
	int			depth;

	char	   *memory;
	size_t		memory_size;
	size_t		memory_used;

	char	   *output;
	size_t		output_size;
	size_t		output_used;

	/* The one selector of a union that an existence test is at, or NULL. */
	const CpwPathSegment *split;
	const CpwPathSelector *chosen;

	CpwJsonPathStatus status;
	CpwJsonPathProblem problem; /* its position is a byte's, from 0 */
} CpwPathState;

/* ---- json_path.c ---- */

/* Zeroed memory, or NULL with the problem set. */
extern void *cpw_path_alloc(CpwPathState *state, size_t size);

/* Each sets the problem, unless there is one, and returns false. */
extern bool cpw_path_invalid(CpwPathState *state, size_t position,
							 const char *reason);
extern bool cpw_path_refuse(CpwPathState *state, size_t position,
							const char *reason, const char *hint);

/* Whether there is no problem so far. */
extern bool cpw_path_is_well(const CpwPathState *state);

/* Going one level deeper; false with the problem set beyond the bound. */
extern bool cpw_path_enter(CpwPathState *state);
extern void cpw_path_leave(CpwPathState *state);

/* ---- json_path_parse.c ---- */

/* A query from $ or @; in a filter both, else $ alone. NULL: a problem. */
extern CpwPathQuery *cpw_path_parse_query(CpwPathState *state,
										  bool in_filter);

/* Whether it selects one node at the most, by names and indexes alone. */
extern bool cpw_path_is_singular(const CpwPathQuery *query);

/* ---- json_path_token.c ---- */

extern void cpw_path_skip_blanks(CpwPathState *state);

/* The next byte, or NUL at the end (a NUL in the text is no token either). */
extern char cpw_path_peek(const CpwPathState *state);

/* Takes the token where it comes next. */
extern bool cpw_path_take(CpwPathState *state, const char *token);

/* A quoted string, decoded. */
extern bool cpw_path_parse_string(CpwPathState *state, CpwPathText *text);

/* A name without quotes; false without a problem where there is none. */
extern bool cpw_path_parse_name(CpwPathState *state, CpwPathText *text);

/* An integer as the RFC has it: no sign but -, no leading zeros. */
extern bool cpw_path_parse_integer(CpwPathState *state, int64_t *value);

/* A JSON number. */
extern bool cpw_path_parse_number(CpwPathState *state,
								  CpwPathOperand *operand);

extern bool cpw_path_text_is(const CpwPathText *text, const char *wanted);
extern bool cpw_path_texts_equal(const CpwPathText *a, const CpwPathText *b);

/* ---- json_path_filter.c ---- */

/* What stands behind the question mark. NULL: a problem. */
extern CpwPathCondition *cpw_path_parse_condition(CpwPathState *state);

/* ---- json_path_emit.c ---- */

extern void cpw_path_write(CpwPathState *state, const char *format,...)
			__attribute__((format(printf, 2, 3)));

/* A string of jsonpath, quoted. */
extern void cpw_path_write_text(CpwPathState *state, const CpwPathText *text);

/* The path as it stands in a filter, or as a whole. */
extern void cpw_path_emit_query(CpwPathState *state,
								const CpwPathQuery *query);
extern void cpw_path_emit_whole(CpwPathState *state,
								const CpwPathQuery *query);

/* exists(...) of a query, whose unions may be taken apart. */
extern void cpw_path_emit_exists(CpwPathState *state,
								 const CpwPathQuery *query);

/*
 * A condition that is an error when it is evaluated, with this reason. What
 * stands before it with && must be false elsewhere, not unknown: an unknown
 * does not keep jsonpath from evaluating the rest.
 */
extern void cpw_path_emit_refusal(CpwPathState *state, const char *reason);

/* A condition that is always true, or never. */
extern void cpw_path_emit_constant(CpwPathState *state, bool value);

/* Writes a text in which %a and %b stand for two paths. */
extern void cpw_path_emit_pattern(CpwPathState *state, const char *pattern,
								  const CpwPathQuery *a,
								  const CpwPathQuery *b);

/* ---- json_path_slice.c ---- */

/* The subscripts of a slice, without brackets. */
extern void cpw_path_emit_slice(CpwPathState *state,
								const CpwPathSelector *slice);

/* ---- json_path_condition.c ---- */

/*
 * A condition in parentheses that is true where it holds; where it does not
 * hold it is false or unknown.
 */
extern void cpw_path_emit_condition(CpwPathState *state,
									const CpwPathCondition *condition);

/* A number's or string's text, true, false, null. */
extern void cpw_path_emit_literal(CpwPathState *state,
								  const CpwPathOperand *literal);

/* ---- json_path_compare.c ---- */

extern void cpw_path_emit_comparison(CpwPathState *state,
									 const CpwPathCondition *condition);

/* ---- json_path_length.c ---- */

/*
 * Compares the length of what a query selects with a number; with_strings:
 * RFC 9535's length(), else Java JsonPath's.
 */
extern void cpw_path_emit_length(CpwPathState *state,
								 CpwPathConditionKind kind,
								 const CpwPathOperand *operand, double number,
								 bool with_strings);

/* Compares the count of the nodes that a query selects with a number. */
extern void cpw_path_emit_count(CpwPathState *state,
								CpwPathConditionKind kind,
								const CpwPathOperand *operand, double number);

/* Where the object that query selects has from least to most members. */
extern void cpw_path_emit_members(CpwPathState *state,
								  const CpwPathQuery *query,
								  int64_t least, int64_t most,
								  const char *reason);

/* ---- json_path_java.c ---- */

extern void cpw_path_emit_java(CpwPathState *state,
							   const CpwPathCondition *condition);

/* Compares min() or max() with a number. */
extern void cpw_path_emit_extreme(CpwPathState *state,
								  CpwPathFunction function,
								  CpwPathConditionKind kind,
								  const CpwPathQuery *query,
								  const CpwPathOperand *right);

#endif							/* CPW_JSON_PATH_TREE_H */
