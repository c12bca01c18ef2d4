/*
 * diagnosis.c
 *		What may have gone wrong where a signature was refused.
 *
 * Three tables: other senders' headers, forms of a value, and variations of
 * secret and body. A new mistake is a new row.
 */
#include "base/diagnosis.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/headers.h"
#include "base/hex_base64.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define COUNT_OF(array)		((int) (sizeof(array) / sizeof((array)[0])))

/* A secret with something behind it must fit; SecretToken has 400 bytes. */
#define MAX_SECRET	512

/* ---- the headers of other senders ---- */

typedef struct OtherHeader
{
	const char *name;
	const char *says;
} OtherHeader;

/* Where the webhook's own header is missing. */
static const OtherHeader other_headers[] = {
	{"x-gitlab-token",
	"there is an X-Gitlab-Token, as GitLab sends it, which GITHUB_HMAC does not take: put the webhook with GITLAB_TOKEN"},
	{"stripe-signature",
	"there is a Stripe-Signature, as Stripe sends it, which GITHUB_HMAC does not take: put the webhook with STRIPE"},
	{"x-slack-signature",
	"there is an X-Slack-Signature, as Slack sends it, which GITHUB_HMAC does not take: put the webhook with SLACK"},
	{"x-zm-signature",
	"there is an x-zm-signature, as Zoom sends it, which GITHUB_HMAC does not take: put the webhook with ZOOM"},
	{"x-shopify-hmac-sha256",
	"there is an X-Shopify-Hmac-SHA256, as Shopify sends it, which GITHUB_HMAC does not take: put the webhook with SHOPIFY"},
	{"webhook-signature",
	"there is a webhook-signature, as Standard Webhooks has it, which GITHUB_HMAC does not take: put the webhook with STANDARD_WEBHOOKS"},
	{"svix-signature",
	"there is a svix-signature, as Svix sends it, which GITHUB_HMAC does not take: put the webhook with STANDARD_WEBHOOKS"},
	{"x-twilio-signature",
	"there is an X-Twilio-Signature, as Twilio sends it, which GITHUB_HMAC does not take: put the webhook with TWILIO"},
	{"x-twitter-webhooks-signature",
	"there is an X-Twitter-Webhooks-Signature, as X sends it, which GITHUB_HMAC does not take: put the webhook with X"},
	{"x-signature-ed25519",
	"there is an X-Signature-Ed25519, as Discord sends it, which GITHUB_HMAC does not take: put the webhook with DISCORD"},
	{"x-gitea-signature",
	"there is an X-Gitea-Signature alone, as old versions of Gitea send it: put the webhook with GITEA_HMAC"},
	{"x-forgejo-signature",
	"there is an X-Forgejo-Signature alone, without X-Hub-Signature-256: put the webhook with GITEA_HMAC"},
	{"x-gogs-signature",
	"there is an X-Gogs-Signature, as Gogs sends it, which GITHUB_HMAC does not take: put the webhook with GITEA_HMAC"},
	{"x-hub-signature-512",
	"there is an X-Hub-Signature-512, and one of SHA-256 is wanted"},
	{"x-signature-256",
	"there is an X-Signature-256, and the header is called X-Hub-Signature-256"},
	{"x-signature",
	"there is an X-Signature, and the header is called X-Hub-Signature-256"},
	{"x-webhook-signature",
	"there is an X-Webhook-Signature, and the header is called X-Hub-Signature-256"},
	{"authorization",
	"there is an Authorization header, and a signature is wanted"},
};

static const char *
find_other_header(const CpwHeaders *headers)
{
	static const char *const own[] = {"x-hub-signature-256", "x-hub-signature"};

	for (int i = 0; i < COUNT_OF(own); i++)
		if (cpw_headers_find(headers, own[i], NULL) != NULL)
			return "the header is there, but empty: the sender has no secret";
	for (int i = 0; i < COUNT_OF(other_headers); i++)
		if (cpw_headers_find(headers, other_headers[i].name, NULL) != NULL)
			return other_headers[i].says;
	return NULL;
}

/* ---- forms of a value ---- */

typedef enum Encoding
{
	ENCODING_HEX,
	ENCODING_BASE64
} Encoding;

