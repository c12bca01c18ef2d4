/*
 * signature_key.c
 *		Keys: a scheme, what a configuration adds to it, and its secrets.
 *
 * The HMAC states are made once. Hashing a body starts from a copy of one,
 * which spares hashing the key's two blocks and all set-up by name.
 */
#include "base/signature_key.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/hex_base64.h"
#include "base/keyed.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* A user name, a colon and a secret, each of 100 characters in UTF-8. */
#define MAX_TOKEN		1024
#define MAX_KEY			512
#define PUBLIC_KEY_LENGTH	32

/* https://github.com/standard-webhooks/standard-webhooks: 24 to 64 bytes */
#define PUBLIC_PREFIX		"whpk_"
#define MIN_PREFIXED_KEY	24
#define MAX_PREFIXED_KEY	64

const char *
cpw_signature_secret_fault(CpwEncoding encoding, const char *secret,
						   size_t length)
{
	static const char *const faults[] = {
		[CPW_ENCODING_HEX] = "is not hex",
		[CPW_ENCODING_BASE64] = "is not base64",
		[CPW_ENCODING_BASE64URL] = "is not base64url",
		[CPW_ENCODING_PLAIN] = "is too long",
		[CPW_ENCODING_PREFIXED_BASE64] = "is not base64, with or without whsec_ before it",
	};
	uint8_t		bytes[MAX_KEY];
	long		decoded = cpw_encoding_decode(encoding, secret, length, bytes,
											  sizeof(bytes));

	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (decoded < 0)
		return faults[encoding];
	if (decoded == 0)
		return "is empty";
	if (encoding == CPW_ENCODING_PREFIXED_BASE64 &&
		(decoded < MIN_PREFIXED_KEY || decoded > MAX_PREFIXED_KEY))
		return "is not base64 of 24 to 64 bytes";
	return NULL;
}

static bool
read_public_key(const char *text, uint8_t bytes[PUBLIC_KEY_LENGTH])
{
	size_t		prefix = strlen(PUBLIC_PREFIX);
	size_t		length = strlen(text);

	if (length == 2 * PUBLIC_KEY_LENGTH)
		return cpw_hex_decode(text, length, bytes, PUBLIC_KEY_LENGTH) ==
			PUBLIC_KEY_LENGTH;
	if (strncmp(text, PUBLIC_PREFIX, prefix) == 0)
	{
		text += prefix;
		length -= prefix;
	}
	return cpw_base64_decode(CPW_BASE64_STANDARD, text, length, bytes,
							 PUBLIC_KEY_LENGTH) == PUBLIC_KEY_LENGTH;
}

bool
cpw_signature_is_public_key(const char *text)
{
	uint8_t		bytes[PUBLIC_KEY_LENGTH];

	return read_public_key(text, bytes);
}

/* ---- settings ---- */

void
cpw_signature_settings_init(CpwSignatureSettings *settings,
							CpwAuthentication authentication)
{
	const CpwScheme *scheme = cpw_scheme_of(authentication);

	memset(settings, 0, sizeof(*settings));
	settings->authentication = authentication;
	settings->tolerance = CPW_DEFAULT_TOLERANCE;
	if (scheme == NULL)
		return;
	settings->key_encoding = scheme->key_encoding;
	settings->template = scheme->ways[0].template;
	settings->prefix = scheme->ways[0].prefix;
	settings->algorithm = scheme->ways[0].algorithm;
	settings->encoding = scheme->ways[0].encoding;
}

/* ---- making a key ---- */

/* Copies a text to the key's own room, in lower case where it is a name. */
static const char *
keep(CpwSignatureKey *key, const char *text, bool is_name)
{
	char	   *copy = key->texts + key->texts_size;
	size_t		length = text ? strlen(text) + 1 : 0;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++)
		copy[i] = is_name && text[i] >= 'A' && text[i] <= 'Z' ?
			(char) (text[i] + ('a' - 'A')) : text[i];
	key->texts_size += length;
	return copy;
}

static size_t
size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* The way that a configuration describes. */
static bool
describe_way(CpwSignatureKey *key, const CpwSignatureSettings *settings)
{
	CpwWay	   *way = &key->ways[0];
	size_t		size = size_of(settings->header) +
		size_of(settings->timestamp_header) + size_of(settings->template) +
		size_of(settings->prefix);

	if (settings->header == NULL || *settings->header == '\0')
		return false;
	key->texts = OPENSSL_zalloc(size);
	if (key->texts == NULL)
		return false;
	way->header = keep(key, settings->header, true);
	way->timestamp_header = keep(key, settings->timestamp_header, true);
	way->template = keep(key, settings->template, false);
	way->prefix = keep(key, settings->prefix ? settings->prefix : "", false);
	way->algorithm = settings->algorithm;
	way->encoding = settings->encoding;
	way->separator = settings->separator;
	return true;
}

/* The scheme's ways, and their templates. */
static bool
take_ways(CpwSignatureKey *key, const CpwSignatureSettings *settings)
{
	const CpwScheme *scheme = key->scheme;

	key->way_count = cpw_scheme_way_count(scheme);
	memcpy(key->ways, scheme->ways, sizeof(key->ways));
	if (scheme->body_token != NULL)
	{
		/* Its secret comes in the body: no header, no template. */
		key->ways[0].prefix = "";
		key->ways[0].algorithm = CPW_ALGORITHM_TOKEN;
		key->ways[0].encoding = CPW_ENCODING_PLAIN;
		key->way_count = 1;
	}
	if (scheme->takes_headers && !describe_way(key, settings))
		return false;
	for (int i = 0; i < key->way_count; i++)
	{
		size_t		position;

		if (key->ways[i].template != NULL &&
			cpw_template_parse(key->ways[i].template,
							   &key->keyed[i].template, &position) != NULL)
			return false;
		key->keyed[i].digest_length =
			cpw_algorithm_length(key->ways[i].algorithm);
	}
	return key->way_count > 0;
}

