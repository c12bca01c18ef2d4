/*
 * signature.h
 *		The one verifier over the table of schemes.
 *
 * A signature is checked over the received bytes, before any decoding, and
 * compared in constant time. The algorithms are OpenSSL's.
 */
#ifndef CPW_SIGNATURE_H
#define CPW_SIGNATURE_H

#include "base/signature_key.h"
#include "cp_webhook.h"

/*
 * Whether the headers hold a signature of the scheme's own row that is worth
 * reading a body for: VALID when it has the scheme's form, else MISSING,
 * REPEATED or MALFORMED.
 */
extern CpwSignatureResult cpw_signature_check_form(CpwAuthentication authentication,
												   const CpwHeaders *headers);

/*
 * The same with what a key's configuration says, and the parts beside the body
 * that are signed: NO_ID, NO_TIMESTAMP, STALE as well. now in seconds since
 * 1970. A NULL key is FAILED.
 */
extern CpwSignatureResult cpw_signature_check_head(const CpwSignatureKey *key,
												   const CpwHeaders *headers,
												   int64_t now);

/* A signature as it came, which is still to be compared. */
typedef struct CpwReceivedSignature
{
	const char *hash;			/* OpenSSL's name of its hash */
	size_t		length;			/* of the digest, in bytes */
	uint8_t		digest[CPW_MAX_DIGEST_LENGTH];
} CpwReceivedSignature;

/*
 * cpw_signature_check_form(), which hands out the first signature that it has
 * read when it is VALID. For schemes that sign with an HMAC.
 */
extern CpwSignatureResult cpw_signature_read(CpwAuthentication authentication,
											 const CpwHeaders *headers,
											 CpwReceivedSignature *received);

/* What is to be verified. */
typedef struct CpwSignedRequest
{
	const CpwHeaders *headers;
	const void *body;
	size_t		length;
	const char *url;			/* as the sender calls it; NULL: unknown */
	int64_t		now;			/* seconds since 1970 */
} CpwSignedRequest;

/* What a request was verified with. */
typedef enum CpwSignatureMatch
{
	CPW_MATCH_NONE,
	CPW_MATCH_CURRENT,			/* the secret */
	CPW_MATCH_PREVIOUS,			/* the one before it */
	CPW_MATCH_PUBLIC_KEY
} CpwSignatureMatch;

/*
 * Verifies a request. *match (may be NULL) is set where it is VALID. Where a
 * header holds several signatures one that is right is enough. A NULL key is
 * never valid: FAILED.
 */
extern CpwSignatureResult cpw_signature_verify(const CpwSignatureKey *key,
											   const CpwSignedRequest *request,
											   CpwSignatureMatch *match);

/* Whether only requests with a URL can be verified. */
extern bool cpw_signature_needs_url(const CpwSignatureKey *key);

/* Whether a text is the secret of a scheme that compares secrets. */
extern bool cpw_signature_is_secret(const CpwSignatureKey *key,
									const char *text, size_t length,
									int64_t now, CpwSignatureMatch *match);

/* The API's words for a match: current, previous, public_key; NULL for NONE. */
extern const char *cpw_signature_match_name(CpwSignatureMatch match);

/*
 * One sentence without a final period that says what is wrong, for the reason
 * of a rejected delivery; it names the header, never a value.
 */
extern const char *cpw_signature_explain(CpwAuthentication authentication,
										 CpwSignatureResult result);

#endif							/* CPW_SIGNATURE_H */
