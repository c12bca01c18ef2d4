/*
 * keyed.c
 *		What the files of the verifier share: algorithms, encodings, MACs.
 */
#include "base/keyed.h"

#include <string.h>

#include <openssl/err.h>

#include "base/hex_base64.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define SECRET_PREFIX		"whsec_"

typedef struct Hash
{
	const char *name;
	size_t		length;
} Hash;

static const Hash hashes[] = {
	[CPW_ALGORITHM_SHA1] = {"SHA1", 20},
	[CPW_ALGORITHM_SHA256] = {"SHA256", 32},
	[CPW_ALGORITHM_SHA384] = {"SHA384", 48},
	[CPW_ALGORITHM_SHA512] = {"SHA512", 64},
	[CPW_ALGORITHM_ED25519] = {NULL, 64},
	[CPW_ALGORITHM_TOKEN] = {"SHA256", 32},
};

const char *
cpw_algorithm_hash(CpwAlgorithm algorithm)
{
	return hashes[algorithm].name;
}

size_t
cpw_algorithm_length(CpwAlgorithm algorithm)
{
	return hashes[algorithm].length;
}

long
cpw_encoding_decode(CpwEncoding encoding, const char *text, size_t length,
					uint8_t *bytes, size_t capacity)
{
	size_t		prefix = strlen(SECRET_PREFIX);

	switch (encoding)
	{
		case CPW_ENCODING_HEX:
			return cpw_hex_decode(text, length, bytes, capacity);
		case CPW_ENCODING_BASE64:
			return cpw_base64_decode(CPW_BASE64_STANDARD, text, length, bytes,
									 capacity);
		case CPW_ENCODING_BASE64URL:
			return cpw_base64_decode(CPW_BASE64_URL, text, length, bytes,
									 capacity);
		case CPW_ENCODING_PLAIN:
			if (length > capacity)
				return -1;
			memcpy(bytes, text, length);
			return (long) length;
		case CPW_ENCODING_PREFIXED_BASE64:
			if (length >= prefix && memcmp(text, SECRET_PREFIX, prefix) == 0)
			{
				text += prefix;
				length -= prefix;
			}
			return cpw_base64_decode(CPW_BASE64_STANDARD, text, length, bytes,
									 capacity);
	}
	return -1;
}

bool
cpw_signature_mac(EVP_MAC_CTX *keyed, const void *bytes, size_t length,
				  uint8_t *digest, size_t digest_length)
{
	EVP_MAC_CTX *state = EVP_MAC_CTX_dup(keyed);
	size_t		written = 0;
	bool		done = state != NULL &&
		EVP_MAC_update(state, bytes, length) == 1 &&
		EVP_MAC_final(state, digest, &written, digest_length) == 1 &&
		written == digest_length;

	EVP_MAC_CTX_free(state);
	if (!done)
		ERR_clear_error();
	return done;
}