static EVP_MAC_CTX *
create_state(EVP_MAC *hmac, const CpwWay *way, const uint8_t *secret,
			 size_t length)
{
	EVP_MAC_CTX *state = EVP_MAC_CTX_new(hmac);
	OSSL_PARAM	parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
										 (char *) cpw_algorithm_hash(way->algorithm),
										 0),
		OSSL_PARAM_construct_end()
	};

	if (state != NULL &&
		(EVP_MAC_init(state, secret, length, parameters) != 1 ||
		 EVP_MAC_CTX_get_mac_size(state) !=
		 cpw_algorithm_length(way->algorithm)))
	{
		EVP_MAC_CTX_free(state);
		state = NULL;
	}
	return state;
}

/* The digest of what must come: the secret, behind a user's name with BASIC. */
static bool
expect_token(CpwKeyedWay *keyed, int index, const char *user_name,
			 const uint8_t *secret, size_t length)
{
	uint8_t		token[MAX_TOKEN];
	size_t		user_length = user_name ? strlen(user_name) : 0;
	size_t		size = 0;
	bool		done;

	if (user_length + 1 + length > sizeof(token))
		return false;
	if (user_name != NULL)
	{
		memcpy(token, user_name, user_length);
		token[user_length] = ':';
		size = user_length + 1;
	}
	memcpy(token + size, secret, length);
	done = cpw_signature_mac(keyed->states[index], token, size + length,
							 keyed->expected[index], keyed->digest_length);
	OPENSSL_cleanse(token, sizeof(token));
	return done;
}

static bool
take_secret(CpwSignatureKey *key, EVP_MAC *hmac, int index,
			const CpwSignatureSettings *settings, const char *text,
			size_t text_length)
{
	uint8_t		secret[MAX_KEY];
	long		length = cpw_encoding_decode(settings->key_encoding, text,
											 text_length, secret,
											 sizeof(secret));
	bool		done = length > 0;

	for (int i = 0; done && i < key->way_count; i++)
	{
		CpwKeyedWay *keyed = &key->keyed[i];

		if (key->ways[i].algorithm == CPW_ALGORITHM_ED25519)
			continue;
		keyed->states[index] = create_state(hmac, &key->ways[i], secret,
											(size_t) length);
		keyed->is_usable = true;
		done = keyed->states[index] != NULL &&
			(key->ways[i].algorithm != CPW_ALGORITHM_TOKEN ||
			 expect_token(keyed, index, settings->user_name, secret,
						  (size_t) length));
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return done;
}

static bool
take_public_key(CpwSignatureKey *key, const char *text)
{
	uint8_t		bytes[PUBLIC_KEY_LENGTH];

	if (!read_public_key(text, bytes))
		return false;
	key->public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
												  bytes, sizeof(bytes));
	for (int i = 0; i < key->way_count; i++)
		if (key->ways[i].algorithm == CPW_ALGORITHM_ED25519)
			key->keyed[i].is_usable = true;
	return key->public_key != NULL;
}

static bool
take_secrets(CpwSignatureKey *key, const CpwSignatureSettings *settings)
{
	EVP_MAC    *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	bool		done = hmac != NULL &&
		(settings->secret != NULL || settings->public_key != NULL);

	if (done && settings->secret != NULL)
		done = take_secret(key, hmac, 0, settings, settings->secret,
						   settings->secret_length);
	if (done && settings->secret != NULL && settings->previous_secret != NULL)
		done = take_secret(key, hmac, 1, settings, settings->previous_secret,
						   settings->previous_secret_length);
	if (done && settings->public_key != NULL)
		done = take_public_key(key, settings->public_key);
	EVP_MAC_free(hmac);			/* the states hold it */
	return done;
}

CpwSignatureKey *
cpw_signature_key_make(const CpwSignatureSettings *settings)
{
	const CpwScheme *scheme = cpw_scheme_of(settings->authentication);
	CpwSignatureKey *key;

	if (scheme == NULL)
		return NULL;
	key = OPENSSL_zalloc(sizeof(CpwSignatureKey));
	if (key == NULL)
		return NULL;
	key->scheme = scheme;
	key->previous_expires = settings->previous_expires;
	key->tolerance = settings->tolerance;
	if (take_ways(key, settings) && take_secrets(key, settings))
		return key;
	cpw_signature_key_free(key);
	ERR_clear_error();
	return NULL;
}

CpwSignatureKey *
cpw_signature_key_create(CpwAuthentication authentication, const void *secret,
						 size_t length)
{
	CpwSignatureSettings settings;

	cpw_signature_settings_init(&settings, authentication);
	settings.secret = secret;
	settings.secret_length = length;
	return cpw_signature_key_make(&settings);
}

void
cpw_signature_key_free(CpwSignatureKey *key)
{
	if (key == NULL)
		return;
	for (int i = 0; i < CPW_MAX_WAYS; i++)
		for (int n = 0; n < CPW_SECRET_COUNT; n++)
			EVP_MAC_CTX_free(key->keyed[i].states[n]);	/* wipes them */
	EVP_PKEY_free(key->public_key);
	OPENSSL_free(key->texts);
	OPENSSL_clear_free(key, sizeof(*key));
}
