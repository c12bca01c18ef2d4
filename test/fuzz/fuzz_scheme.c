/*
 * fuzz_scheme.c
 *		A request for every scheme: headers, one a line as "name:value", then an
 *		empty line and a body. No input can be right, as none knows a secret.
 *		The first line is also a template, a timestamp, a form and a query.
 */
#include <openssl/crypto.h>

#include "base/challenge.h"
#include "base/instant.h"
#include "base/signature.h"
#include "base/signed_form.h"
#include "base/template.h"
#include "fuzz.h"

#define MAX_HEADERS		16
#define SECRET			"bm90IGluIHRoZSBpbnB1dCwgbm9yIGd1ZXNzZWQ="
#define URL				"https://example.com:8443/trigger?bodySHA256=00"

static CpwSignatureKey *keys[CPW_AUTHENTICATION_COUNT];

static void
make_keys(void)
{
	for (int i = 0; i < CPW_AUTHENTICATION_COUNT; i++)
	{
		CpwSignatureSettings settings;

		cpw_signature_settings_init(&settings, (CpwAuthentication) i);
		settings.secret = SECRET;
		settings.secret_length = strlen(SECRET);
		settings.previous_secret = SECRET;
		settings.previous_secret_length = strlen(SECRET);
		settings.previous_expires = 1000;
		settings.public_key = "d75a980182b10ab7d54bfed3c964073a"
			"0ee172f3daa62325af021a68f707511a";
		settings.user_name = "user";
		settings.header = "X-Signature";
		if (i == CPW_AUTHENTICATION_HMAC)
		{
			settings.timestamp_header = "Date";
			settings.template = "{id}{timestamp}{url}{header:x}{body}";
			settings.separator = ',';
		}
		settings.tolerance = INT64_C(1) << 40;
		keys[i] = cpw_signature_key_make(&settings);
	}
}

/* What reads a text alone. */
static void
read_text(const char *text, size_t length)
{
	char	   *copy = room(length + 1);
	CpwTemplate template;
	CpwChallengeAnswer answer;
	int64_t		seconds;
	size_t		position;
	size_t		form_length;
	char	   *form;

	memcpy(copy, text, length);
	copy[length] = '\0';
	if (cpw_template_parse(copy, &template, &position) != NULL)
		MUST(position <= length);
	else
		MUST(template.count <= CPW_MAX_PIECES);
	if (cpw_instant_parse(text, length, &seconds))
		MUST(seconds > -INT64_C(100000000000) && seconds < INT64_C(1000000000000));
	form = cpw_signed_form_write(text, length, &form_length);
	MUST(form == NULL || form_length <= length);
	OPENSSL_free(form);
	form = cpw_signed_form_payload(text, length, &form_length);
	MUST(form == NULL || form_length <= length);
	OPENSSL_free(form);
	OPENSSL_free(cpw_signed_form_other_port(copy));
	(void) cpw_signed_form_check_hash(copy, text, length);
	for (int i = 0; i < 2 * CPW_AUTHENTICATION_COUNT; i++)
		if (cpw_challenge_of_query(cpw_scheme_of((CpwAuthentication) (i / 2)),
								   i % 2, text, length, keys[i / 2],
								   "not in the input", &answer) ==
			CPW_CHALLENGE_ANSWERED)
			MUST(answer.length > 0 && answer.length <= CPW_MAX_ECHO);
	free(copy);
}

/* Takes the headers off the text. */
static int
take_headers(const char **text, size_t *size, CpwHeader items[MAX_HEADERS])
{
	int			count = 0;

	while (*size > 0 && count < MAX_HEADERS)
	{
		const char *newline = memchr(*text, '\n', *size);
		size_t		length = newline != NULL ?
			(size_t) (newline - *text) : *size;
		const char *colon = length > 0 ? memchr(*text, ':', length) : NULL;
		CpwHeader  *item = &items[count];

		if (length > 0)
		{
			item->name = *text;
			item->name_length = colon != NULL ?
				(size_t) (colon - *text) : length;
			item->value = colon != NULL ? colon + 1 : *text + length;
			item->value_length = (size_t) (*text + length - item->value);
			count++;
		}
		*text += length + (newline != NULL);
		*size -= length + (newline != NULL);
		if (length == 0)
			break;
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	CpwHeader	items[MAX_HEADERS];
	CpwHeaders	headers = {items, 0};
	const char *newline = size > 0 ? memchr(text, '\n', size) : NULL;

	if (keys[CPW_AUTHENTICATION_GITHUB_HMAC] == NULL)
		make_keys();
	read_text(text, newline != NULL ? (size_t) (newline - text) : size);
	headers.count = take_headers(&text, &size, items);
	for (int i = 0; i < CPW_AUTHENTICATION_COUNT; i++)
	{
		CpwSignedRequest request = {
			.headers = &headers,
			.body = text,
			.length = size,
			.url = URL,
			.now = 999
		};
		CpwSignatureMatch match = CPW_MATCH_NONE;
		CpwSignatureResult head = cpw_signature_check_head(keys[i], &headers,
														   999);
		CpwSignatureResult result = cpw_signature_verify(keys[i], &request,
														 &match);

		MUST(result != CPW_SIGNATURE_VALID && match == CPW_MATCH_NONE);
		MUST(result == (head == CPW_SIGNATURE_VALID ?
						CPW_SIGNATURE_MISMATCH : head));
		MUST(cpw_signature_explain((CpwAuthentication) i, result) != NULL);
	}
	return 0;
}
