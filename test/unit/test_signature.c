/*
 * test_signature.c
 *		GitHub's signatures: the published vectors, and all that must fail.
 */
#include <stdlib.h>

#include "base/hex_base64.h"
#include "base/signature.h"
#include "check.h"

#define SHA256_HEADER	"x-hub-signature-256"
#define SHA1_HEADER		"x-hub-signature"

/* Of the secret "secret" and the body of plain_body. */
static const char plain_body[] = "{\"a\": \"z\"}";
static const char plain_sha256[] =
"sha256=f417af3a21bd70379b5796d5f013915e7029f62c580fb0f500f59a35a6f04c89";
static const char plain_sha1[] =
"sha1=b17e04cbb22afa8ffbff8796fc1894ed27badd9e";

static CpwSignatureResult
verify_with(const CpwSignatureKey *key, const CpwHeaders *headers,
			const void *body, size_t length)
{
	CpwSignedRequest request = {
		.headers = headers,
		.body = body,
		.length = length,
		.now = 1
	};
	CpwSignatureMatch match = CPW_MATCH_NONE;
	CpwSignatureResult result = cpw_signature_verify(key, &request, &match);

	CHECK((result == CPW_SIGNATURE_VALID) == (match == CPW_MATCH_CURRENT));
	CHECK(result == cpw_signature_verify(key, &request, NULL));
	return result;
}

/* Verifies with a secret that is used for this once. */
static CpwSignatureResult
verify(const void *secret, size_t secret_length, const CpwHeaders *headers,
	   const void *body, size_t length)
{
	CpwSignatureKey *key =
		cpw_signature_key_create(CPW_AUTHENTICATION_GITHUB_HMAC,
								 guarded_copy(secret, secret_length),
								 secret_length);
	CpwSignatureResult result = verify_with(key, headers,
											guarded_copy(body, length),
											length);

	cpw_signature_key_free(key);
	return result;
}

static void
test_vectors(void)
{
	static const struct
	{
		const char *secret;
		const char *body;
		const char *header;
		const char *value;
	}			rows[] = {
		/* published by GitHub */
		{"It's a Secret to Everybody", "Hello, World!", SHA256_HEADER,
			"sha256=757107ea0eb2509fc211221cce984b8a"
		"37570b6d7586c22c46f4379c8b043e17"},
		{"It's a Secret to Everybody", "Hello, World!", SHA1_HEADER,
		"sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"},
		/* form style: over the form's bytes */
		{"secret", "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D",
			SHA256_HEADER,
			"sha256=a3ec1fe0bd564ad2a8006d8045549e9a"
		"fd1b18ef3596f5657aafcd2d7db60c0d"},
		/* not ASCII */
		{"secret", "{\"m\":\"\xf0\x9f\x8e\x89\"}", SHA256_HEADER,
			"sha256=f1021ae6af21d16124a5ac3838ff026b"
		"6cb424b624141d1252fe85d8bb11f1e7"},
		/* a space that a parser would lose */
		{"secret", plain_body, SHA256_HEADER, plain_sha256},
		{"secret", plain_body, SHA1_HEADER, plain_sha1},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const char *value = rows[i].value;
		size_t		secret_length = strlen(rows[i].secret);
		size_t		length = strlen(rows[i].body);
		size_t		value_length = strlen(value);
		size_t		digits = (size_t) (strchr(value, '=') - value) + 1;
		TestHeaders test = {0};
		char	   *secret = guarded_text(rows[i].secret);
		char	   *body = guarded_text(rows[i].body);

		add_header(&test, "host", "localhost");
		add_header(&test, rows[i].header, value);
		add_header(&test, "x-github-event", "push");
		CHECK_FOR(value, cpw_signature_check_form(
					  CPW_AUTHENTICATION_GITHUB_HMAC, &test.headers) ==
				  CPW_SIGNATURE_VALID);
		CHECK_FOR(value, verify(secret, secret_length, &test.headers,
								body, length) == CPW_SIGNATURE_VALID);

		/* each bit of the body */
		for (size_t bit = 0; bit < length * 8; bit++)
		{
			body[bit / 8] ^= (char) (1 << bit % 8);
			CHECK_FOR(value, verify(secret, secret_length, &test.headers,
									body, length) == CPW_SIGNATURE_MISMATCH);
			body[bit / 8] ^= (char) (1 << bit % 8);
		}

		/* each bit of the secret */
		for (size_t bit = 0; bit < secret_length * 8; bit++)
		{
			secret[bit / 8] ^= (char) (1 << bit % 8);
			CHECK_FOR(value, verify(secret, secret_length, &test.headers,
									body, length) == CPW_SIGNATURE_MISMATCH);
			secret[bit / 8] ^= (char) (1 << bit % 8);
		}

		/* each bit of the digest, still well formed */
		for (size_t bit = 0; bit < (value_length - digits) * 4; bit++)
		{
			uint8_t		digest[32];
			char		flipped[80];
			TestHeaders wrong = {0};
			long		digest_length = cpw_hex_decode(value + digits,
													   value_length - digits,
													   digest, sizeof(digest));

			CHECK_FOR(value, digest_length > 0);
			digest[bit / 8] ^= (uint8_t) (1 << bit % 8);
			memcpy(flipped, value, digits);
			cpw_hex_encode(digest, (size_t) digest_length, flipped + digits);
			add_header(&wrong, rows[i].header, flipped);
			CHECK_FOR(value, verify(secret, secret_length, &wrong.headers,
									body, length) == CPW_SIGNATURE_MISMATCH);
		}

		/* each bit of the header as written: only case may change */
		for (size_t bit = 0; bit < value_length * 8; bit++)
		{
			TestHeaders wrong = {0};
			char	   *flipped;
			char		original = value[bit / 8];
			bool		case_alone = bit / 8 >= digits && bit % 8 == 5 &&
				original >= 'a' && original <= 'f';

			add_header(&wrong, rows[i].header, value);
			flipped = guarded_text(value);
			flipped[bit / 8] ^= (char) (1 << bit % 8);
			wrong.items[0].value = flipped;
			CHECK_FOR(value, (verify(secret, secret_length, &wrong.headers,
									 body, length) == CPW_SIGNATURE_VALID) ==
					  case_alone);
		}

		/* a byte more or less of the body */
		CHECK_FOR(value, verify(secret, secret_length, &test.headers,
								body, length - 1) == CPW_SIGNATURE_MISMATCH);
		CHECK_FOR(value, verify(secret, secret_length, &test.headers,
								"", 0) == CPW_SIGNATURE_MISMATCH);
		guarded_release();
	}
}

