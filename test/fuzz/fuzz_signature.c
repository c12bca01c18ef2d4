/*
 * fuzz_signature.c
 *		Headers of any kind, one a line as "name:value", then an empty line
 *		and a body. No input can sign, as none knows the secret.
 */
#include "base/diagnosis.h"
#include "base/headers.h"
#include "base/signature.h"
#include "fuzz.h"

#define MAX_HEADERS 16

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static CpwSignatureKey *key;
	const char *text = (const char *) data;
	CpwHeader	items[MAX_HEADERS];
	CpwHeaders	headers = {items, 0};
	CpwSignatureResult form;
	CpwSignatureResult result;
	CpwSignedRequest request;
	const CpwHeader *found;
	int			occurrences;

	if (key == NULL)
		key = cpw_signature_key_create(CPW_AUTHENTICATION_GITHUB_HMAC,
									   "not in the input, nor guessed", 29);
	MUST(key != NULL);

	while (size > 0 && headers.count < MAX_HEADERS)
	{
		const char *newline = memchr(text, '\n', size);
		size_t		length = newline != NULL ?
			(size_t) (newline - text) : size;
		const char *colon = length > 0 ? memchr(text, ':', length) : NULL;
		CpwHeader  *item = &items[headers.count];

		if (length > 0)
		{
			item->name = text;
			item->name_length = colon != NULL ?
				(size_t) (colon - text) : length;
			item->value = colon != NULL ? colon + 1 : text + length;
			item->value_length = (size_t) (text + length - item->value);
			headers.count++;
		}
		text += length;
		size -= length;
		if (newline != NULL)
		{
			text++;
			size--;
		}
		if (length == 0)
			break;
	}

	form = cpw_signature_check_form(CPW_AUTHENTICATION_GITHUB_HMAC, &headers);
	request = (CpwSignedRequest)
	{
		.headers = &headers,.body = text,.length = size,.now = 1
	};
	result = cpw_signature_verify(key, &request, NULL);
	MUST(result == (form == CPW_SIGNATURE_VALID ?
					CPW_SIGNATURE_MISMATCH : form));
	MUST(cpw_signature_explain(CPW_AUTHENTICATION_GITHUB_HMAC, result) !=
		 NULL);

	/* A diagnosis changes nothing, and needs the signature's form. */
	{
		CpwSignatureCase given = {
			.authentication = CPW_AUTHENTICATION_GITHUB_HMAC,
			.headers = &headers,
			.secret = "not in the input, nor guessed",
			.secret_length = 29,
			.body = text,
			.body_length = size
		};

		(void) cpw_diagnosis_of_form(CPW_AUTHENTICATION_GITHUB_HMAC,
									 &headers, form);
		MUST(form == CPW_SIGNATURE_VALID ||
			 cpw_diagnosis_of_body(&given) == NULL);
	}

	found = cpw_headers_delivery_id(&headers);
	MUST(found == NULL || found->value_length > 0);
	found = cpw_headers_event(&headers);
	MUST(found == NULL || found->value_length > 0);
	MUST(!cpw_headers_is_ping(&headers) ||
		 (found != NULL && found->value_length == 4));

	found = cpw_headers_find(&headers, "cookie", &occurrences);
	MUST((found == NULL) == (occurrences == 0));
	MUST(found == NULL || cpw_header_is_secret(found));
	return 0;
}
