/*
 * json_path_problem.h
 *		What a text that is not translated is, and why.
 */
#ifndef CPW_JSON_PATH_PROBLEM_H
#define CPW_JSON_PATH_PROBLEM_H

#include <stddef.h>

typedef enum CpwJsonPathStatus
{
	CPW_JSON_PATH_OK,
	CPW_JSON_PATH_INVALID,		/* no JSONPath */
	CPW_JSON_PATH_REFUSED		/* one without an exact translation */
} CpwJsonPathStatus;

typedef struct CpwJsonPathProblem
{
	size_t		position;		/* in characters, from 1 */
	const char *reason;			/* one clause; static */
	const char *hint;			/* a full sentence, or NULL; static */
} CpwJsonPathProblem;

#endif							/* CPW_JSON_PATH_PROBLEM_H */
