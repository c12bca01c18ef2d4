/*
 * signature_key.h
 *		Keys to verify signatures with, made of a scheme, its secrets and what a
 *		configuration says.
 */
#ifndef CPW_SIGNATURE_KEY_H
#define CPW_SIGNATURE_KEY_H

#include "base/scheme.h"
#include "cp_webhook.h"

/*
 * A secret made ready to verify with: HMAC states keyed once, so that a
 * delivery pays for its body alone. Opaque.
 */
typedef struct CpwSignatureKey CpwSignatureKey;

/*
 * What a key is made of. cpw_signature_settings_init() fills in what the
 * scheme's row says; the caller sets secrets, and what a configuration says
 * otherwise. Nothing of it is needed after the key was made.
 */
typedef struct CpwSignatureSettings
{
	CpwAuthentication authentication;
	const char *secret;			/* as it was put; NULL: none */
	size_t		secret_length;
	const char *previous_secret;	/* good until then; NULL: none */
	size_t		previous_secret_length;
	int64_t		previous_expires;	/* seconds since 1970 */
	const char *user_name;		/* BASIC */
	const char *public_key;		/* ed25519, hex or base64; NULL: none */
	CpwEncoding key_encoding;	/* of the secrets */
	int64_t		tolerance;		/* in seconds, both sides */

	/* Of a scheme whose configuration says them (takes_headers). */
	const char *header;			/* in either case, as the next two */
	const char *timestamp_header;	/* NULL: none */
	const char *template;
	const char *prefix;
	CpwAlgorithm algorithm;
	CpwEncoding encoding;
	char		separator;		/* 0: one signature */
} CpwSignatureSettings;

extern void cpw_signature_settings_init(CpwSignatureSettings *settings,
										CpwAuthentication authentication);

/*
 * Makes a key. NULL where there is nothing to verify with (no secret, an empty
 * one, one that is not in its encoding, no public key), for a scheme that
 * compares nothing, for settings that are none, or when the library fails.
 * Free with cpw_signature_key_free(), which takes NULL. (These call the
 * library, which allocates.)
 */
extern CpwSignatureKey *cpw_signature_key_make(const CpwSignatureSettings *settings);

/* The same of a scheme that needs a secret alone. */
extern CpwSignatureKey *cpw_signature_key_create(CpwAuthentication authentication,
												 const void *secret,
												 size_t length);
extern void cpw_signature_key_free(CpwSignatureKey *key);

/*
 * What is wrong with a secret in this encoding, as a clause such as "is not
 * base64"; NULL: nothing.
 */
extern const char *cpw_signature_secret_fault(CpwEncoding encoding,
											  const char *secret,
											  size_t length);

/* Whether a text is an ed25519 public key: 64 hex digits, whpk_... or base64. */
extern bool cpw_signature_is_public_key(const char *text);

#endif							/* CPW_SIGNATURE_KEY_H */
