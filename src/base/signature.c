/*
 * signature.c
 *		The one verifier.
 *
 * It takes the signatures of a header, the timestamp and id beside them, and
 * compares each signature with what was signed according to the template. The
 * parts of that are fed to the MAC one by one: no body is ever copied, but for
 * ed25519, which the library takes in one piece only.
 */
#include "base/signature.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/challenge.h"
#include "base/headers.h"
#include "base/hex_base64.h"
#include "base/instant.h"
#include "base/keyed.h"
#include "base/media_type.h"
#include "base/received.h"
#include "base/signed_form.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* A part of what is signed. */
typedef struct Part
{
	const char *text;
	size_t		length;
} Part;

/* All that templates refer to. */
typedef struct Parts
{
	const CpwHeaders *headers;
	Part		body;
	Part		timestamp;
	Part		id;
	Part		url;
	Part		form;
} Parts;

/* ---- the form alone ---- */

CpwSignatureResult
cpw_signature_check_form(CpwAuthentication authentication,
						 const CpwHeaders *headers)
{
	const CpwScheme *scheme = cpw_scheme_of(authentication);
	CpwSignatures	signatures;

	return cpw_received_read(scheme ? scheme->ways : NULL,
						   cpw_scheme_way_count(scheme), headers, &signatures);
}

CpwSignatureResult
cpw_signature_read(CpwAuthentication authentication,
				   const CpwHeaders *headers, CpwReceivedSignature *received)
{
	const CpwScheme *scheme = cpw_scheme_of(authentication);
	CpwSignatures	signatures;
	CpwSignatureResult result =
		cpw_received_read(scheme ? scheme->ways : NULL,
						cpw_scheme_way_count(scheme), headers, &signatures);

	if (result == CPW_SIGNATURE_VALID)
	{
		const CpwCandidate *candidate = &signatures.candidates[0];
		CpwAlgorithm algorithm = scheme->ways[candidate->way].algorithm;

		received->hash = cpw_algorithm_hash(algorithm);
		received->length = cpw_algorithm_length(algorithm);
		memcpy(received->digest, candidate->digest, received->length);
	}
	return result;
}

/* ---- what is signed beside the body ---- */

/* A header that must be there once, and not empty. */
static bool
find_part(const CpwHeaders *headers, const char *name, Part *part)
{
	int			occurrences;
	const CpwHeader *header = cpw_headers_find(headers, name, &occurrences);

	if (header == NULL || occurrences > 1 || header->value_length == 0)
		return false;
	*part = (Part) {header->value, header->value_length};
	return true;
}

static CpwSignatureResult
find_timestamp(const CpwSignatureKey *key, const CpwSignatures *signatures,
			   int64_t now, Parts *parts)
{
	const CpwWay *way = signatures->way;
	int64_t		seconds;

	if (way->timestamp_prefix != NULL)
	{
		if (signatures->timestamp_count != 1)
			return CPW_SIGNATURE_NO_TIMESTAMP;
		parts->timestamp = (Part)
		{
			signatures->timestamp, signatures->timestamp_length
		};
	}
	else if (way->timestamp_header == NULL)
		return CPW_SIGNATURE_VALID;
	else if (!find_part(parts->headers, way->timestamp_header,
						&parts->timestamp))
		return CPW_SIGNATURE_NO_TIMESTAMP;
	if (!cpw_instant_parse(parts->timestamp.text, parts->timestamp.length,
						   &seconds))
		return CPW_SIGNATURE_NO_TIMESTAMP;
	if (seconds < now - key->tolerance || seconds > now + key->tolerance)
		return CPW_SIGNATURE_STALE;
	return CPW_SIGNATURE_VALID;
}

