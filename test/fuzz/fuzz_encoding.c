/*
 * fuzz_encoding.c
 *		Hex and base64: what decodes is what encodes to the same text.
 */
#include <ctype.h>

#include "base/hex_base64.h"
#include "fuzz.h"

static void
check_hex(const char *text, size_t size)
{
	uint8_t    *bytes = room(size / 2);
	char	   *back = room(size + 2);
	long		length = cpw_hex_decode(text, size, bytes, size / 2);

	if (length >= 0)
	{
		MUST((size_t) length * 2 == size);
		cpw_hex_encode(bytes, (size_t) length, back);
		for (size_t i = 0; i < size; i++)
			MUST(back[i] == tolower((unsigned char) text[i]));
	}
	free(bytes);
	free(back);
}

static void
check_base64(CpwBase64Alphabet alphabet, const char *text, size_t size)
{
	size_t		capacity = size / 4 * 3 + 3;
	uint8_t    *bytes = room(capacity);
	long		length = cpw_base64_decode(alphabet, text, size, bytes,
										   capacity);

	if (length >= 0)
	{
		char	   *back = room(CPW_BASE64_SIZE((size_t) length));
		size_t		back_length = cpw_base64_encode(alphabet, bytes,
													(size_t) length, back);
		uint8_t    *exact = room((size_t) length);

		/* URL may have come with padding. */
		MUST(back_length == size ||
			 (alphabet == CPW_BASE64_URL && back_length < size &&
			  text[size - 1] == '='));
		MUST(memcmp(back, text, back_length) == 0);
		MUST(cpw_base64_decode(alphabet, text, size, exact,
							   (size_t) length) == length);
		MUST(cpw_equal_in_constant_time(bytes, exact, (size_t) length));
		if (length > 0)
			MUST(cpw_base64_decode(alphabet, text, size, exact,
								   (size_t) length - 1) == -1);
		free(back);
		free(exact);
	}
	free(bytes);
}

static void
check_both_ways(const uint8_t *data, size_t size, CpwBase64Alphabet alphabet)
{
	char	   *text = room(CPW_BASE64_SIZE(size));
	uint8_t    *bytes = room(size);
	size_t		length = cpw_base64_encode(alphabet, data, size, text);

	MUST(cpw_base64_decode(alphabet, text, length, bytes, size) ==
		 (long) size);
	MUST(size == 0 || memcmp(bytes, data, size) == 0);
	free(text);
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_hex((const char *) data, size);
	check_base64(CPW_BASE64_STANDARD, (const char *) data, size);
	check_base64(CPW_BASE64_URL, (const char *) data, size);
	check_both_ways(data, size, CPW_BASE64_STANDARD);
	check_both_ways(data, size, CPW_BASE64_URL);
	return 0;
}