/* What a value looks like that is no signature of the header's. */
typedef struct Form
{
	const char *header;
	const char *prefix;			/* in either case */
	Encoding	encoding;
	long		length;			/* of the digest, in bytes */
	const char *says;
} Form;

#define HUB_256	"x-hub-signature-256"
#define HUB_1	"x-hub-signature"

static const Form forms[] = {
	/* With the right prefix it would have been taken: only its case is wrong. */
	{HUB_256, "sha256=", ENCODING_HEX, 32,
	"the prefix must be \"sha256=\" in small letters"},
	{HUB_256, "", ENCODING_HEX, 32,
	"the prefix \"sha256=\" is missing"},
	{HUB_256, "sha1=", ENCODING_HEX, 20,
	"this is a SHA-1 signature, and one of SHA-256 is wanted in that header"},
	{HUB_256, "sha256=", ENCODING_HEX, 20,
	"40 hex digits are a SHA-1 signature, and one of SHA-256 has 64"},
	{HUB_256, "", ENCODING_HEX, 20,
	"40 hex digits are a SHA-1 signature, and one of SHA-256 has 64 behind \"sha256=\""},
	{HUB_256, "sha512=", ENCODING_HEX, 64,
	"this is a SHA-512 signature, and one of SHA-256 is wanted"},
	{HUB_256, "sha256=", ENCODING_HEX, 64,
	"128 hex digits are a SHA-512 signature, and one of SHA-256 has 64"},
	{HUB_256, "", ENCODING_HEX, 64,
	"128 hex digits are a SHA-512 signature, and one of SHA-256 has 64 behind \"sha256=\""},
	{HUB_256, "sha256=", ENCODING_BASE64, 32,
	"the signature is in base64, and hex digits are wanted"},
	{HUB_256, "", ENCODING_BASE64, 32,
	"the signature is in base64, and hex digits behind \"sha256=\" are wanted"},
	{HUB_1, "sha256=", ENCODING_HEX, 32,
	"this is a SHA-256 signature, as Bitbucket sends it: it belongs into X-Hub-Signature-256"},
	{HUB_1, "", ENCODING_HEX, 32,
	"64 hex digits are a SHA-256 signature: it belongs into X-Hub-Signature-256, behind \"sha256=\""},
	{HUB_1, "sha1=", ENCODING_HEX, 20,
	"the prefix must be \"sha1=\" in small letters"},
	{HUB_1, "", ENCODING_HEX, 20,
	"the prefix \"sha1=\" is missing"},
	{HUB_1, "sha1=", ENCODING_BASE64, 20,
	"the signature is in base64, and hex digits are wanted"},
	{HUB_1, "", ENCODING_BASE64, 20,
	"the signature is in base64, and hex digits behind \"sha1=\" are wanted"},
};

static bool
begins_with(const CpwHeader *header, const char *prefix, size_t length)
{
	if (header->value_length < length)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		char		c = header->value[i];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c != prefix[i])
			return false;
	}
	return true;
}

static bool
has_form(const CpwHeader *header, const Form *form)
{
	uint8_t		digest[64];
	size_t		prefix_length = strlen(form->prefix);
	const char *text = header->value + prefix_length;
	size_t		length;

	if (!begins_with(header, form->prefix, prefix_length))
		return false;
	length = header->value_length - prefix_length;
	if (form->encoding == ENCODING_HEX)
		return cpw_hex_decode(text, length, digest, sizeof(digest)) ==
			form->length;
	return cpw_base64_decode(CPW_BASE64_STANDARD, text, length, digest,
							 sizeof(digest)) == form->length ||
		cpw_base64_decode(CPW_BASE64_URL, text, length, digest,
						  sizeof(digest)) == form->length;
}

static const char *
find_form(const CpwHeaders *headers)
{
	const char *name = HUB_256;
	const CpwHeader *header = cpw_headers_find(headers, name, NULL);

	/* The header that decides, as in base/signature.c. */
	if (header == NULL)
	{
		name = HUB_1;
		header = cpw_headers_find(headers, name, NULL);
	}
	for (int i = 0; header != NULL && i < COUNT_OF(forms); i++)
		if (strcmp(forms[i].header, name) == 0 && has_form(header, &forms[i]))
			return forms[i].says;
	return NULL;
}