static CpwSignatureResult
find_id(const CpwSignatureKey *key, const CpwSignatures *signatures,
		Parts *parts)
{
	const CpwHeader *header;

	if (!cpw_template_has(&key->keyed[signatures->way - key->ways].template,
						  CPW_PIECE_ID))
		return CPW_SIGNATURE_VALID;
	if (signatures->way->id_header != NULL)
		return find_part(parts->headers, signatures->way->id_header,
						 &parts->id) ? CPW_SIGNATURE_VALID : CPW_SIGNATURE_NO_ID;
	header = cpw_headers_delivery_id(parts->headers);
	if (header == NULL)
		return CPW_SIGNATURE_NO_ID;
	parts->id = (Part) {header->value, header->value_length};
	return CPW_SIGNATURE_VALID;
}

/* Reads the signatures and finds all that headers add to them. */
static CpwSignatureResult
read_head(const CpwSignatureKey *key, int64_t now, CpwSignatures *signatures,
		  Parts *parts)
{
	CpwSignatureResult result = cpw_received_read(key->ways, key->way_count,
												parts->headers, signatures);

	if (result == CPW_SIGNATURE_VALID)
		result = find_id(key, signatures, parts);
	if (result == CPW_SIGNATURE_VALID)
		result = find_timestamp(key, signatures, now, parts);
	return result;
}

CpwSignatureResult
cpw_signature_check_head(const CpwSignatureKey *key,
						 const CpwHeaders *headers, int64_t now)
{
	CpwSignatures	signatures;
	Parts		parts = {.headers = headers};

	if (key == NULL)
		return CPW_SIGNATURE_FAILED;
	return read_head(key, now, &signatures, &parts);
}

/* ---- what is signed ---- */

/* Whether this is the piece's header, whose name may be in either case. */
static bool
is_named(const CpwHeader *header, const CpwPiece *piece)
{
	if (header->name_length != piece->length)
		return false;
	for (size_t i = 0; i < piece->length; i++)
	{
		char		c = piece->text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c != header->name[i])
			return false;
	}
	return true;
}

static Part
part_of(const CpwPiece *piece, const Parts *parts)
{
	switch (piece->kind)
	{
		case CPW_PIECE_BODY:
			return parts->body;
		case CPW_PIECE_TIMESTAMP:
			return parts->timestamp;
		case CPW_PIECE_ID:
			return parts->id;
		case CPW_PIECE_URL:
			return parts->url;
		case CPW_PIECE_FORM:
			return parts->form;
		case CPW_PIECE_HEADER:
			for (int i = 0; i < parts->headers->count; i++)
			{
				const CpwHeader *header = &parts->headers->items[i];

				if (is_named(header, piece))
					return (Part)
				{
					header->value, header->value_length
				};
			}
			return (Part)
		{
			"", 0
		};
		case CPW_PIECE_LITERAL:
			break;
	}
	return (Part)
	{
		piece->text, piece->length
	};
}

static bool
compute(const CpwKeyedWay *keyed, int secret, const Parts *parts,
		uint8_t digest[CPW_MAX_DIGEST_LENGTH])
{
	EVP_MAC_CTX *state = EVP_MAC_CTX_dup(keyed->states[secret]);
	size_t		length = 0;
	bool		done = state != NULL;

	for (int i = 0; done && i < keyed->template.count; i++)
	{
		Part		part = part_of(&keyed->template.pieces[i], parts);

		done = EVP_MAC_update(state, (const uint8_t *) part.text,
							  part.length) == 1;
	}
	done = done && EVP_MAC_final(state, digest, &length,
								 CPW_MAX_DIGEST_LENGTH) == 1 &&
		length == keyed->digest_length;
	EVP_MAC_CTX_free(state);
	return done;
}

/* All that is signed in one piece, OPENSSL_malloc'ed. */
static uint8_t *
join(const CpwTemplate *template, const Parts *parts, size_t *length)
{
	uint8_t    *text;

	*length = 0;
	for (int i = 0; i < template->count; i++)
		*length += part_of(&template->pieces[i], parts).length;
	text = OPENSSL_malloc(*length + 1);
	*length = 0;
	for (int i = 0; text != NULL && i < template->count; i++)
	{
		Part		part = part_of(&template->pieces[i], parts);

		if (part.length > 0)
			memcpy(text + *length, part.text, part.length);
		*length += part.length;
	}
	return text;
}

