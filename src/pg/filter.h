/*
 * filter.h
 *		A filter rule compiled and evaluated: the only caller of jsonb_path_*.
 *
 * A rule passes where any value that its path selects equals matchEquals:
 * strings as they are, numbers by value, booleans and null by their JSON text;
 * a selected object or array equals nothing. Without matchEquals it passes
 * where the path selects anything; a path that is a predicate ($.a == 1)
 * passes where the predicate is true.
 */
#ifndef CPW_FILTER_H
#define CPW_FILTER_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/jsonpath.h"

typedef struct CpwFilter
{
	char	   *json_path;		/* as it was put */
	char	   *match_equals;	/* as it was put; NULL: existence is enough */
	JsonPath   *path;
	JsonPath   *scalars;		/* what of it is no object or array, or NULL */
	JsonPath   *types;			/* the type of each value of it, or NULL */
	bool		is_predicate;	/* selects one boolean, true when it holds */
	bool		wants_secret;	/* a placeholder of matchEquals stands for one */
	bool		reads_headers;	/* names $headers */
	bool		reads_query;	/* names $query */
	Jsonb	   *no_variables;	/* what they are when they are not read */
} CpwFilter;

/*
 * Compiles a path over the payload: a JSONPath, or else a PostgreSQL jsonpath
 * with the variables $headers (lower-case names) and $query (pg/json_path.h has
 * the rule). Allocates in the current context. match_equals may be NULL. Raises
 * InvalidWebhookFilterPatternException.
 */
extern CpwFilter *cpw_filter_compile(const char *json_path,
									 const char *match_equals);

typedef enum CpwFilterResult
{
	CPW_FILTER_PASSES,
	CPW_FILTER_FINDS_NOTHING,	/* the path selects nothing */
	CPW_FILTER_DIFFERS			/* it selects something else */
} CpwFilterResult;

/*
 * Evaluates a filter on a payload. wanted is matchEquals with its placeholders
 * replaced (NULL when the filter has none); variables is an object with the
 * members headers and query, or NULL when the filter uses none. *found is set
 * where it DIFFERS: the first values, on one line and bounded; "****" where
 * matchEquals holds a secret. Raises errors (a variable, the stack, a cancel):
 * call it under a guard.
 */
extern CpwFilterResult cpw_filter_evaluate(const CpwFilter *filter,
										   const char *wanted,
										   Jsonb *payload, Jsonb *variables,
										   char **found);

/*
 * All that the path selects, as a jsonb array; NULL where the server has no
 * answer. Raises as cpw_filter_evaluate() does.
 */
extern Jsonb *cpw_filter_select(const CpwFilter *filter, Jsonb *payload,
								Jsonb *variables);

/* The path as the server prints it, palloc'd. */
extern char *cpw_filter_translated(const CpwFilter *filter);

/*
 * Replaces each {Key} of a matchEquals by the value that configuration (an
 * action's, a JSON object, or NULL) has under Key; text in braces that is no
 * key of [A-Za-z0-9_-]+ stays as it is. With masked, the value of a key that
 * holds a secret is "****". Returns NULL, with *missing_key (may be NULL) set,
 * when a key is not there. Palloc'd.
 */
extern char *cpw_filter_expand(const char *match_equals, Jsonb *configuration,
							   bool masked, char **missing_key);

/* Whether a placeholder stands for a secret, which no reason may show. */
extern bool cpw_filter_wants_secret(const char *match_equals);

/* Text as a reason shows it: quoted, on one line, bounded. Palloc'd. */
extern char *cpw_filter_quote(const char *text);

#endif							/* CPW_FILTER_H */
