/*
 * challenge.c
 *		Handshakes: what senders ask before they send, and the answers.
 */
#include "base/challenge.h"

#include <stdio.h>
#include <string.h>

#include "base/hex_base64.h"
#include "base/keyed.h"
#include "base/media_type.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define MAX_BARE_TOKEN	128
#define DIGEST_LENGTH	32

#define TEXT_TYPE		"text/plain"
#define JSON_TYPE		"application/json"

bool
cpw_challenge_is_bare(const char *text, size_t length)
{
	for (size_t i = 0; i < length && i < MAX_BARE_TOKEN; i++)
	{
		char		c = text[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') &&
			(c < 'A' || c > 'Z') && c != '-' && c != '_')
			return false;
	}
	return length > 0 && length <= MAX_BARE_TOKEN;
}

bool
cpw_challenge_texts_equal(const char *a, size_t a_length, const char *b,
						  size_t b_length)
{
	uint8_t		digests[2][EVP_MAX_MD_SIZE];
	unsigned int length;

	return EVP_Digest(a, a_length, digests[0], &length, EVP_sha256(),
					  NULL) == 1 &&
		EVP_Digest(b, b_length, digests[1], &length, EVP_sha256(),
				   NULL) == 1 &&
		cpw_equal_in_constant_time(digests[0], digests[1], DIGEST_LENGTH);
}

/* The HMAC of a token; of nothing else, whoever asks. */
static bool
sign(const CpwSignatureKey *key, const char *token, size_t length,
	 uint8_t digest[DIGEST_LENGTH])
{
	return key != NULL && key->scheme->no_bare_tokens &&
		key->keyed[0].states[0] != NULL &&
		key->keyed[0].digest_length == DIGEST_LENGTH &&
		cpw_challenge_is_bare(token, length) &&
		cpw_signature_mac(key->keyed[0].states[0], token, length, digest,
						  DIGEST_LENGTH);
}

bool
cpw_challenge_echo(const char *type, const char *text, size_t length,
				   CpwChallengeAnswer *answer)
{
	if (length > sizeof(answer->body))
		return false;
	answer->status = 200;
	answer->type = type;
	answer->length = length;
	memcpy(answer->body, text, length);
	return true;
}

bool
cpw_challenge_answer_zoom(const CpwSignatureKey *key, const char *token,
						  size_t length, CpwChallengeAnswer *answer)
{
	uint8_t		digest[DIGEST_LENGTH];
	char		hex[2 * DIGEST_LENGTH + 1];
	char		json[CPW_MAX_ECHO];
	int			written;

	if (!sign(key, token, length, digest))
		return false;
	cpw_hex_encode(digest, DIGEST_LENGTH, hex);
	written = snprintf(json, sizeof(json),
					   "{\"plainToken\":\"%.*s\",\"encryptedToken\":\"%s\"}",
					   (int) length, token, hex);
	return cpw_challenge_echo(JSON_TYPE, json, (size_t) written, answer);
}

/* A parameter of a query, decoded; -1: there is none, or it is too long. */
static long
find_parameter(const char *query, size_t length, const char *name,
			   char text[CPW_MAX_ECHO])
{
	CpwFormField field;

	if (!cpw_form_find(query, length, name, &field) ||
		field.value_length > CPW_MAX_ECHO)
		return -1;
	return cpw_form_decode(field.value, field.value_length, text);
}

static bool
has_parameter(const char *query, size_t length, const char *name)
{
	CpwFormField field;

	return cpw_form_find(query, length, name, &field);
}

/* {"response_token": "sha256=<base64>"} */
static CpwChallengeResult
answer_x(const char *query, size_t length, const CpwSignatureKey *key,
		 CpwChallengeAnswer *answer)
{
	char		token[CPW_MAX_ECHO];
	char		json[CPW_MAX_ECHO];
	char		base64[CPW_BASE64_SIZE(DIGEST_LENGTH)];
	uint8_t		digest[DIGEST_LENGTH];
	long		token_length = find_parameter(query, length, "crc_token",
											  token);
	int			written;

	if (token_length < 0 || !sign(key, token, (size_t) token_length, digest))
		return CPW_CHALLENGE_REFUSED;
	cpw_base64_encode(CPW_BASE64_STANDARD, digest, DIGEST_LENGTH, base64);
	written = snprintf(json, sizeof(json),
					   "{\"response_token\":\"sha256=%s\"}", base64);
	return cpw_challenge_echo(JSON_TYPE, json, (size_t) written, answer) ?
		CPW_CHALLENGE_ANSWERED : CPW_CHALLENGE_REFUSED;
}

static CpwChallengeResult
answer_meta(const char *query, size_t length, const char *verify_token,
			CpwChallengeAnswer *answer)
{
	char		mode[CPW_MAX_ECHO];
	char		token[CPW_MAX_ECHO];
	char		challenge[CPW_MAX_ECHO];
	long		mode_length = find_parameter(query, length, "hub.mode", mode);
	long		token_length = find_parameter(query, length,
											  "hub.verify_token", token);
	long		challenge_length = find_parameter(query, length,
												  "hub.challenge", challenge);

	if (verify_token == NULL || token_length < 0 || challenge_length < 0 ||
		mode_length != 9 || memcmp(mode, "subscribe", 9) != 0 ||
		!cpw_challenge_texts_equal(token, (size_t) token_length, verify_token,
								   strlen(verify_token)) ||
		!cpw_challenge_is_bare(challenge, (size_t) challenge_length))
		return CPW_CHALLENGE_REFUSED;
	cpw_challenge_echo(TEXT_TYPE, challenge, (size_t) challenge_length, answer);
	return CPW_CHALLENGE_ANSWERED;
}

/* Graph wants its token back as it is: text, so that no browser runs it. */
static CpwChallengeResult
answer_graph(const char *query, size_t length, CpwChallengeAnswer *answer)
{
	char		token[CPW_MAX_ECHO];
	long		token_length = find_parameter(query, length,
											  "validationToken", token);

	if (token_length <= 0)
		return CPW_CHALLENGE_REFUSED;
	for (long i = 0; i < token_length; i++)
		if (token[i] < ' ' || token[i] > '~')
			return CPW_CHALLENGE_REFUSED;
	cpw_challenge_echo(TEXT_TYPE, token, (size_t) token_length, answer);
	return CPW_CHALLENGE_ANSWERED;
}

CpwChallengeResult
cpw_challenge_of_query(const CpwScheme *scheme, bool is_get,
					   const char *query, size_t length,
					   const CpwSignatureKey *key, const char *verify_token,
					   CpwChallengeAnswer *answer)
{
	if (scheme == NULL)
		return CPW_CHALLENGE_NONE;
	if (scheme->handshake == CPW_HANDSHAKE_X && is_get &&
		has_parameter(query, length, "crc_token"))
		return answer_x(query, length, key, answer);
	if (scheme->handshake == CPW_HANDSHAKE_META && is_get &&
		has_parameter(query, length, "hub.mode"))
		return answer_meta(query, length, verify_token, answer);
	if (scheme->handshake == CPW_HANDSHAKE_GRAPH && !is_get &&
		has_parameter(query, length, "validationToken"))
		return answer_graph(query, length, answer);
	return CPW_CHALLENGE_NONE;
}