/* ---- comparing ---- */

/* Whether one of the way's signatures is that of the parts with its public key. */
static CpwSignatureResult
compare_ed25519(const CpwSignatureKey *key, int way,
				const CpwSignatures *signatures, const Parts *parts)
{
	size_t		length;
	uint8_t    *text = join(&key->keyed[way].template, parts, &length);
	CpwSignatureResult result = text != NULL ? CPW_SIGNATURE_MISMATCH :
		CPW_SIGNATURE_FAILED;

	for (int i = 0; i < signatures->count &&
		 result == CPW_SIGNATURE_MISMATCH; i++)
	{
		EVP_MD_CTX *context;

		if (signatures->candidates[i].way != way)
			continue;
		context = EVP_MD_CTX_new();
		if (context == NULL ||
			EVP_DigestVerifyInit(context, NULL, NULL, NULL,
								 key->public_key) != 1)
			result = CPW_SIGNATURE_FAILED;
		else if (EVP_DigestVerify(context, signatures->candidates[i].digest,
								  key->keyed[way].digest_length,
								  text, length) == 1)
			result = CPW_SIGNATURE_VALID;
		EVP_MD_CTX_free(context);
	}
	OPENSSL_free(text);
	ERR_clear_error();
	return result;
}

/* The same with the secret of that number. */
static CpwSignatureResult
compare_hmac(const CpwSignatureKey *key, int way, int secret,
			 const CpwSignatures *signatures, const Parts *parts)
{
	const CpwKeyedWay *keyed = &key->keyed[way];
	uint8_t		computed[CPW_MAX_DIGEST_LENGTH];

	if (!compute(keyed, secret, parts, computed))
	{
		ERR_clear_error();
		return CPW_SIGNATURE_FAILED;
	}
	for (int i = 0; i < signatures->count; i++)
		if (signatures->candidates[i].way == way &&
			cpw_equal_in_constant_time(signatures->candidates[i].digest,
									   computed, keyed->digest_length))
			return CPW_SIGNATURE_VALID;
	return CPW_SIGNATURE_MISMATCH;
}

/*
 * A secret that came as it is. Digests of both are compared, so that the time
 * tells nothing of the secret, not even its length.
 */
static CpwSignatureResult
compare_token(const CpwKeyedWay *keyed, int secret, CpwEncoding encoding,
			  const char *text, size_t length)
{
	uint8_t		computed[CPW_MAX_DIGEST_LENGTH];
	uint8_t		decoded[1024];
	CpwSignatureResult result = CPW_SIGNATURE_FAILED;

	if (encoding != CPW_ENCODING_PLAIN)
	{
		long		decoded_length = cpw_encoding_decode(encoding, text, length,
														 decoded,
														 sizeof(decoded));

		if (decoded_length < 0)
			return CPW_SIGNATURE_MISMATCH;
		text = (const char *) decoded;
		length = (size_t) decoded_length;
	}
	if (cpw_signature_mac(keyed->states[secret], text, length, computed,
						  keyed->digest_length))
		result = cpw_equal_in_constant_time(computed, keyed->expected[secret],
											keyed->digest_length) ?
			CPW_SIGNATURE_VALID : CPW_SIGNATURE_MISMATCH;
	OPENSSL_cleanse(decoded, sizeof(decoded));
	return result;
}

/* Whether a way has signatures that came. */
static bool
has_candidate(const CpwSignatures *signatures, int way)
{
	for (int i = 0; i < signatures->count; i++)
		if (signatures->candidates[i].way == way)
			return true;
	return false;
}

/* Whether the secret of that number is good at that time. */
static bool
is_good(const CpwSignatureKey *key, int way, int secret, int64_t now)
{
	return key->keyed[way].states[secret] != NULL &&
		(secret == 0 || now < key->previous_expires);
}

