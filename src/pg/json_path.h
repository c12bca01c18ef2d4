/*
 * json_path.h
 *		What a filter's path means: the only place that decides it.
 *
 * A text that is a JSONPath (base/json_path.h) means what it means there; one
 * that is not, but is a jsonpath of PostgreSQL with no variables other than
 * $headers and $query, means that. A JSONPath that has no exact translation is
 * an error, also where PostgreSQL could read it.
 */
#ifndef CPW_PG_JSON_PATH_H
#define CPW_PG_JSON_PATH_H

#include "postgres.h"

#include "utils/jsonpath.h"

/* What a path reads beside the payload. */
typedef struct CpwJsonPathUse
{
	bool		reads_headers;	/* $headers */
	bool		reads_query;	/* $query */
} CpwJsonPathUse;

/*
 * Compiles text, in the current context, and sets *use. Raises InvalidWebhookFilterPatternException with
 * position and reason; a cancel, or what the server lacks, as it comes.
 */
extern JsonPath *cpw_json_path_compile(const char *text,
									   CpwJsonPathUse *use);

#endif							/* CPW_PG_JSON_PATH_H */
