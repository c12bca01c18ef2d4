/*
 * json_path.h
 *		JSONPath (RFC 9535, with what of Java JsonPath can be said exactly)
 *		translated to PostgreSQL's jsonpath.
 *
 * The translation selects the very nodes that the JSONPath selects, in any
 * order, on every document; what has no such translation is refused. It begins
 * with "strict $.**{0}" or another ".**": strict turns off that arrays are
 * unwrapped, and behind ".**" a missing member or index is no error.
 *
 * What cannot be told before a document is seen (the equality of two objects,
 * the number of an object's members) is compiled into a variable that no one
 * defines, with the reason for its name: a document that gets there is an
 * error, never a wrong answer. Since the operators @? and @@ take such a
 * variable for null, a comparison that every version refuses stands behind it.
 */
#ifndef CPW_JSON_PATH_H
#define CPW_JSON_PATH_H

#include <stddef.h>

#include "base/json_path_problem.h"

/* Bytes of a path; a longer one is refused. */
#define CPW_JSON_PATH_LENGTH	10000

/* Bytes of a translation, its NUL among them; a longer one is refused. */
#define CPW_JSON_PATH_OUTPUT	65536

/* Bytes of memory that cpw_json_path_translate() needs for a text. */
#define CPW_JSON_PATH_MEMORY(length)	((length) * 256 + 16384)

/*
 * Translates text (UTF-8, length bytes) to output, which has room for
 * output_size bytes and gets a NUL. memory has CPW_JSON_PATH_MEMORY(length)
 * bytes and is aligned as malloc does. problem is set unless the status is OK.
 */
extern CpwJsonPathStatus cpw_json_path_translate(const char *text,
												 size_t length,
												 void *memory,
												 char *output,
												 size_t output_size,
												 CpwJsonPathProblem *problem);

#endif							/* CPW_JSON_PATH_H */