/* Compares the signatures with one reading of what was signed. */
static CpwSignatureResult
compare(const CpwSignatureKey *key, const CpwSignatures *signatures,
		const Parts *parts, int64_t now, CpwSignatureMatch *match)
{
	CpwSignatureResult result = CPW_SIGNATURE_MISMATCH;

	for (int way = 0; way < key->way_count; way++)
	{
		if (!key->keyed[way].is_usable || !has_candidate(signatures, way))
			continue;
		if (key->ways[way].algorithm == CPW_ALGORITHM_ED25519)
		{
			result = compare_ed25519(key, way, signatures, parts);
			*match = CPW_MATCH_PUBLIC_KEY;
			if (result != CPW_SIGNATURE_MISMATCH)
				return result;
			continue;
		}
		for (int secret = 0; secret < CPW_SECRET_COUNT; secret++)
		{
			if (!is_good(key, way, secret, now))
				continue;
			if (key->ways[way].algorithm == CPW_ALGORITHM_TOKEN)
				result = compare_token(&key->keyed[way], secret,
									   key->ways[way].encoding,
									   signatures->candidates[0].text,
									   signatures->candidates[0].length);
			else
				result = compare_hmac(key, way, secret, signatures, parts);
			*match = secret == 0 ? CPW_MATCH_CURRENT : CPW_MATCH_PREVIOUS;
			if (result != CPW_SIGNATURE_MISMATCH)
				return result;
		}
	}
	return result;
}

/* ---- other readings of what was signed ---- */

static bool
is_form(const CpwHeaders *headers)
{
	const CpwHeader *type = cpw_headers_find(headers, "content-type", NULL);

	return type != NULL &&
		cpw_media_type_parse(type->value, type->value_length) ==
		CPW_MEDIA_TYPE_FORM;
}

/* Compares with the JSON in a form in the place of the body. */
static CpwSignatureResult
compare_form_json(const CpwSignatureKey *key, const CpwSignatures *signatures,
				  const Parts *parts, int64_t now, CpwSignatureMatch *match)
{
	Parts		other = *parts;
	size_t		length = 0;
	char	   *json;
	CpwSignatureResult result;

	if (!is_form(parts->headers))
		return CPW_SIGNATURE_MISMATCH;
	json = cpw_signed_form_payload(parts->body.text, parts->body.length,
								   &length);
	if (json == NULL)
		return CPW_SIGNATURE_MISMATCH;
	other.body = (Part) {json, length};
	result = compare(key, signatures, &other, now, match);
	OPENSSL_free(json);
	return result;
}

/* Compares with the URL's port left out, or put in. */
static CpwSignatureResult
compare_other_port(const CpwSignatureKey *key, const CpwSignatures *signatures,
				   const Parts *parts, int64_t now, CpwSignatureMatch *match)
{
	Parts		other = *parts;
	char	   *url = cpw_signed_form_other_port(parts->url.text);
	CpwSignatureResult result;

	if (url == NULL)
		return CPW_SIGNATURE_MISMATCH;
	other.url = (Part) {url, strlen(url)};
	result = compare(key, signatures, &other, now, match);
	OPENSSL_free(url);
	return result;
}

/*
 * Finds the part {form}: the fields, or nothing where the URL has the hash of
 * the body, which must be right wherever it is.
 */
static CpwSignatureResult
find_form(Parts *parts, char **form)
{
	bool		has_fields = is_form(parts->headers);
	CpwBodyHash hash = cpw_signed_form_check_hash(parts->url.text,
												  parts->body.text,
												  parts->body.length);

	if (hash == CPW_BODY_HASH_WRONG ||
		(hash == CPW_BODY_HASH_NONE && !has_fields))
		return CPW_SIGNATURE_MISMATCH;
	if (!has_fields)
		return CPW_SIGNATURE_VALID;
	*form = cpw_signed_form_write(parts->body.text, parts->body.length,
								  &parts->form.length);
	if (*form == NULL)
		return CPW_SIGNATURE_MISMATCH;
	parts->form.text = *form;
	return CPW_SIGNATURE_VALID;
}

