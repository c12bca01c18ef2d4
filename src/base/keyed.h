/*
 * keyed.h
 *		The inside of a key, for the files of the verifier alone.
 */
#ifndef CPW_KEYED_H
#define CPW_KEYED_H

#include <openssl/evp.h>

#include "base/scheme.h"
#include "base/template.h"

/* The secrets that are accepted side by side. */
#define CPW_SECRET_COUNT	2

typedef struct CpwKeyedWay
{
	CpwTemplate template;
	EVP_MAC_CTX *states[CPW_SECRET_COUNT];	/* keyed; NULL: no such secret */
	size_t		digest_length;
	bool		is_usable;		/* there is something to verify with */

	/* TOKEN: the digests of what must come, keyed likewise. */
	uint8_t		expected[CPW_SECRET_COUNT][CPW_MAX_DIGEST_LENGTH];
} CpwKeyedWay;

struct CpwSignatureKey
{
	const CpwScheme *scheme;
	CpwWay		ways[CPW_MAX_WAYS];
	CpwKeyedWay keyed[CPW_MAX_WAYS];
	int			way_count;
	EVP_PKEY   *public_key;
	int64_t		previous_expires;
	int64_t		tolerance;
	char	   *texts;			/* what ways and templates point into */
	size_t		texts_size;
};

/* OpenSSL's name of an algorithm's hash, and its length in bytes. */
extern const char *cpw_algorithm_hash(CpwAlgorithm algorithm);
extern size_t cpw_algorithm_length(CpwAlgorithm algorithm);

/*
 * Decodes text of an encoding. Returns the number of bytes, or -1 for what is
 * not in that encoding or does not fit.
 */
extern long cpw_encoding_decode(CpwEncoding encoding, const char *text,
								size_t length, uint8_t *bytes,
								size_t capacity);

/* Hashes bytes with a copy of a keyed state. */
extern bool cpw_signature_mac(EVP_MAC_CTX *keyed, const void *bytes,
							  size_t length, uint8_t *digest,
							  size_t digest_length);

#endif							/* CPW_KEYED_H */