const char *
cpw_diagnosis_of_form(CpwAuthentication authentication,
					  const CpwHeaders *headers, CpwSignatureResult result)
{
	if (authentication != CPW_AUTHENTICATION_GITHUB_HMAC)
		return NULL;
	switch (result)
	{
		case CPW_SIGNATURE_MISSING:
			return find_other_header(headers);
		case CPW_SIGNATURE_MALFORMED:
			return find_form(headers);
		default:
			return NULL;
	}
}

/* ---- variations of secret and body ---- */

typedef enum SecretVariation
{
	SECRET_AS_IT_IS,
	SECRET_TRIMMED,				/* without white space around it */
	SECRET_WITH_NEWLINE,
	SECRET_PREVIOUS,
	SECRET_EMPTY,
	SECRET_NONE					/* a plain hash in place of an HMAC */
} SecretVariation;

typedef enum BodyVariation
{
	BODY_AS_IT_IS,
	BODY_WITHOUT_NEWLINE,
	BODY_WITH_NEWLINE,
	BODY_FORM_JSON,
	BODY_EMPTY
} BodyVariation;

typedef struct Trial
{
	SecretVariation secret;
	BodyVariation body;
	const char *says;
} Trial;

static const Trial trials[] = {
	{SECRET_AS_IT_IS, BODY_WITHOUT_NEWLINE,
	"it is that of the body without its final newline: sign the bytes that are sent"},
	{SECRET_AS_IT_IS, BODY_WITH_NEWLINE,
	"it is that of the body with a newline behind it: sign the bytes that are sent"},
	{SECRET_AS_IT_IS, BODY_FORM_JSON,
	"it is that of the JSON in the form's payload: sign the form's bytes, or send application/json"},
	{SECRET_AS_IT_IS, BODY_EMPTY,
	"it is that of an empty body: the sender signed before it had the body, or after reading it to its end"},
	{SECRET_TRIMMED, BODY_AS_IT_IS,
	"it is that of the secret without the white space around it: put SecretToken without it"},
	{SECRET_WITH_NEWLINE, BODY_AS_IT_IS,
	"it is that of the secret with a newline behind it: the sender read its secret with the line's end"},
	{SECRET_PREVIOUS, BODY_AS_IT_IS,
	"it is that of the previous secret: give the sender the new one"},
	{SECRET_EMPTY, BODY_AS_IT_IS,
	"it is that of an empty secret: the sender has none"},
	{SECRET_NONE, BODY_AS_IT_IS,
	"it is a plain hash of the body: an HMAC with the secret is wanted"},
};

/* Bytes in two pieces. */
typedef struct Pieces
{
	const char *text;
	size_t		length;
	const char *tail;
	size_t		tail_length;
} Pieces;

static bool
is_white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* False where the variation is no other than the body, or does not exist. */
static bool
vary_body(const CpwSignatureCase *given, BodyVariation variation,
		  Pieces *pieces)
{
	pieces->text = given->body;
	pieces->length = given->body_length;
	pieces->tail = "";
	pieces->tail_length = 0;
	switch (variation)
	{
		case BODY_AS_IT_IS:
			return true;
		case BODY_WITHOUT_NEWLINE:
			if (pieces->length == 0 || pieces->text[pieces->length - 1] != '\n')
				return false;
			pieces->length--;
			if (pieces->length > 0 && pieces->text[pieces->length - 1] == '\r')
				pieces->length--;
			return true;
		case BODY_WITH_NEWLINE:
			pieces->tail = "\n";
			pieces->tail_length = 1;
			return true;
		case BODY_FORM_JSON:
			pieces->text = given->form_json;
			pieces->length = given->form_json_length;
			return given->form_json != NULL;
		case BODY_EMPTY:
			pieces->length = 0;
			return given->body_length > 0;
	}
	return false;
}

