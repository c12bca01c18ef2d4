/*
 * verdict.h
 *		What each verdict means outside: status code, outcome, error name,
 *		message. The only such table.
 */
#ifndef CPW_VERDICT_H
#define CPW_VERDICT_H

#include "cp_webhook.h"

typedef struct CpwVerdictMeaning
{
	int			status;			/* HTTP status code */
	const char *outcome;		/* deliveries.outcome; NULL: no row is made */
	const char *error;			/* "error" of the answer; NULL for a 2xx */
	const char *message;		/* "message" of an error, else "status" */
} CpwVerdictMeaning;

extern const CpwVerdictMeaning *cpw_verdict_meaning(CpwVerdict verdict);

/* Room for any answer of cpw_verdict_body(). */
#define CPW_ANSWER_SIZE		512

/*
 * Writes the JSON body of an answer, NUL-terminated, and returns its length.
 * Success: {"status":"triggered","pipelineExecutionId":"..."} (the id only for
 * TRIGGERED and DUPLICATE, execution_id being a uuid's text, else NULL).
 * Error: {"error":"bad_json","message":"..."}; detail (may be NULL) replaces
 * the table's message. Detail is our own text: it is escaped for JSON and cut
 * to what fits, never in the middle of a UTF-8 character.
 */
extern size_t cpw_verdict_body(CpwVerdict verdict, const char *execution_id,
							   const char *detail, char body[CPW_ANSWER_SIZE]);

#endif							/* CPW_VERDICT_H */
