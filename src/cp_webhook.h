/*
 * cp_webhook.h
 *		The vocabulary of the project, once. Structs and enums, no functions;
 *		plain C, so that every room, src/base included, can speak it.
 *
 * webhook		a definition: where POSTs on its URL go, how they are
 *				authenticated, which filter rules they must pass.
 * filter rule	one jsonPath with an optional matchEquals; a delivery must pass
 *				all rules of its webhook.
 * request		one HTTP exchange as the listener sees it: bytes, not meaning.
 * delivery		one POST on the URL of a known webhook, and its row.
 * verdict		what was decided about a request; it determines the status
 *				code, the answer's body and the delivery's outcome.
 * execution	one run of a pipeline: what a delivery that passed starts, and
 *				what a consumer claims, works on and ends.
 * lease		the time for which a claimed execution is its worker's.
 */
#ifndef CP_WEBHOOK_H
#define CP_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text length of a uuid, without the terminating NUL. */
#define CPW_UUID_TEXT_LENGTH	36

/* A token is 32 random bytes in base64url without padding: 43 characters. */
#define CPW_TOKEN_BYTES			32
#define CPW_TOKEN_LENGTH		43

/*
 * A delivery id or an event longer than this is refused: an index entry is
 * limited to about 2,700 bytes, a notification to 8,000.
 */
#define CPW_MAX_ID_LENGTH		255

/* More headers than these make a request "headers too large". */
#define CPW_MAX_HEADERS			256

/* One request header. Names are lower case; neither string ends in NUL. */
typedef struct CpwHeader
{
	const char *name;
	size_t		name_length;
	const char *value;
	size_t		value_length;
} CpwHeader;

/* The headers of a request in the order in which they came. */
typedef struct CpwHeaders
{
	const CpwHeader *items;
	int			count;
} CpwHeaders;

/*
 * How a webhook authenticates: the values of the API's member, the first three
 * AWS's, the others ours. base/scheme.c has what each means.
 */
typedef enum CpwAuthentication
{
	CPW_AUTHENTICATION_NONE = 0,	/* unknown: never serves */
	CPW_AUTHENTICATION_GITHUB_HMAC,
	CPW_AUTHENTICATION_IP,
	CPW_AUTHENTICATION_UNAUTHENTICATED,
	CPW_AUTHENTICATION_HMAC,
	CPW_AUTHENTICATION_STANDARD_WEBHOOKS,
	CPW_AUTHENTICATION_GITLAB_TOKEN,
	CPW_AUTHENTICATION_BITBUCKET_HMAC,
	CPW_AUTHENTICATION_GITEA_HMAC,
	CPW_AUTHENTICATION_STRIPE,
	CPW_AUTHENTICATION_SLACK,
	CPW_AUTHENTICATION_SHOPIFY,
	CPW_AUTHENTICATION_TWILIO,
	CPW_AUTHENTICATION_ZOOM,
	CPW_AUTHENTICATION_DISCORD,
	CPW_AUTHENTICATION_META,
	CPW_AUTHENTICATION_X,
	CPW_AUTHENTICATION_MICROSOFT_GRAPH,
	CPW_AUTHENTICATION_BEARER,
	CPW_AUTHENTICATION_BASIC,
	CPW_AUTHENTICATION_API_KEY
} CpwAuthentication;

#define CPW_AUTHENTICATION_COUNT	(CPW_AUTHENTICATION_API_KEY + 1)

/* What was decided about a request. base/verdict.c has what each means. */
typedef enum CpwVerdict
{
	CPW_VERDICT_PENDING = 0,	/* nothing yet */
	CPW_VERDICT_TRIGGERED,
	CPW_VERDICT_IGNORED,
	CPW_VERDICT_DUPLICATE,
	CPW_VERDICT_PONG,
	CPW_VERDICT_HEALTHY,
	CPW_VERDICT_BAD_REQUEST,
	CPW_VERDICT_BAD_JSON,
	CPW_VERDICT_BAD_SIGNATURE,
	CPW_VERDICT_ADDRESS_DENIED,
	CPW_VERDICT_NOT_FOUND,
	CPW_VERDICT_METHOD_NOT_ALLOWED,
	CPW_VERDICT_TIMEOUT,
	CPW_VERDICT_BODY_TOO_LARGE,
	CPW_VERDICT_UNSUPPORTED_MEDIA_TYPE,
	CPW_VERDICT_HEADERS_TOO_LARGE,
	CPW_VERDICT_UNAVAILABLE
} CpwVerdict;

#define CPW_VERDICT_COUNT	(CPW_VERDICT_UNAVAILABLE + 1)

#endif							/* CP_WEBHOOK_H */
