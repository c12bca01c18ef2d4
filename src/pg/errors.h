/*
 * errors.h
 *		The API's exceptions, and the only ways to raise them.
 *
 * An exception is an error whose message begins with its name, with a SQLSTATE
 * of its own in class CP. DETAIL says what was wrong where, HINT the way out.
 * No text of an exception may hold a secret.
 */
#ifndef CPW_ERRORS_H
#define CPW_ERRORS_H

#include "postgres.h"

#include "nodes/pg_list.h"

typedef enum CpwException
{
	CPW_VALIDATION,
	CPW_LIMIT_EXCEEDED,
	CPW_INVALID_WEBHOOK_FILTER_PATTERN,
	CPW_INVALID_WEBHOOK_AUTHENTICATION_PARAMETERS,
	CPW_PIPELINE_NOT_FOUND,
	CPW_WEBHOOK_NOT_FOUND,
	CPW_INVALID_NEXT_TOKEN,
	CPW_CONCURRENT_MODIFICATION,
	CPW_TOO_MANY_TAGS,
	CPW_INVALID_TAGS,
	CPW_INVALID_ARN,
	CPW_RESOURCE_NOT_FOUND,
	CPW_PIPELINE_NAME_IN_USE,
	CPW_PIPELINE_VERSION_NOT_FOUND,
	CPW_INVALID_STRUCTURE,
	CPW_INVALID_STAGE_DECLARATION,
	CPW_INVALID_ACTION_DECLARATION,
	CPW_PIPELINE_EXECUTION_NOT_FOUND,
	CPW_PIPELINE_EXECUTION_NOT_STOPPABLE,
	CPW_DUPLICATED_STOP_REQUEST,
	CPW_CONFLICT,
	CPW_CONCURRENT_PIPELINE_EXECUTIONS_LIMIT_EXCEEDED,
	CPW_INVALID_BLOCKER_DECLARATION,
	CPW_LEASE_LOST
} CpwException;

/* The name, as it stands before the colon of a message. */
extern const char *cpw_errors_name(CpwException exception);

/* The name of the exception with this SQLSTATE, or NULL. */
extern const char *cpw_errors_name_of_state(int sqlstate);

/* Raises one exception; detail and hint are full sentences, or NULL. */
_Noreturn extern void cpw_errors_raise(CpwException exception,
									   const char *detail, const char *hint,
									   const char *format,...)
			pg_attribute_printf(4, 5);

/* A caught error's message, of an exception what stands behind its name. */
extern const char *cpw_errors_text(const ErrorData *error);

/*
 * For ereport() and error context callbacks: keeps the statement, whose text
 * may hold the secrets of a request, out of the server's log.
 */
extern int	cpw_errors_hide_statement(void);

/*
 * What is wrong with one request, collected so that everything is reported at
 * once. Begin with {0}.
 */
typedef struct CpwProblems
{
	List	   *items;			/* of CpwProblem, in the order found */
} CpwProblems;

typedef struct CpwProblem
{
	CpwException exception;
	char	   *place;			/* webhook.filters.1.member.jsonPath */
	char	   *text;			/* one clause */
	const char *hint;			/* a full sentence, or NULL */
} CpwProblem;

/* Adds a problem of the given exception. */
extern void cpw_errors_add(CpwProblems *problems, CpwException exception,
						   const char *place, const char *hint,
						   const char *format,...)
			pg_attribute_printf(5, 6);

/*
 * Adds a violation of a shape, in the API's one form. value is what is quoted
 * (NULL: null); it must be CPW_MASK where the member can hold a secret.
 */
extern void cpw_errors_add_violation(CpwProblems *problems, const char *place,
									 const char *value,
									 const char *constraint,...)
			pg_attribute_printf(4, 5);

/* What stands in the place of a secret. */
#define CPW_MASK	"****"

/*
 * Raises what was collected, or returns when that is nothing. Violations come
 * first; else the first problem names the exception. The message has all
 * problems of that exception, DETAIL every problem with its place.
 */
extern void cpw_errors_raise_all(const CpwProblems *problems);

#endif							/* CPW_ERRORS_H */
