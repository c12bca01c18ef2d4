/*
 * challenge.h
 *		Handshakes: what senders ask before they send, and the answers.
 *
 * Some senders have their challenge signed with the very key that signs their
 * events, and X does so without any authentication. So what is signed has a
 * form that no event has: 1 to 128 letters, digits, "-" and "_". The verifier
 * refuses a body of that form for such a scheme (no_bare_tokens).
 */
#ifndef CPW_CHALLENGE_H
#define CPW_CHALLENGE_H

#include "base/scheme.h"
#include "base/signature_key.h"

/* What is handed back of a sender's own text is at most this long. */
#define CPW_MAX_ECHO			1024

typedef struct CpwChallengeAnswer
{
	int			status;			/* HTTP status code */
	const char *type;			/* Content-Type */
	size_t		length;
	char		body[CPW_MAX_ECHO];
} CpwChallengeAnswer;

typedef enum CpwChallengeResult
{
	CPW_CHALLENGE_NONE,			/* the request is no handshake */
	CPW_CHALLENGE_ANSWERED,
	CPW_CHALLENGE_REFUSED		/* it is one, and wrong */
} CpwChallengeResult;

/*
 * A handshake in a request's query: X's and Meta's GET, Microsoft Graph's POST
 * (is_get says which). verify_token is what Meta must hand in, NULL: nothing
 * is right. NONE for every other scheme.
 */
extern CpwChallengeResult cpw_challenge_of_query(const CpwScheme *scheme,
												 bool is_get,
												 const char *query,
												 size_t length,
												 const CpwSignatureKey *key,
												 const char *verify_token,
												 CpwChallengeAnswer *answer);

/* Zoom's answer to a plain token; false where that has not a token's form. */
extern bool cpw_challenge_answer_zoom(const CpwSignatureKey *key,
									  const char *token, size_t length,
									  CpwChallengeAnswer *answer);

/* An answer of that text, or false where it is too long. */
extern bool cpw_challenge_echo(const char *type, const char *text,
							   size_t length, CpwChallengeAnswer *answer);

/* Whether a text is 1 to 128 letters, digits, "-" or "_". */
extern bool cpw_challenge_is_bare(const char *text, size_t length);

/* Compares two texts in a time that depends on their lengths alone. */
extern bool cpw_challenge_texts_equal(const char *a, size_t a_length,
									  const char *b, size_t b_length);

#endif							/* CPW_CHALLENGE_H */
