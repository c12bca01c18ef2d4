/*
 * signature.c
 *		The senders' signature schemes: one table, one verifier.
 *
 * The key's HMAC states are made once. Hashing a body starts from a copy of
 * one, which spares hashing the key's two blocks and all set-up by name.
 */
#include "base/signature.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/headers.h"
#include "base/hex_base64.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/*
 * One way to sign: HMAC over the body as received. The rows of an
 * authentication stand in order of preference: the first whose header is
 * present decides, whatever it holds.
 */
typedef struct Scheme
{
	CpwAuthentication authentication;
	const char *header;			/* lower case */
	const char *prefix;			/* what the value begins with */
	const char *hash;			/* OpenSSL's name */
	size_t		digest_length;	/* of the hash, in bytes */
	long		(*decode) (const char *text, size_t length,
						   uint8_t *bytes, size_t capacity);
} Scheme;

static const Scheme schemes[] = {
	{CPW_AUTHENTICATION_GITHUB_HMAC,
	"x-hub-signature-256", "sha256=", "SHA256", 32, cpw_hex_decode},
	{CPW_AUTHENTICATION_GITHUB_HMAC,
	"x-hub-signature", "sha1=", "SHA1", 20, cpw_hex_decode},
};

#define SCHEME_COUNT	((int) (sizeof(schemes) / sizeof(schemes[0])))

/* What is wrong, by authentication. */
typedef struct Explanation
{
	CpwAuthentication authentication;
	const char *texts[CPW_SIGNATURE_FAILED + 1];
} Explanation;

static const Explanation explanations[] = {
	{
		CPW_AUTHENTICATION_GITHUB_HMAC,
		{
			[CPW_SIGNATURE_VALID] = "The signature is right",
			[CPW_SIGNATURE_MISSING] =
			"There is no X-Hub-Signature-256 header, or an empty one: "
			"set the webhook's secret at the sender",
			[CPW_SIGNATURE_REPEATED] =
			"The signature header came more than once",
			[CPW_SIGNATURE_MALFORMED] =
			"X-Hub-Signature-256 is not \"sha256=\" and 64 hex digits, "
			"or X-Hub-Signature not \"sha1=\" and 40",
			[CPW_SIGNATURE_MISMATCH] =
			"X-Hub-Signature-256 (or X-Hub-Signature, where it is alone) is "
			"not the signature of this body with the webhook's secret",
			[CPW_SIGNATURE_FAILED] =
			"The signature could not be computed",
		}
	},
};

#define EXPLANATION_COUNT \
	((int) (sizeof(explanations) / sizeof(explanations[0])))

struct CpwSignatureKey
{
	CpwAuthentication authentication;
	EVP_MAC_CTX *states[SCHEME_COUNT];	/* keyed; NULL: not its scheme */
};

/* The HMAC state of a scheme with this secret, or NULL. */
static EVP_MAC_CTX *
create_state(EVP_MAC *hmac, const Scheme *scheme,
			 const void *secret, size_t length)
{
	EVP_MAC_CTX *state = EVP_MAC_CTX_new(hmac);
	OSSL_PARAM	parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
										 (char *) scheme->hash, 0),
		OSSL_PARAM_construct_end()
	};

	if (state != NULL &&
		(EVP_MAC_init(state, secret, length, parameters) != 1 ||
		 EVP_MAC_CTX_get_mac_size(state) != scheme->digest_length))
	{
		EVP_MAC_CTX_free(state);
		state = NULL;
	}
	return state;
}

CpwSignatureKey *
cpw_signature_key_create(CpwAuthentication authentication,
						 const void *secret, size_t length)
{
	CpwSignatureKey *key;
	EVP_MAC    *hmac;
	bool		complete = true;
	int			count = 0;

	if (length == 0)
		return NULL;
	key = OPENSSL_zalloc(sizeof(CpwSignatureKey));
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (key != NULL && hmac != NULL)
	{
		key->authentication = authentication;
		for (int i = 0; i < SCHEME_COUNT && complete; i++)
		{
			if (schemes[i].authentication != authentication)
				continue;
			key->states[i] = create_state(hmac, &schemes[i], secret, length);
			complete = key->states[i] != NULL;
			count++;
		}
	}
	EVP_MAC_free(hmac);			/* the states hold it */
	if (!complete || count == 0)
	{
		cpw_signature_key_free(key);
		ERR_clear_error();
		key = NULL;
	}
	return key;
}

