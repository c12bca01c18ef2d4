/*
 * judgement.h
 *		What becomes of a POST and why: the one logic by which receivers answer
 *		and dry runs explain.
 *
 * In this order: authenticate, look for the sender's id among those that have
 * triggered (the caller's), find the JSON in the body, parse it, decide. A
 * reason is one sentence for deliveries.reason: constant, or allocated in the
 * current context. None holds a secret.
 */
#ifndef CPW_JUDGEMENT_H
#define CPW_JUDGEMENT_H

#include "postgres.h"

#include "pg/admission.h"

/*
 * Judges by what was refused already, headers, address and signature. PENDING
 * when all is well. Sets post->match.
 */
extern CpwVerdict cpw_judgement_authenticate(CpwPost *post,
											 const CpwWebhook *webhook,
											 const char **reason);

/*
 * The signature of the body alone; PENDING when it is right or not needed.
 * Sets post->match.
 */
extern CpwVerdict cpw_judgement_verify(CpwPost *post,
									   const CpwWebhook *webhook,
									   const char **reason);

/*
 * The reason of a POST whose signature is wrong, with what may be the mistake
 * behind it where one is found. It costs about ten hashes of the body. What it
 * says helps nobody who does not know the secret; still it is for the
 * operator's eyes, never for the answer.
 */
extern const char *cpw_judgement_diagnose(const CpwPost *post,
										  const CpwWebhook *webhook,
										  const char *reason);

/* The reason where a body has more values than max_json_values. */
extern const char cpw_judgement_too_large[];

/*
 * The JSON text of the body, NUL-terminated, in the body itself or allocated;
 * NULL with *verdict and *reason set when there is none.
 */
extern const char *cpw_judgement_find_json(const CpwPost *post,
										   const CpwWebhook *webhook,
										   size_t *length,
										   CpwVerdict *verdict,
										   const char **reason);

/*
 * The sender's id and the event as the headers tell them, palloc'd; NULL: they
 * do not.
 */
extern void cpw_judgement_identify(const CpwPost *post,
								   const CpwWebhook *webhook,
								   const char **id, const char **event);

/* What the payload of a scheme that reads it tells. */
typedef struct CpwPayloadFindings
{
	Jsonb	   *payload;		/* without the secret that was in it */
	const char *id;				/* as identified; the body's own counts more */
	const char *event;
} CpwPayloadFindings;

/*
 * Reads the payload of a scheme whose id, event or secret is in it, and
 * changes the findings by it; for other schemes nothing. PENDING when all is
 * well. Sets post->match where the secret is in the body. Raises errors: call
 * it under a guard.
 */
extern CpwVerdict cpw_judgement_read_payload(CpwPost *post,
											 const CpwWebhook *webhook,
											 CpwPayloadFindings *findings,
											 const char **reason);

/*
 * Judges a payload: a ping or another handshake (post->answer is set where it
 * has an answer of its own), a webhook that is broken, the filters. headers is
 * what is stored of them. Raises errors: call it under a guard.
 */
extern CpwVerdict cpw_judgement_decide(CpwPost *post,
									   const CpwWebhook *webhook,
									   Jsonb *payload, Jsonb *headers,
									   const char **reason);

/*
 * One filter of those; TRIGGERED when it passes, else IGNORED. Not of a broken
 * webhook. variables is cpw_judgement_variables()'s.
 */
extern CpwVerdict cpw_judgement_filter(const CpwWebhook *webhook, int index,
									   Jsonb *payload, Jsonb *variables,
									   const char **reason);

/* What the webhook's filters may read beside the payload; NULL: nothing. */
extern Jsonb *cpw_judgement_variables(const CpwPost *post,
									  const CpwWebhook *webhook,
									  Jsonb *headers);

/*
 * What an error means that came while a body was parsed (is_parsed: while it
 * was filtered). *detail is for the answer, NULL: the verdict's own.
 */
extern CpwVerdict cpw_judgement_of_error(const ErrorData *error,
										 bool is_parsed, const char **reason,
										 const char **detail);

#endif							/* CPW_JUDGEMENT_H */
