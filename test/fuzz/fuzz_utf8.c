/*
 * fuzz_utf8.c
 *		Repair, and details in answers: whatever goes in, what comes out is
 *		repaired already.
 */
#include "base/utf8.h"
#include "base/verdict.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *once = room(CPW_UTF8_REPAIRED_SIZE(size) + 1);
	size_t		length = cpw_utf8_repair((const char *) data, size, once);
	char	   *twice = room(CPW_UTF8_REPAIRED_SIZE(length));
	char	   *body = room(CPW_ANSWER_SIZE);
	size_t		body_length;

	MUST(length >= size && length <= CPW_UTF8_REPAIRED_SIZE(size));
	MUST(cpw_utf8_repair(once, length, twice) == length);
	MUST(memcmp(once, twice, length) == 0);

	/* A body's detail is UTF-8, and stays so where it is cut. */
	once[length] = '\0';
	body_length = cpw_verdict_body(CPW_VERDICT_BAD_REQUEST, NULL, once, body);
	MUST(body_length < CPW_ANSWER_SIZE && strlen(body) == body_length);
	MUST(strcmp(body + body_length - 2, "\"}") == 0);
	for (size_t i = 0; i < body_length; i++)
		MUST((unsigned char) body[i] >= 0x20);
	free(twice);
	twice = room(CPW_UTF8_REPAIRED_SIZE(body_length));
	MUST(cpw_utf8_repair(body, body_length, twice) == body_length);

	free(once);
	free(twice);
	free(body);
	return 0;
}