void
cpw_signature_key_free(CpwSignatureKey *key)
{
	if (key == NULL)
		return;
	for (int i = 0; i < SCHEME_COUNT; i++)
		EVP_MAC_CTX_free(key->states[i]);	/* wipes them */
	OPENSSL_free(key);
}

/*
 * Finds the signature that counts. VALID: *scheme_index and digest are set,
 * and the digest is still to be compared.
 */
static CpwSignatureResult
find_signature(CpwAuthentication authentication, const CpwHeaders *headers,
			   int *scheme_index, uint8_t digest[CPW_MAX_DIGEST_LENGTH])
{
	for (int i = 0; i < SCHEME_COUNT; i++)
	{
		const Scheme *scheme = &schemes[i];
		const CpwHeader *header;
		size_t		prefix_length;
		int			occurrences;

		if (scheme->authentication != authentication)
			continue;
		header = cpw_headers_find(headers, scheme->header, &occurrences);
		if (header == NULL)
			continue;
		if (occurrences > 1)
			return CPW_SIGNATURE_REPEATED;
		if (header->value_length == 0)
			return CPW_SIGNATURE_MISSING;

		prefix_length = strlen(scheme->prefix);
		if (header->value_length < prefix_length ||
			memcmp(header->value, scheme->prefix, prefix_length) != 0 ||
			scheme->decode(header->value + prefix_length,
						   header->value_length - prefix_length,
						   digest, scheme->digest_length) !=
			(long) scheme->digest_length)
			return CPW_SIGNATURE_MALFORMED;

		*scheme_index = i;
		return CPW_SIGNATURE_VALID;
	}
	return CPW_SIGNATURE_MISSING;
}

CpwSignatureResult
cpw_signature_check_form(CpwAuthentication authentication,
						 const CpwHeaders *headers)
{
	uint8_t		digest[CPW_MAX_DIGEST_LENGTH];
	int			scheme_index;

	return find_signature(authentication, headers, &scheme_index, digest);
}

CpwSignatureResult
cpw_signature_read(CpwAuthentication authentication,
				   const CpwHeaders *headers, CpwReceivedSignature *received)
{
	int			scheme_index;
	CpwSignatureResult result = find_signature(authentication, headers,
											   &scheme_index,
											   received->digest);

	if (result == CPW_SIGNATURE_VALID)
	{
		received->hash = schemes[scheme_index].hash;
		received->length = schemes[scheme_index].digest_length;
	}
	return result;
}

CpwSignatureResult
cpw_signature_verify(const CpwSignatureKey *key, const CpwHeaders *headers,
					 const void *body, size_t length)
{
	uint8_t		received[CPW_MAX_DIGEST_LENGTH];
	uint8_t		computed[CPW_MAX_DIGEST_LENGTH];
	size_t		computed_length = 0;
	size_t		digest_length;
	int			scheme_index;
	CpwSignatureResult result;
	EVP_MAC_CTX *state;
	bool		done;

	if (key == NULL)
		return CPW_SIGNATURE_FAILED;
	result = find_signature(key->authentication, headers,
							&scheme_index, received);
	if (result != CPW_SIGNATURE_VALID)
		return result;

	digest_length = schemes[scheme_index].digest_length;
	state = EVP_MAC_CTX_dup(key->states[scheme_index]);
	done = state != NULL &&
		EVP_MAC_update(state, body, length) == 1 &&
		EVP_MAC_final(state, computed, &computed_length,
					  sizeof(computed)) == 1 &&
		computed_length == digest_length;
	EVP_MAC_CTX_free(state);
	if (!done)
	{
		ERR_clear_error();
		return CPW_SIGNATURE_FAILED;
	}
	return cpw_equal_in_constant_time(received, computed, digest_length) ?
		CPW_SIGNATURE_VALID : CPW_SIGNATURE_MISMATCH;
}

const char *
cpw_signature_explain(CpwAuthentication authentication,
					  CpwSignatureResult result)
{
	for (int i = 0; i < EXPLANATION_COUNT; i++)
	{
		if (explanations[i].authentication == authentication &&
			(unsigned int) result <= CPW_SIGNATURE_FAILED)
			return explanations[i].texts[result];
	}
	return "The webhook's authentication takes no signature";
}