static void
test_forms(void)
{
	/* Up to three headers, and what becomes of them over plain_body. */
	static const struct
	{
		const char *label;
		const char *headers[6];
		CpwSignatureResult form;
		CpwSignatureResult result;
	}			rows[] = {
#define HEX64 "f417af3a21bd70379b5796d5f013915e7029f62c580fb0f500f59a35a6f04c89"
#define HEX40 "b17e04cbb22afa8ffbff8796fc1894ed27badd9e"
		{"right", {SHA256_HEADER, "sha256=" HEX64},
		CPW_SIGNATURE_VALID, CPW_SIGNATURE_VALID},
		{"upper-case hex", {SHA256_HEADER,
				"sha256=F417AF3A21BD70379B5796D5F013915E"
		"7029F62C580FB0F500F59A35A6F04C89"},
		CPW_SIGNATURE_VALID, CPW_SIGNATURE_VALID},
		{"sha1 alone", {SHA1_HEADER, "sha1=" HEX40},
		CPW_SIGNATURE_VALID, CPW_SIGNATURE_VALID},
		{"both right", {SHA1_HEADER, "sha1=" HEX40,
		SHA256_HEADER, "sha256=" HEX64},
		CPW_SIGNATURE_VALID, CPW_SIGNATURE_VALID},
		{"sha1 wrong beside sha256", {SHA1_HEADER, "sha1=0",
		SHA256_HEADER, "sha256=" HEX64},
		CPW_SIGNATURE_VALID, CPW_SIGNATURE_VALID},
		{"sha256 wrong beside right sha1", {SHA256_HEADER,
				"sha256=0417af3a21bd70379b5796d5f013915e"
				"7029f62c580fb0f500f59a35a6f04c89",
		SHA1_HEADER, "sha1=" HEX40},
		CPW_SIGNATURE_VALID, CPW_SIGNATURE_MISMATCH},
		{"sha256 malformed beside right sha1", {SHA256_HEADER, "sha256=",
		SHA1_HEADER, "sha1=" HEX40},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"sha256 empty beside right sha1", {SHA256_HEADER, "",
		SHA1_HEADER, "sha1=" HEX40},
		CPW_SIGNATURE_MISSING, CPW_SIGNATURE_MISSING},
		{"none", {"x-github-event", "push"},
		CPW_SIGNATURE_MISSING, CPW_SIGNATURE_MISSING},
		{"empty", {SHA256_HEADER, ""},
		CPW_SIGNATURE_MISSING, CPW_SIGNATURE_MISSING},
		{"sha1 empty", {SHA1_HEADER, ""},
		CPW_SIGNATURE_MISSING, CPW_SIGNATURE_MISSING},
		{"twice", {SHA256_HEADER, "sha256=" HEX64,
		SHA256_HEADER, "sha256=" HEX64},
		CPW_SIGNATURE_REPEATED, CPW_SIGNATURE_REPEATED},
		{"twice, one empty", {SHA256_HEADER, "",
		SHA256_HEADER, "sha256=" HEX64},
		CPW_SIGNATURE_REPEATED, CPW_SIGNATURE_REPEATED},
		{"sha1 twice", {SHA1_HEADER, "sha1=" HEX40,
		SHA1_HEADER, "sha1=" HEX40},
		CPW_SIGNATURE_REPEATED, CPW_SIGNATURE_REPEATED},
		{"sha1 twice beside sha256", {SHA1_HEADER, "sha1=" HEX40,
			SHA1_HEADER, "sha1=" HEX40, SHA256_HEADER, "sha256=" HEX64},
		CPW_SIGNATURE_VALID, CPW_SIGNATURE_VALID},
		{"no prefix", {SHA256_HEADER, HEX64},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"prefix alone", {SHA256_HEADER, "sha256="},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"part of the prefix", {SHA256_HEADER, "sha256"},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"prefix in upper case", {SHA256_HEADER, "SHA256=" HEX64},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"the other hash's prefix", {SHA256_HEADER, "sha1=" HEX40},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"sha256 in the sha1 header", {SHA1_HEADER, "sha256=" HEX64},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"sha1's length after sha256=", {SHA256_HEADER, "sha256=" HEX40},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"a digit more", {SHA256_HEADER, "sha256=" HEX64 "0"},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"a byte more", {SHA256_HEADER, "sha256=" HEX64 "00"},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"a space behind", {SHA256_HEADER, "sha256=" HEX64 " "},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"a space before", {SHA256_HEADER, " sha256=" HEX64},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"two in one", {SHA256_HEADER, "sha256=" HEX64 ",sha256=" HEX64},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"not hex", {SHA256_HEADER,
				"sha256=g417af3a21bd70379b5796d5f013915e"
		"7029f62c580fb0f500f59a35a6f04c89"},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"not hex at the end", {SHA256_HEADER,
				"sha256=f417af3a21bd70379b5796d5f013915e"
		"7029f62c580fb0f500f59a35a6f04c8x"},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"base64", {SHA256_HEADER,
		"sha256=9BevOiG9cDebV5bV8BORXnAp9ixYD7D1APWaNabwTIk="},
		CPW_SIGNATURE_MALFORMED, CPW_SIGNATURE_MALFORMED},
		{"another header's name", {"x-gitea-signature", HEX64},
		CPW_SIGNATURE_MISSING, CPW_SIGNATURE_MISSING},
	};
	CpwSignatureKey *key =
		cpw_signature_key_create(CPW_AUTHENTICATION_GITHUB_HMAC, "secret", 6);

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		TestHeaders test = {0};

		for (int n = 0; n < 6 && rows[i].headers[n] != NULL; n += 2)
			add_header(&test, rows[i].headers[n], rows[i].headers[n + 1]);
		CHECK_FOR(rows[i].label, cpw_signature_check_form(
					  CPW_AUTHENTICATION_GITHUB_HMAC, &test.headers) ==
				  rows[i].form);
		CHECK_FOR(rows[i].label,
				  verify_with(key, &test.headers, plain_body,
									   strlen(plain_body)) == rows[i].result);
	}
	cpw_signature_key_free(key);
}

