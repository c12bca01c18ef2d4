/*
 * signature.h
 *		The senders' signature schemes as one table over one verifier.
 *
 * A scheme is a row: which header, which hash, how the value is written. The
 * hashes are OpenSSL's. A signature is checked over the received bytes, before
 * any decoding, and compared in constant time.
 */
#ifndef CPW_SIGNATURE_H
#define CPW_SIGNATURE_H

#include "cp_webhook.h"

typedef enum CpwSignatureResult
{
	CPW_SIGNATURE_VALID,
	CPW_SIGNATURE_MISSING,		/* no signature header, or an empty one */
	CPW_SIGNATURE_REPEATED,		/* the header came more than once */
	CPW_SIGNATURE_MALFORMED,	/* not <prefix><digits> of the right length */
	CPW_SIGNATURE_MISMATCH,		/* well formed, and wrong */
	CPW_SIGNATURE_FAILED		/* the library could not compute it */
} CpwSignatureResult;

/*
 * A secret made ready to verify with: HMAC states keyed once, so that a
 * delivery pays for its body alone. Opaque.
 */
typedef struct CpwSignatureKey CpwSignatureKey;

/*
 * Makes a key for the authentication (one that signs; now GITHUB_HMAC) of a
 * secret's bytes. NULL for an empty secret, an authentication that does not
 * sign, or when the library fails. Free with cpw_signature_key_free(), which
 * takes NULL. (These two call the library, which allocates.)
 */
extern CpwSignatureKey *cpw_signature_key_create(CpwAuthentication authentication,
												 const void *secret,
												 size_t length);
extern void cpw_signature_key_free(CpwSignatureKey *key);

/*
 * Whether the headers hold a signature that is worth reading a body for:
 * VALID when it has the scheme's form, else MISSING, REPEATED or MALFORMED.
 */
extern CpwSignatureResult cpw_signature_check_form(CpwAuthentication authentication,
												   const CpwHeaders *headers);

/* The longest digest that a header can hold. */
#define CPW_MAX_DIGEST_LENGTH	32

/* A signature as it came, which is still to be compared. */
typedef struct CpwReceivedSignature
{
	const char *hash;			/* OpenSSL's name of its hash */
	size_t		length;			/* of the digest, in bytes */
	uint8_t		digest[CPW_MAX_DIGEST_LENGTH];
} CpwReceivedSignature;

/* The same check, which hands out what it has read when it is VALID. */
extern CpwSignatureResult cpw_signature_read(CpwAuthentication authentication,
											 const CpwHeaders *headers,
											 CpwReceivedSignature *received);

/*
 * Verifies the signature of a body. GITHUB_HMAC: X-Hub-Signature-256
 * ("sha256=" and 64 hex digits); X-Hub-Signature ("sha1=" and 40) counts only
 * where the former is absent.
 * https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
 * A NULL key is never valid.
 */
extern CpwSignatureResult cpw_signature_verify(const CpwSignatureKey *key,
											   const CpwHeaders *headers,
											   const void *body, size_t length);

/*
 * One sentence without a final period that says what is wrong, for the reason
 * of a rejected delivery; it names the header, never a value.
 */
extern const char *cpw_signature_explain(CpwAuthentication authentication,
										 CpwSignatureResult result);

#endif							/* CPW_SIGNATURE_H */