/* The same for the secret; what has two pieces is joined in room. */
static bool
vary_secret(const CpwSignatureCase *given, SecretVariation variation,
			char room[MAX_SECRET], const char **secret, size_t *length)
{
	*secret = given->secret;
	*length = given->secret_length;
	switch (variation)
	{
		case SECRET_AS_IT_IS:
			return true;
		case SECRET_TRIMMED:
			while (*length > 0 && is_white((*secret)[*length - 1]))
				(*length)--;
			while (*length > 0 && is_white(**secret))
			{
				(*secret)++;
				(*length)--;
			}
			return *length > 0 && *length < given->secret_length;
		case SECRET_WITH_NEWLINE:
			if (*length >= MAX_SECRET)
				return false;
			memcpy(room, *secret, *length);
			room[*length] = '\n';
			*secret = room;
			(*length)++;
			return true;
		case SECRET_PREVIOUS:
			*secret = given->previous_secret;
			*length = given->previous_secret_length;
			return given->previous_secret != NULL && *length > 0;
		case SECRET_EMPTY:
			*secret = "";
			*length = 0;
			return true;
		case SECRET_NONE:
			return true;
	}
	return false;
}

static bool
compute_hmac(EVP_MAC *hmac, const char *hash, const char *secret,
			 size_t secret_length, const Pieces *body,
			 uint8_t digest[CPW_MAX_DIGEST_LENGTH], size_t *length)
{
	EVP_MAC_CTX *state = EVP_MAC_CTX_new(hmac);
	OSSL_PARAM	parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
										 (char *) hash, 0),
		OSSL_PARAM_construct_end()
	};
	bool		done = state != NULL &&
		EVP_MAC_init(state, (const unsigned char *) secret, secret_length,
					 parameters) == 1 &&
		EVP_MAC_update(state, (const unsigned char *) body->text,
					   body->length) == 1 &&
		EVP_MAC_update(state, (const unsigned char *) body->tail,
					   body->tail_length) == 1 &&
		EVP_MAC_final(state, digest, length, CPW_MAX_DIGEST_LENGTH) == 1;

	EVP_MAC_CTX_free(state);
	return done;
}

static bool
compute_hash(const char *hash, const Pieces *body,
			 uint8_t digest[CPW_MAX_DIGEST_LENGTH], size_t *length)
{
	EVP_MD	   *algorithm = EVP_MD_fetch(NULL, hash, NULL);
	EVP_MD_CTX *state = EVP_MD_CTX_new();
	unsigned int written = 0;
	bool		done = algorithm != NULL && state != NULL &&
		EVP_MD_get_size(algorithm) <= CPW_MAX_DIGEST_LENGTH &&
		EVP_DigestInit_ex(state, algorithm, NULL) == 1 &&
		EVP_DigestUpdate(state, body->text, body->length) == 1 &&
		EVP_DigestFinal_ex(state, digest, &written) == 1;

	EVP_MD_CTX_free(state);
	EVP_MD_free(algorithm);
	*length = written;
	return done;
}

static bool
fits(EVP_MAC *hmac, const CpwSignatureCase *given, const Trial *trial,
	 const CpwReceivedSignature *received)
{
	char		room[MAX_SECRET];
	uint8_t		digest[CPW_MAX_DIGEST_LENGTH];
	size_t		length = 0;
	const char *secret;
	size_t		secret_length;
	Pieces		body;
	bool		computed;

	if (!vary_body(given, trial->body, &body) ||
		!vary_secret(given, trial->secret, room, &secret, &secret_length))
		return false;
	if (trial->secret == SECRET_NONE)
		computed = compute_hash(received->hash, &body, digest, &length);
	else
		computed = compute_hmac(hmac, received->hash, secret, secret_length,
								&body, digest, &length);
	return computed && length == received->length &&
		cpw_equal_in_constant_time(digest, received->digest, length);
}

const char *
cpw_diagnosis_of_body(const CpwSignatureCase *signature_case)
{
	CpwReceivedSignature received;
	EVP_MAC    *hmac;
	const char *says = NULL;

	if (signature_case->secret == NULL ||
		signature_case->secret_length == 0 ||
		cpw_signature_read(signature_case->authentication,
						   signature_case->headers, &received) !=
		CPW_SIGNATURE_VALID)
		return NULL;
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	for (int i = 0; hmac != NULL && says == NULL && i < COUNT_OF(trials); i++)
		if (fits(hmac, signature_case, &trials[i], &received))
			says = trials[i].says;
	EVP_MAC_free(hmac);
	ERR_clear_error();
	return says;
}
