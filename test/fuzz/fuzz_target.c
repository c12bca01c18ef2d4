/*
 * fuzz_target.c
 *		Request targets.
 */
#include "base/trigger_path.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	CpwTarget	target;

	memset(&target, 0xFF, sizeof(target));
	cpw_target_parse(text, size, &target);

	MUST((target.kind == CPW_TARGET_TRIGGER) == (target.token != NULL));
	if (target.kind == CPW_TARGET_TRIGGER)
	{
		MUST(target.token >= text + strlen(CPW_TRIGGER_PREFIX));
		MUST(memcmp(target.token - strlen(CPW_TRIGGER_PREFIX),
					CPW_TRIGGER_PREFIX, strlen(CPW_TRIGGER_PREFIX)) == 0);
		MUST(target.token + CPW_TOKEN_LENGTH <= text + size);
		for (int i = 0; i < CPW_TOKEN_LENGTH; i++)
			MUST(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
						"0123456789-_", target.token[i]) != NULL &&
				 target.token[i] != '\0');
	}
	if (target.query != NULL)
		MUST(target.query[-1] == '?' &&
			 target.query + target.query_length == text + size);
	else
		MUST(target.query_length == 0);
	return 0;
}