static CpwSignatureResult
compare_all(const CpwSignatureKey *key, const CpwSignatures *signatures,
			const Parts *parts, int64_t now, CpwSignatureMatch *match)
{
	CpwSignatureResult result = compare(key, signatures, parts, now, match);

	if (result == CPW_SIGNATURE_MISMATCH && key->scheme->form_json)
		result = compare_form_json(key, signatures, parts, now, match);
	if (result == CPW_SIGNATURE_MISMATCH && key->scheme->either_port)
		result = compare_other_port(key, signatures, parts, now, match);
	return result;
}

CpwSignatureResult
cpw_signature_verify(const CpwSignatureKey *key,
					 const CpwSignedRequest *request, CpwSignatureMatch *match)
{
	CpwSignatures	signatures;
	CpwSignatureMatch found = CPW_MATCH_NONE;
	CpwSignatureResult result;
	char	   *form = NULL;
	Parts		parts = {
		.headers = request->headers,
		.body = {request->body ? request->body : "", request->length},
		.url = {request->url ? request->url : "",
		request->url ? strlen(request->url) : 0},
		.form = {"", 0},
	};

	if (key == NULL)
		return CPW_SIGNATURE_FAILED;
	result = read_head(key, request->now, &signatures, &parts);
	if (result != CPW_SIGNATURE_VALID)
		return result;
	if (key->scheme->no_bare_tokens &&
		cpw_challenge_is_bare(parts.body.text, parts.body.length))
		return CPW_SIGNATURE_MISMATCH;
	if (cpw_signature_needs_url(key) && request->url == NULL)
		return CPW_SIGNATURE_FAILED;
	if (cpw_template_has(&key->keyed[0].template, CPW_PIECE_FORM))
		result = find_form(&parts, &form);
	if (result == CPW_SIGNATURE_VALID)
		result = compare_all(key, &signatures, &parts, request->now, &found);
	OPENSSL_free(form);
	if (match != NULL && result == CPW_SIGNATURE_VALID)
		*match = found;
	return result;
}

/* ---- what else a key tells ---- */

bool
cpw_signature_needs_url(const CpwSignatureKey *key)
{
	return key != NULL && cpw_template_has(&key->keyed[0].template,
										   CPW_PIECE_URL);
}

bool
cpw_signature_is_secret(const CpwSignatureKey *key, const char *text,
						size_t length, int64_t now, CpwSignatureMatch *match)
{
	if (key == NULL || key->ways[0].algorithm != CPW_ALGORITHM_TOKEN)
		return false;
	for (int secret = 0; secret < CPW_SECRET_COUNT; secret++)
	{
		if (!is_good(key, 0, secret, now) ||
			compare_token(&key->keyed[0], secret, CPW_ENCODING_PLAIN, text,
						  length) != CPW_SIGNATURE_VALID)
			continue;
		*match = secret == 0 ? CPW_MATCH_CURRENT : CPW_MATCH_PREVIOUS;
		return true;
	}
	return false;
}

const char *
cpw_signature_match_name(CpwSignatureMatch match)
{
	switch (match)
	{
		case CPW_MATCH_CURRENT:
			return "current";
		case CPW_MATCH_PREVIOUS:
			return "previous";
		case CPW_MATCH_PUBLIC_KEY:
			return "public_key";
		case CPW_MATCH_NONE:
			break;
	}
	return NULL;
}

const char *
cpw_signature_explain(CpwAuthentication authentication,
					  CpwSignatureResult result)
{
	const CpwScheme *scheme = cpw_scheme_of(authentication);

	if (scheme == NULL || (unsigned int) result > CPW_SIGNATURE_FAILED ||
		scheme->texts[result] == NULL)
		return "The webhook's authentication takes no signature";
	return scheme->texts[result];
}
