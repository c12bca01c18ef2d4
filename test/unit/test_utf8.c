/*
 * test_utf8.c
 *		Repair of UTF-8.
 */
#include "base/utf8.h"
#include "check.h"

#define R "\xef\xbf\xbd"		/* U+FFFD */

static void
test_rows(void)
{
	static const struct
	{
		const char *text;
		const char *repaired;	/* NULL: well-formed, stays */
	}			rows[] = {
		{"", NULL},
		{"plain", NULL},
		{"\x01\x7f", NULL},
		/* the first and last of each length */
		{"\xc2\x80", NULL},
		{"\xdf\xbf", NULL},
		{"\xe0\xa0\x80", NULL},
		{"\xed\x9f\xbf", NULL},
		{"\xee\x80\x80", NULL},
		{"\xef\xbf\xbf", NULL},
		{"\xf0\x90\x80\x80", NULL},
		{"\xf4\x8f\xbf\xbf", NULL},
		{"a\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x89z", NULL},
		{R, NULL},
		/* overlong */
		{"\xc0\x80", R R},
		{"\xc1\xbf", R R},
		{"\xe0\x80\x80", R R R},
		{"\xe0\x9f\xbf", R R R},
		{"\xf0\x80\x80\x80", R R R R},
		{"\xf0\x8f\xbf\xbf", R R R R},
		/* surrogates */
		{"\xed\xa0\x80", R R R},
		{"\xed\xbf\xbf", R R R},
		{"\xed\xa0\xbd\xed\xb2\xa9", R R R R R R},
		/* over U+10FFFF */
		{"\xf4\x90\x80\x80", R R R R},
		{"\xf5\x80\x80\x80", R R R R},
		{"\xf7\xbf\xbf\xbf", R R R R},
		{"\xf8\x88\x80\x80\x80", R R R R R},
		{"\xfe\xff", R R},
		/* truncated, at the end and in the middle */
		{"\xc3", R},
		{"\xe2\x82", R R},
		{"\xf0\x9f\x8e", R R R},
		{"\xf0\x9f", R R},
		{"\xf0", R},
		{"a\xe2\x82", "a" R R},
		{"\xe2\x82z", R R "z"},
		{"\xf0\x9f\x8ez", R R R "z"},
		{"\xc3z", R "z"},
		{"\xc3\xc3\xa9", R "\xc3\xa9"},
		{"\xe2\x82\xc3\xa9", R R "\xc3\xa9"},
		/* continuation alone */
		{"\x80", R},
		{"\xbf" "a", R "a"},
		{"\xc3\xa9\xa9", "\xc3\xa9" R},
		/* Latin-1 */
		{"caf\xe9 cr\xe8me", "caf" R " cr" R "me"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const char *text = rows[i].text;
		const char *expected = rows[i].repaired;
		size_t		length = strlen(text);
		char	   *repaired = guarded_room(CPW_UTF8_REPAIRED_SIZE(length));
		size_t		result = cpw_utf8_repair(guarded_text(text), length,
											 repaired);

		if (expected == NULL)
			expected = text;
		CHECK_BYTES_FOR(text, repaired, result, expected, strlen(expected));
	}
}

/* NUL bytes are copied; every code point survives; every lone byte behaves. */
static void
test_all(void)
{
	char		repaired[12];
	int			wrong = 0;

	CHECK(cpw_utf8_repair("a\0b", 3, repaired) == 3 &&
		  memcmp(repaired, "a\0b", 3) == 0);

	for (int c = 0; c < 256; c++)
	{
		char		byte = (char) c;
		size_t		length = cpw_utf8_repair(&byte, 1, repaired);

		CHECK(c < 0x80 ? length == 1 && repaired[0] == byte :
			  length == 3 && memcmp(repaired, R, 3) == 0);
	}

	for (unsigned int c = 0; c <= 0x110000; c++)
	{
		char		text[4];
		size_t		length;
		size_t		result;
		bool		stays = (c < 0xD800 || c > 0xDFFF) && c <= 0x10FFFF;

		if (c < 0x80)
		{
			length = 1;
			text[0] = (char) c;
		}
		else if (c < 0x800)
		{
			length = 2;
			text[0] = (char) (0xC0 | c >> 6);
		}
		else if (c < 0x10000)
		{
			length = 3;
			text[0] = (char) (0xE0 | c >> 12);
			text[1] = (char) (0x80 | (c >> 6 & 0x3F));
		}
		else
		{
			length = 4;
			text[0] = (char) (0xF0 | c >> 18);
			text[1] = (char) (0x80 | (c >> 12 & 0x3F));
			text[2] = (char) (0x80 | (c >> 6 & 0x3F));
		}
		if (length > 1)
			text[length - 1] = (char) (0x80 | (c & 0x3F));

		result = cpw_utf8_repair(text, length, repaired);
		if (stays ? result != length || memcmp(text, repaired, length) != 0 :
			result != length * 3)
			wrong++;
	}
	CHECK(wrong == 0);
}

void
test_utf8(void)
{
	test_rows();
	test_all();
}
