/*
 * test_hex_base64.c
 *		Hexadecimal, base64 and comparison.
 */
#include "base/hex_base64.h"
#include "check.h"

static void
test_hex(void)
{
	static const struct
	{
		const char *text;
		long		length;		/* of bytes, or -1 */
		const char *bytes;
		long		missing;	/* by how much the room is too small */
	}			rows[] = {
		{"", 0, "", 0},
		{"00", 1, "\x00", 0},
		{"ff", 1, "\xff", 0},
		{"FF", 1, "\xff", 0},
		{"aFAf09", 3, "\xaf\xaf\x09", 0},
		{"0123456789abcdef", 8, "\x01\x23\x45\x67\x89\xab\xcd\xef", 0},
		{"0123456789ABCDEF", 8, "\x01\x23\x45\x67\x89\xab\xcd\xef", 0},
		{"0", -1, "", 0},
		{"000", -1, "", 0},
		{"0g", -1, "", 0},
		{"g0", -1, "", 0},
		{"G0", -1, "", 0},
		{"0G", -1, "", 0},
		{"/0", -1, "", 0},		/* before '0' */
		{":0", -1, "", 0},		/* after '9' */
		{"@0", -1, "", 0},		/* before 'A' */
		{"`0", -1, "", 0},		/* before 'a' */
		{"0 ", -1, "", 0},
		{" 0", -1, "", 0},
		{"0x", -1, "", 0},
		{"-1", -1, "", 0},
		{"\x10\x11", -1, "", 0},	/* '0' and '1' without bit 5 */
		{"\xc1\xc1", -1, "", 0},	/* 'A' with bit 7 */
		{"0011", -1, "", 1},
		{"00", -1, "", 1},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const char *text = rows[i].text;
		size_t		room = strlen(text) / 2 - (size_t) rows[i].missing;
		uint8_t    *bytes = (uint8_t *) guarded_room(room);
		long		length = cpw_hex_decode(guarded_text(text), strlen(text),
											bytes, room);

		CHECK_FOR(text, length == rows[i].length);
		if (length > 0)
			CHECK_BYTES_FOR(text, bytes, length, rows[i].bytes,
							rows[i].length);
	}

	/* Every byte there and back; every pair of characters decides alone. */
	for (int c = 0; c < 256; c++)
	{
		char		text[3];
		uint8_t		byte = (uint8_t) c;
		uint8_t		back = 0;
		char		pair[2] = {'0', (char) c};
		bool		is_digit = c != 0 &&
			strchr("0123456789abcdefABCDEF", c) != NULL;

		cpw_hex_encode(&byte, 1, text);
		CHECK(strlen(text) == 2 && cpw_hex_decode(text, 2, &back, 1) == 1 &&
			  back == byte);
		CHECK((cpw_hex_decode(pair, 2, &back, 1) == 1) == is_digit);
	}

	{
		char	   *text = guarded_room(9);

		cpw_hex_encode((const uint8_t *) "\xde\xad\xbe\xef", 4, text);
		CHECK(strcmp(text, "deadbeef") == 0);
		text = guarded_room(1);
		cpw_hex_encode((const uint8_t *) "", 0, text);
		CHECK(text[0] == '\0');
	}
}