static void
test_keys(void)
{
	static const CpwAuthentication unsigned_ones[] = {
		CPW_AUTHENTICATION_NONE,
		CPW_AUTHENTICATION_IP,
		CPW_AUTHENTICATION_UNAUTHENTICATED,
		(CpwAuthentication) 99,
	};
	TestHeaders test = {0};
	CpwSignatureKey *key;
	const char *body = plain_body;
	size_t		length = strlen(plain_body);

	add_header(&test, SHA256_HEADER, plain_sha256);

	/* no secret, no key; no key, nothing valid */
	CHECK(cpw_signature_key_create(CPW_AUTHENTICATION_GITHUB_HMAC, "", 0) ==
		  NULL);
	CHECK(cpw_signature_key_create(CPW_AUTHENTICATION_GITHUB_HMAC, NULL, 0) ==
		  NULL);
	CHECK(verify_with(NULL, &test.headers, body, length) ==
		  CPW_SIGNATURE_FAILED);
	cpw_signature_key_free(NULL);

	for (size_t i = 0; i < COUNT_OF(unsigned_ones); i++)
	{
		CHECK(cpw_signature_key_create(unsigned_ones[i], "secret", 6) ==
			  NULL);
		CHECK(cpw_signature_check_form(unsigned_ones[i], &test.headers) !=
			  CPW_SIGNATURE_VALID);
		CHECK(strlen(cpw_signature_explain(unsigned_ones[i],
										   CPW_SIGNATURE_MISSING)) > 0);
	}

	/* one key many times, in between others' bodies and empty ones */
	key = cpw_signature_key_create(CPW_AUTHENTICATION_GITHUB_HMAC,
								   "secret", 6);
	for (int i = 0; i < 3; i++)
	{
		CHECK(verify_with(key, &test.headers, body, length) ==
			  CPW_SIGNATURE_VALID);
		CHECK(verify_with(key, &test.headers, body, length - 1) ==
			  CPW_SIGNATURE_MISMATCH);
		CHECK(verify_with(key, &test.headers, NULL, 0) ==
			  CPW_SIGNATURE_MISMATCH);
	}
	cpw_signature_key_free(key);

	/* the signature of an empty body */
	{
		TestHeaders empty = {0};

		add_header(&empty, SHA256_HEADER,
				   "sha256=f9e66e179b6747ae54108f82f8ade8b3"
				   "c25d76fd30afde6c395822c530196169");
		CHECK(verify("secret", 6, &empty.headers, "", 0) ==
			  CPW_SIGNATURE_VALID);
	}

	/* a NUL in a secret does not end it, a longer one differs */
	CHECK(verify("secret\0x", 8, &test.headers, body, length) ==
		  CPW_SIGNATURE_MISMATCH);
	CHECK(verify("secretx", 7, &test.headers, body, length) ==
		  CPW_SIGNATURE_MISMATCH);
	CHECK(verify("secre", 5, &test.headers, body, length) ==
		  CPW_SIGNATURE_MISMATCH);

	/* a body of many blocks, a secret longer than a block */
	{
		size_t		large = 100000;
		char	   *text = malloc(large);
		char		secret[200];
		TestHeaders signed_headers = {0};

		memset(text, 'b', large);
		memset(secret, 'k', sizeof(secret));
		add_header(&signed_headers, SHA256_HEADER,
				   "sha256="
				   "3795a3bb3ecad62a814802c34e28366d"
				   "fb8fdcf9f16837143afc0be20b3ee25a");
		CHECK(verify(secret, sizeof(secret), &signed_headers.headers, text,
					 large) == CPW_SIGNATURE_VALID);
		text[large - 1] ^= 1;
		CHECK(verify(secret, sizeof(secret), &signed_headers.headers, text,
					 large) == CPW_SIGNATURE_MISMATCH);
		free(text);
	}
}

static void
test_explain(void)
{
	for (int result = CPW_SIGNATURE_VALID; result <= CPW_SIGNATURE_FAILED;
		 result++)
	{
		const char *text =
			cpw_signature_explain(CPW_AUTHENTICATION_GITHUB_HMAC,
								  (CpwSignatureResult) result);

		CHECK(text != NULL && strlen(text) > 0 &&
			  text[strlen(text) - 1] != '.');
	}
	CHECK(cpw_signature_explain(CPW_AUTHENTICATION_GITHUB_HMAC,
								(CpwSignatureResult) 99) != NULL);
}

void
test_signature(void)
{
	test_vectors();
	test_forms();
	test_keys();
	test_explain();
}
