/*
 * fuzz_sigv4.c
 *		Signatures of the AWS wire: a first line with the target, then headers,
 *		one a line as "name:value". No input can sign, as none knows the
 *		secret; what parses is well formed.
 */
#include "base/hex_base64.h"
#include "base/sigv4.h"
#include "fuzz.h"

#define MAX_HEADERS 16

/* The next line of the input, without its end. */
static const char *
take_line(const char **text, size_t *size, size_t *length)
{
	const char *line = *text;
	const char *newline = *size > 0 ? memchr(line, '\n', *size) : NULL;

	*length = newline != NULL ? (size_t) (newline - line) : *size;
	*text += *length + (newline != NULL);
	*size -= *length + (newline != NULL);
	return line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	CpwHeader	items[MAX_HEADERS];
	CpwHeaders	headers = {items, 0};
	CpwSigv4Request request = {.method = "POST", .headers = &headers};
	CpwSigv4   *signature = room(sizeof(CpwSigv4));
	const char *problem = NULL;
	uint8_t		hash[CPW_SHA256_SIZE] = {0};
	CpwSigv4Result result;

	request.target = take_line(&text, &size, &request.target_length);
	while (size > 0 && headers.count < MAX_HEADERS)
	{
		size_t		length;
		const char *line = take_line(&text, &size, &length);
		const char *colon = length > 0 ? memchr(line, ':', length) : NULL;
		CpwHeader  *item = &items[headers.count];

		if (colon == NULL)
			continue;
		*item = (CpwHeader) {line, (size_t) (colon - line), colon + 1,
		(size_t) (line + length - colon - 1)};
		headers.count++;
	}

	result = cpw_sigv4_parse(&request, signature, &problem);
	if (result == CPW_SIGV4_VALID)
	{
		MUST(strlen(signature->key_id) > 0 && strlen(signature->terminator) > 0);
		MUST(strlen(signature->instant) == 16);
		MUST(signature->signed_at >= 0);
		MUST(signature->in_query ? signature->expires >= 1 &&
			 signature->expires <= 604800 : signature->expires == -1);
		result = cpw_sigv4_check_scope(signature, "us-east-1", "codepipeline",
									   1440938160, &problem);
		MUST(result == CPW_SIGV4_VALID || result == CPW_SIGV4_INVALID);
		MUST(result == CPW_SIGV4_VALID || problem != NULL);
		MUST(cpw_sigv4_verify(signature, &request, hash,
							  "not in the input, nor guessed", &problem) ==
			 CPW_SIGV4_INVALID);
		MUST(problem != NULL);
	}
	else
		MUST(problem != NULL);
	free(signature);
	return 0;
}