static void
test_base64_encode(void)
{
	static const struct
	{
		const char *bytes;
		const char *standard;
		const char *url;
	}			rows[] = {
		/* RFC 4648, 10 */
		{"", "", ""},
		{"f", "Zg==", "Zg"},
		{"fo", "Zm8=", "Zm8"},
		{"foo", "Zm9v", "Zm9v"},
		{"foob", "Zm9vYg==", "Zm9vYg"},
		{"fooba", "Zm9vYmE=", "Zm9vYmE"},
		{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
		/* the last two digits of either alphabet */
		{"\xfb\xff\xbf", "+/+/", "-_-_"},
		{"\xff", "/w==", "_w"},
		{"\xff\xff", "//8=", "__8"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		size_t		length = strlen(rows[i].bytes);
		const uint8_t *bytes = (uint8_t *) guarded_text(rows[i].bytes);
		char	   *text = guarded_room(CPW_BASE64_SIZE(length));
		uint8_t    *back = (uint8_t *) guarded_room(length);
		size_t		text_length;
		const char *url = rows[i].url;
		const char *standard = rows[i].standard;

		text_length = cpw_base64_encode(CPW_BASE64_STANDARD, bytes, length,
										text);
		CHECK_BYTES_FOR(standard, text, text_length + 1, standard,
						strlen(standard) + 1);
		CHECK_FOR(standard,
				  cpw_base64_decode(CPW_BASE64_STANDARD,
									guarded_text(standard), strlen(standard),
									back, length) == (long) length &&
				  memcmp(back, rows[i].bytes, length) == 0);

		text_length = cpw_base64_encode(CPW_BASE64_URL, bytes, length, text);
		CHECK_BYTES_FOR(url, text, text_length + 1, url, strlen(url) + 1);
		CHECK_FOR(url,
				  cpw_base64_decode(CPW_BASE64_URL, guarded_text(url),
									strlen(url), back, length) ==
				  (long) length &&
				  memcmp(back, rows[i].bytes, length) == 0);

		/* one byte of room less is too little */
		if (length > 0)
		{
			CHECK_FOR(standard,
					  cpw_base64_decode(CPW_BASE64_STANDARD, standard,
										strlen(standard), back,
										length - 1) == -1);
			CHECK_FOR(url,
					  cpw_base64_decode(CPW_BASE64_URL, url, strlen(url),
										back, length - 1) == -1);
		}
	}
}

static void
test_base64_decode(void)
{
	static const struct
	{
		const char *text;
		long		standard;	/* length, or -1 */
		long		url;
	}			rows[] = {
		{"Zg==", 1, 1},			/* URL takes padding too */
		{"Zm8=", 2, 2},
		{"Zg", -1, 1},
		{"Zm8", -1, 2},
		{"Zg=", -1, -1},		/* half a padding */
		{"Zg===", -1, -1},
		{"Zm9v=", -1, -1},
		{"Zm9v==", -1, -1},
		{"Zm9v====", -1, -1},	/* a group of padding alone */
		{"====", -1, -1},
		{"===", -1, -1},
		{"==", -1, -1},
		{"=", -1, -1},
		{"Z", -1, -1},
		{"Z===", -1, -1},
		{"Zm9vY", -1, -1},
		{"A", -1, -1},			/* six bits of zero */
		{"AAAAA", -1, -1},
		{"Z=9v", -1, -1},
		{"Zg=v", -1, -1},
		{"Zg==Zg==", -1, -1},
		{"Zh==", -1, -1},		/* bits that no byte uses */
		{"Zm9=", -1, -1},
		{"Zh", -1, -1},
		{"Zm9", -1, -1},
		{"Zm9v\n", -1, -1},
		{"Zm 9v", -1, -1},
		{"Zm9 ", -1, -1},
		{"+/+/", 3, -1},
		{"-_-_", -1, 3},
		{"@@@@", -1, -1},
		{"[[[[", -1, -1},
		{"``` ", -1, -1},
		{"{{{{", -1, -1},
		{",,,,", -1, -1},
		{"::::", -1, -1},
		{"\xc1\xc1\xc1\xc1", -1, -1},
	};
	uint8_t		bytes[16];

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const char *text = guarded_text(rows[i].text);
		size_t		length = strlen(rows[i].text);

		CHECK_FOR(rows[i].text,
				  cpw_base64_decode(CPW_BASE64_STANDARD, text, length, bytes,
									sizeof(bytes)) == rows[i].standard);
		CHECK_FOR(rows[i].text,
				  cpw_base64_decode(CPW_BASE64_URL, text, length, bytes,
									sizeof(bytes)) == rows[i].url);
	}

	/* A digit is a digit of its alphabet, and nothing else is. */
	for (int c = 1; c < 256; c++)
	{
		char		text[4] = {'A', 'A', 'A', (char) c};
		bool		alphanumeric = (c >= '0' && c <= '9') ||
			(c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (c == '=')
			continue;
		CHECK((cpw_base64_decode(CPW_BASE64_STANDARD, text, 4, bytes, 3) == 3)
			  == (alphanumeric || c == '+' || c == '/'));
		CHECK((cpw_base64_decode(CPW_BASE64_URL, text, 4, bytes, 3) == 3)
			  == (alphanumeric || c == '-' || c == '_'));
	}

	/* A token: 32 bytes are 43 characters. */
	{
		uint8_t		token[CPW_TOKEN_BYTES];
		char	   *text = guarded_room(CPW_BASE64_SIZE(CPW_TOKEN_BYTES));

		memset(token, 0xA5, sizeof(token));
		CHECK(cpw_base64_encode(CPW_BASE64_URL, token, sizeof(token), text) ==
			  CPW_TOKEN_LENGTH);
	}
}

static void
test_equal(void)
{
	uint8_t		a[32];
	uint8_t		b[32];

	memset(a, 0x5A, sizeof(a));
	memcpy(b, a, sizeof(a));
	CHECK(cpw_equal_in_constant_time(a, b, sizeof(a)));
	CHECK(cpw_equal_in_constant_time(a, b, 0));
	for (size_t i = 0; i < sizeof(a) * 8; i++)
	{
		b[i / 8] ^= (uint8_t) (1 << i % 8);
		CHECK(!cpw_equal_in_constant_time(a, b, sizeof(a)));
		b[i / 8] ^= (uint8_t) (1 << i % 8);
	}
}

void
test_hex_base64(void)
{
	test_hex();
	test_base64_encode();
	test_base64_decode();
	test_equal();
}
