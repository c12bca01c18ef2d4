/*
 * admission.h
 *		What can be said of a request before its body is read.
 */
#ifndef CPW_ADMISSION_H
#define CPW_ADMISSION_H

#include "postgres.h"

#include <sys/socket.h>

#include "base/challenge.h"
#include "cp_webhook.h"
#include "pg/webhook.h"

/* What is checked before a body is parsed, as bits. */
typedef enum CpwStep
{
	CPW_STEP_LIMITS = 1,		/* sizes, the form of the head */
	CPW_STEP_ADDRESS = 2,
	CPW_STEP_MEDIA_TYPE = 4,
	CPW_STEP_SIGNATURE_FORM = 8,
	CPW_STEP_SIGNATURE = 16		/* of the body */
} CpwStep;

/* A POST on a webhook's URL, as far as it is judged. */
typedef struct CpwPost
{
	CpwHeaders	headers;
	size_t		header_size;	/* names, values and separators */
	const char *malformed;		/* what is wrong with its head, or NULL */
	uint64		content_length; /* as announced; 0: not */
	const struct sockaddr_storage *peer;
	const char *body;			/* NUL-terminated; NULL when empty */
	size_t		body_length;
	const char *query;			/* still encoded */
	size_t		query_length;

	/* What its receiver refused already, at the headers or in the body. */
	CpwVerdict	refused;
	const char *refusal;		/* the reason; NULL: the verdict's own */

	/* Bits of CpwStep that cannot be taken; none at a receiver. */
	unsigned int skipped;
	int64		now;			/* seconds since 1970 */

	/* What the judgement tells beside its verdict. */
	CpwSignatureMatch match;	/* which secret it was verified with */
	CpwChallengeAnswer *answer; /* a handshake's; NULL: the verdict's own */
} CpwPost;

/*
 * Checks the headers of a POST on a webhook's URL, in the order of the
 * cheapest harm: size, form, address, length, media type, ids, signature.
 * Returns PENDING when its body may be read; else the verdict, and *reason is
 * one sentence for the delivery's row (allocated in the current context or
 * constant). Never a value of a header that could be a secret.
 */
extern CpwVerdict cpw_admission_check(const CpwPost *post,
									  const CpwWebhook *webhook,
									  const char **reason);

/* The same, but the checks of these steps (bits) alone. */
extern CpwVerdict cpw_admission_check_steps(unsigned int steps,
											const CpwPost *post,
											const CpwWebhook *webhook,
											const char **reason);

#endif							/* CPW_ADMISSION_H */
