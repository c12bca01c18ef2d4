/*
 * fuzz_json_scan.c
 *		The scan in two pieces (the first byte says where) against the
 *		plainest state machine.
 */
#include "base/json_scan.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data + 1;
	size_t		length = size - 1;
	size_t		split;
	CpwJsonScan plain = {0};
	CpwJsonScan scan = {0};

	if (size == 0)
		return 0;
	split = length > 0 ? data[0] % length : 0;

	for (size_t i = 0; i < length; i++)
	{
		char		c = text[i];

		if (!plain.in_string)
		{
			plain.in_string = c == '"';
			plain.structural += c == ',' || c == ':' || c == '[' || c == '{';
		}
		else if (plain.escaped)
			plain.escaped = false;
		else if (c == '\\')
			plain.escaped = true;
		else if (c == '"')
			plain.in_string = false;
	}

	cpw_json_scan(&scan, text, split);
	cpw_json_scan(&scan, text + split, length - split);
	MUST(scan.structural == plain.structural);
	MUST(scan.in_string == plain.in_string);
	MUST(scan.escaped == plain.escaped);
	return 0;
}
