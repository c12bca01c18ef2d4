/*
 * test_seal.c
 *		Secrets sealed and opened, and the lines of a key file.
 */
#include "base/hex_base64.h"
#include "base/seal.h"
#include "check.h"

#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void
test_keys(void)
{
	static const struct
	{
		const char *line;
		const char *name;		/* NULL: refused */
	}			rows[] = {
		{"k1 " ZEROS, "k1"},
		{"k1\t \t" ZEROS " \t\r", "k1"},
		{"A-z_0.9 " ZEROS, "A-z_0.9"},
		{"12345678901234567890123456789012 " ZEROS, "12345678901234567890123456789012"},
		{"123456789012345678901234567890123 " ZEROS, NULL},
		{"", NULL},
		{"k1", NULL},
		{"k1 ", NULL},
		{" k1 " ZEROS, NULL},
		{"k:1 " ZEROS, NULL},
		{"k\xc3\xa9 " ZEROS, NULL},
		{ZEROS, NULL},
		{"k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", NULL},	/* 31 bytes */
		{"k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL},	/* 33 bytes */
		{"k1 " ZEROS " " ZEROS, NULL},
		{"k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*=", NULL},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		CpwSealKey	key;
		const char *wrong = cpw_seal_parse_key(guarded_text(rows[i].line),
											   strlen(rows[i].line), &key);

		CHECK_FOR(rows[i].line, (wrong == NULL) == (rows[i].name != NULL));
		if (wrong == NULL && rows[i].name != NULL)
			CHECK_FOR(rows[i].line, strcmp(key.name, rows[i].name) == 0);
	}
	guarded_release();
}

/* Sealed elsewhere with the same key: NIST's GCM, not only its own inverse. */
static void
test_vector(void)
{
	/* The zero key and nonce, the plaintext "secret", the context "c". */
	static const uint8_t packed[] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xbd, 0xc2, 0x23, 0x4f, 0x28, 0x14,
		0x33, 0xa1, 0x3d, 0x8c, 0x96, 0x9f, 0x5b, 0x55, 0x03, 0x5b, 0xcd, 0x72, 0x14, 0x63, 0x74, 0xec,
	};
	CpwSealKey	key = {.name = "k"};
	char		text[128] = "cpw1:k:";
	char		secret[128];

	cpw_base64_encode(CPW_BASE64_STANDARD, packed, sizeof(packed),
					  text + strlen(text));
	CHECK(cpw_seal_open(&key, text, strlen(text), "c", secret) == 6);
	CHECK(strcmp(secret, "secret") == 0);
}

static void
test_round_trips(void)
{
	static const char *const secrets[] = {
		"", "x", "a secret of some length, and \xc3\xa4\xe2\x82\xac", "cpw1:", "cpw1:k1:AAAA",
		"cpw1::", "cpw", "cpw1"
	};
	CpwSealKey	keys[2] = {{.name = "k1", .bytes = {1}}, {.name = "k1", .bytes = {2}}};
	CpwSealKey	other = {.name = "k2", .bytes = {1}};

	for (size_t i = 0; i < COUNT_OF(secrets); i++)
	{
		size_t		length = strlen(secrets[i]);
		char	   *text = guarded_room(CPW_SEAL_SIZE(length));
		long		text_length;
		char		secret[512];
		char		again[512];
		size_t		name_length = 0;

		/* Without a key: as it is, whatever it looks like. */
		text_length = cpw_seal(NULL, secrets[i], length, "here", text);
		CHECK_FOR(secrets[i], text_length == (long) strlen(text));
		CHECK_FOR(secrets[i], cpw_seal_key_name(text, (size_t) text_length, &name_length) == NULL);
		CHECK_FOR(secrets[i], cpw_seal_open(NULL, text, (size_t) text_length, "elsewhere", secret) == (long) length);
		CHECK_FOR(secrets[i], strcmp(secret, secrets[i]) == 0);

		/* With one. */
		text_length = cpw_seal(&keys[0], secrets[i], length, "here", text);
		CHECK_FOR(secrets[i], text_length == (long) strlen(text));
		CHECK_FOR(secrets[i], length < 6 || strstr(text, secrets[i]) == NULL);
		CHECK_FOR(secrets[i], cpw_seal_key_name(text, (size_t) text_length, &name_length) == text + 5 && name_length == 2);
		CHECK_FOR(secrets[i], cpw_seal_open(&keys[0], text, (size_t) text_length, "here", secret) == (long) length);
		CHECK_FOR(secrets[i], strcmp(secret, secrets[i]) == 0);
		CHECK_FOR(secrets[i], cpw_seal_open(&keys[0], text, (size_t) text_length, "there", secret) == -1);
		CHECK_FOR(secrets[i], cpw_seal_open(&keys[1], text, (size_t) text_length, "here", secret) == -1);
		CHECK_FOR(secrets[i], cpw_seal_open(&other, text, (size_t) text_length, "here", secret) == -1);
		CHECK_FOR(secrets[i], cpw_seal_open(NULL, text, (size_t) text_length, "here", secret) == -1);
		cpw_seal(&keys[0], secrets[i], length, "here", again);
		CHECK_FOR(secrets[i], strcmp(again, text) != 0);	/* another nonce */

		/* No part of it can be changed or left out. */
		for (long at = 8; at < text_length; at++)
		{
			char		kept = text[at];

			text[at] = kept == 'A' ? 'B' : 'A';
			CHECK_FOR(secrets[i], cpw_seal_open(&keys[0], text, (size_t) text_length, "here", secret) == -1);
			text[at] = kept;
			CHECK_FOR(secrets[i], cpw_seal_open(&keys[0], text, (size_t) at, "here", secret) == -1);
		}
	}
	guarded_release();
}

void
test_seal(void)
{
	test_keys();
	test_vector();
	test_round_trips();
}
