/*
 * fuzz_json_path.c
 *		The translation of JSONPath: whatever the text, it ends within its
 *		memory, with a text that the server can read (quotes and brackets
 *		match) or a problem inside the text. The first byte bounds the output.
 */
#include "base/json_path.h"
#include "fuzz.h"

/* Brackets and quotes belong together; no control character is left. */
static bool
is_balanced(const char *text)
{
	char		open[4096];
	size_t		depth = 0;

	for (const char *p = text; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x20)
			return false;
		if (*p == '"')
		{
			for (p++; *p != '"'; p++)
			{
				if (*p == '\0' || (*p == '\\' && *++p == '\0'))
					return false;
			}
		}
		else if (*p == '(' || *p == '[' || *p == '{')
		{
			MUST(depth < sizeof(open));
			open[depth++] = *p == '(' ? ')' : *p == '[' ? ']' : '}';
		}
		else if (*p == ')' || *p == ']' || *p == '}')
		{
			if (depth == 0 || open[--depth] != *p)
				return false;
		}
	}
	return depth == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t		length = size - 1;
	size_t		output_size;
	char	   *text;
	char	   *memory;
	char	   *output;
	CpwJsonPathProblem problem = {0};
	CpwJsonPathStatus status;
	size_t		characters = 0;

	if (size == 0)
		return 0;
	output_size = data[0] < 128 ? CPW_JSON_PATH_OUTPUT : data[0];
	text = room(length);
	memcpy(text, data + 1, length);
	memory = room(CPW_JSON_PATH_MEMORY(length));
	output = room(output_size);
	for (size_t i = 0; i < length; i++)
		characters += ((unsigned char) text[i] & 0xc0) != 0x80;

	status = cpw_json_path_translate(text, length, memory, output,
									 output_size, &problem);
	if (status == CPW_JSON_PATH_OK)
	{
		MUST(strnlen(output, output_size) < output_size);
		MUST(strncmp(output, "strict $", 8) == 0);
		MUST(is_balanced(output));
		MUST(problem.reason == NULL);
	}
	else
	{
		MUST(problem.reason != NULL);
		MUST(problem.position >= 1 && problem.position <= characters + 1);
	}
	free(output);
	free(memory);
	free(text);
	return 0;
}
