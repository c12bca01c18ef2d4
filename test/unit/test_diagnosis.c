/*
 * test_diagnosis.c
 *		Each mistake of a signature is named, what is right or unknown is not,
 *		and what fits a variation is still refused.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diagnosis.h"
#include "base/hex_base64.h"
#include "check.h"

#define HMAC_256	"x-hub-signature-256"
#define HMAC_1		"x-hub-signature"

#define HEX40	"b17e04cbb22afa8ffbff8796fc1894ed27badd9e"
#define HEX64	"f417af3a21bd70379b5796d5f013915e7029f62c580fb0f500f59a35a6f04c89"
#define HEX128	HEX64 HEX64

/* Whether the clause holds the part; a NULL part: there is no clause. */
static bool
says(const char *clause, const char *part)
{
	if (part == NULL || clause == NULL)
		return part == NULL && clause == NULL;
	return strstr(clause, part) != NULL && clause[strlen(clause) - 1] != '.';
}

static void
test_forms(void)
{
	/* Up to two headers, and a part of what is said of them. */
	static const struct
	{
		const char *headers[4];
		CpwSignatureResult form;
		const char *part;
	}			rows[] = {
		{{HMAC_256, HEX64}, CPW_SIGNATURE_MALFORMED,
		"prefix \"sha256=\" is missing"},
		{{HMAC_256, "SHA256=" HEX64}, CPW_SIGNATURE_MALFORMED,
		"small letters"},
		{{HMAC_256, "sha1=" HEX40}, CPW_SIGNATURE_MALFORMED,
		"a SHA-1 signature"},
		{{HMAC_256, "sha256=" HEX40}, CPW_SIGNATURE_MALFORMED,
		"40 hex digits are a SHA-1"},
		{{HMAC_256, HEX40}, CPW_SIGNATURE_MALFORMED,
		"64 behind \"sha256=\""},
		{{HMAC_256, "sha512=" HEX128}, CPW_SIGNATURE_MALFORMED, "a SHA-512"},
		{{HMAC_256, "sha256=" HEX128}, CPW_SIGNATURE_MALFORMED,
		"128 hex digits"},
		{{HMAC_256, HEX128}, CPW_SIGNATURE_MALFORMED, "128 hex digits"},
		{{HMAC_256, "sha256=9BevOiG9cDebV5bV8BORXnAp9ixYD7D1APWaNabwTIk="},
		CPW_SIGNATURE_MALFORMED, "base64"},
		{{HMAC_256, "sha256=9BevOiG9cDebV5bV8BORXnAp9ixYD7D1APWaNabwTIk"},
		CPW_SIGNATURE_MALFORMED, "base64"},
		{{HMAC_256, "9BevOiG9cDebV5bV8BORXnAp9ixYD7D1APWaNabwTIk="},
		CPW_SIGNATURE_MALFORMED, "behind \"sha256=\""},
		{{HMAC_1, "sha256=" HEX64}, CPW_SIGNATURE_MALFORMED, "Bitbucket"},
		{{HMAC_1, HEX64}, CPW_SIGNATURE_MALFORMED,
		"belongs into X-Hub-Signature-256"},
		{{HMAC_1, "SHA1=" HEX40}, CPW_SIGNATURE_MALFORMED, "small letters"},
		{{HMAC_1, HEX40}, CPW_SIGNATURE_MALFORMED,
		"prefix \"sha1=\" is missing"},
		{{HMAC_1, "sha1=sX4Ey7Iq+o/7/4eW/BiU7Se63Z4="},
		CPW_SIGNATURE_MALFORMED, "base64"},
		{{HMAC_1, "sX4Ey7Iq+o/7/4eW/BiU7Se63Z4="},
		CPW_SIGNATURE_MALFORMED, "behind \"sha1=\""},

		/* The header that decides is looked at. */
		{{HMAC_1, "sha1=" HEX40, HMAC_256, HEX64}, CPW_SIGNATURE_MALFORMED,
		"prefix \"sha256=\" is missing"},

		/* What nothing is known of. */
		{{HMAC_256, "sha256="}, CPW_SIGNATURE_MALFORMED, NULL},
		{{HMAC_256, "sha256=" HEX64 "0"}, CPW_SIGNATURE_MALFORMED, NULL},
		{{HMAC_256, "sha256=" HEX64 "00"}, CPW_SIGNATURE_MALFORMED, NULL},
		{{HMAC_256, "s"}, CPW_SIGNATURE_MALFORMED, NULL},
		{{HMAC_256, "=" HEX64}, CPW_SIGNATURE_MALFORMED, NULL},
		{{HMAC_256, "sha256=" HEX64 HEX128}, CPW_SIGNATURE_MALFORMED, NULL},
		{{HMAC_1, "x"}, CPW_SIGNATURE_MALFORMED, NULL},

		/* The headers of others. */
		{{"x-gitlab-token", "a secret"}, CPW_SIGNATURE_MISSING, "GitLab"},
		{{"stripe-signature", "t=1,v1=00"}, CPW_SIGNATURE_MISSING, "Stripe"},
		{{"x-slack-signature", "v0=00"}, CPW_SIGNATURE_MISSING, "Slack"},
		{{"x-zm-signature", "v0=00"}, CPW_SIGNATURE_MISSING, "Zoom"},
		{{"x-shopify-hmac-sha256", "AA=="}, CPW_SIGNATURE_MISSING, "Shopify"},
		{{"webhook-signature", "v1,AA=="}, CPW_SIGNATURE_MISSING,
		"Standard Webhooks"},
		{{"svix-signature", "v1,AA=="}, CPW_SIGNATURE_MISSING, "Svix"},
		{{"x-twilio-signature", "AA=="}, CPW_SIGNATURE_MISSING, "Twilio"},
		{{"x-twitter-webhooks-signature", "sha256=AA=="},
		CPW_SIGNATURE_MISSING, "as X sends it"},
		{{"x-signature-ed25519", "00"}, CPW_SIGNATURE_MISSING, "Discord"},
		{{"x-gitea-signature", HEX64}, CPW_SIGNATURE_MISSING, "Gitea"},
		{{"x-forgejo-signature", HEX64}, CPW_SIGNATURE_MISSING, "Forgejo"},
		{{"x-gogs-signature", HEX64}, CPW_SIGNATURE_MISSING, "Gogs"},
		{{"x-hub-signature-512", "sha512=" HEX128}, CPW_SIGNATURE_MISSING,
		"X-Hub-Signature-512"},
		{{"x-signature-256", HEX64}, CPW_SIGNATURE_MISSING,
		"called X-Hub-Signature-256"},
		{{"x-signature", HEX64}, CPW_SIGNATURE_MISSING,
		"called X-Hub-Signature-256"},
		{{"x-webhook-signature", HEX64}, CPW_SIGNATURE_MISSING,
		"called X-Hub-Signature-256"},
		{{"authorization", "Bearer x"}, CPW_SIGNATURE_MISSING,
		"Authorization"},
		{{HMAC_256, ""}, CPW_SIGNATURE_MISSING, "empty"},
		{{HMAC_1, ""}, CPW_SIGNATURE_MISSING, "empty"},
		{{"x-gitlab-token", "x", HMAC_256, ""}, CPW_SIGNATURE_MISSING,
		"empty"},
		{{"x-github-event", "push"}, CPW_SIGNATURE_MISSING, NULL},
		{{NULL}, CPW_SIGNATURE_MISSING, NULL},
		{{HMAC_256, HEX64, HMAC_256, HEX64}, CPW_SIGNATURE_REPEATED, NULL},
		{{HMAC_256, "sha256=" HEX64}, CPW_SIGNATURE_VALID, NULL},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		TestHeaders test = {0};
		const char *label = rows[i].part ? rows[i].part : rows[i].headers[1];
		CpwSignatureResult form;

		for (int n = 0; n < 4 && rows[i].headers[n] != NULL; n += 2)
			add_header(&test, rows[i].headers[n], rows[i].headers[n + 1]);
		form = cpw_signature_check_form(CPW_AUTHENTICATION_GITHUB_HMAC,
										&test.headers);
		CHECK_FOR(label, form == rows[i].form);
		CHECK_FOR(label, says(cpw_diagnosis_of_form(
								  CPW_AUTHENTICATION_GITHUB_HMAC,
								  &test.headers, form), rows[i].part));
		CHECK_FOR(label, cpw_diagnosis_of_form(CPW_AUTHENTICATION_IP,
											   &test.headers, form) == NULL);
		guarded_release();
	}
}

/* A header with the HMAC (no secret: the plain hash) of a text. */
static void
add_signature(TestHeaders *test, const EVP_MD *hash, const char *secret,
			  size_t secret_length, const char *text)
{
	unsigned char digest[32];
	unsigned int length = 0;
	char		value[80];
	bool		is_256 = EVP_MD_get_size(hash) == 32;

	if (secret != NULL)
		HMAC(hash, secret, (int) secret_length, (const unsigned char *) text,
			 strlen(text), digest, &length);
	else
		EVP_Digest(text, strlen(text), digest, &length, hash, NULL);
	snprintf(value, sizeof(value), is_256 ? "sha256=" : "sha1=");
	cpw_hex_encode(digest, length, value + strlen(value));
	add_header(test, is_256 ? HMAC_256 : HMAC_1, value);
}

static void
test_bodies(void)
{
	static const struct
	{
		const char *stored;		/* the webhook's secret */
		const char *used;		/* the sender's; NULL: a plain hash */
		const char *body;		/* as it was sent */
		const char *signed_text;
		const char *form_json;	/* NULL: no form */
		const char *previous;	/* NULL: none */
		const char *part;
	}			rows[] = {
		{"secret", "secret", "{}\n", "{}", NULL, NULL,
		"without its final newline"},
		{"secret", "secret", "{}\r\n", "{}", NULL, NULL,
		"without its final newline"},
		{"secret", "secret", "\n", "", NULL, NULL,
		"without its final newline"},
		{"secret", "secret", "{}", "{}\n", NULL, NULL, "with a newline behind"},
		{"secret", "secret", "", "\n", NULL, NULL, "with a newline behind"},
		{"secret", "secret", "payload=%7B%7D", "{}", "{}", NULL,
		"JSON in the form's payload"},
		{"secret", "secret", "{}", "", NULL, NULL, "an empty body"},
		{" secret ", "secret", "{}", "{}", NULL, NULL, "white space around it"},
		{"secret\n", "secret", "{}", "{}", NULL, NULL, "white space around it"},
		{"secret", "secret\n", "{}", "{}", NULL, NULL, "newline behind it"},
		{"new", "old", "{}", "{}", NULL, "old", "the previous secret"},
		{"secret", "", "{}", "{}", NULL, NULL, "an empty secret"},
		{"secret", NULL, "{}", "{}", NULL, NULL, "a plain hash"},

		/* Nothing is said of these. */
		{"secret", "secret", "{}", "{}", NULL, NULL, NULL},
		{"secret", "other", "{}", "{}", NULL, NULL, NULL},
		{"secret", "secret ", "{}", "{}", NULL, NULL, NULL},
		{"secret", "secre", "{}", "{}", NULL, NULL, NULL},
		{"secret", "secret", "{}", "{} ", NULL, NULL, NULL},
		{"secret", "secret", "{}\n\n", "{}", NULL, NULL, NULL},
		{"secret", "secret", "payload=%7B%7D", "{}", NULL, NULL, NULL},
		{"secret", "other", "payload=%7B%7D", "{}", "{}", NULL, NULL},
		{"new", "old", "{}", "{}", NULL, NULL, NULL},
		{"new", "old", "{}", "{}", NULL, "older", NULL},
		{"new", "other", "{}", "{}", NULL, "", NULL},
		{"  ", "other", "{}", "{}", NULL, NULL, NULL},
		{"secret", "other", "", "", NULL, NULL, NULL},
	};

	for (size_t i = 0; i < COUNT_OF(rows) * 2; i++)
	{
		const EVP_MD *hash = i % 2 == 0 ? EVP_sha256() : EVP_sha1();
		size_t		n = i / 2;
		const char *label = rows[n].part ? rows[n].part : rows[n].signed_text;
		TestHeaders test = {0};
		CpwSignatureCase given = {
			.authentication = CPW_AUTHENTICATION_GITHUB_HMAC,
			.headers = &test.headers,
			.secret = guarded_text(rows[n].stored),
			.secret_length = strlen(rows[n].stored),
			.body = guarded_text(rows[n].body),
			.body_length = strlen(rows[n].body)
		};
		CpwSignatureKey *key =
			cpw_signature_key_create(given.authentication, given.secret,
									 given.secret_length);

		if (rows[n].form_json != NULL)
		{
			given.form_json = guarded_text(rows[n].form_json);
			given.form_json_length = strlen(rows[n].form_json);
		}
		if (rows[n].previous != NULL)
		{
			given.previous_secret = guarded_text(rows[n].previous);
			given.previous_secret_length = strlen(rows[n].previous);
		}
		add_signature(&test, hash, rows[n].used,
					  rows[n].used ? strlen(rows[n].used) : 0,
					  rows[n].signed_text);
		CHECK_FOR(label, says(cpw_diagnosis_of_body(&given), rows[n].part));

		/* What a variation fits is refused all the same. */
		if (rows[n].part != NULL)
			CHECK_FOR(label, cpw_signature_verify(key, &(CpwSignedRequest)
			{
				.headers = &test.headers,.body = given.body,
					.length = given.body_length
			}, NULL) == CPW_SIGNATURE_MISMATCH);
		cpw_signature_key_free(key);
		guarded_release();
	}
}

static void
test_edges(void)
{
	TestHeaders test = {0};
	TestHeaders malformed = {0};
	char	   *secret = malloc(600);
	CpwSignatureCase given = {
		.authentication = CPW_AUTHENTICATION_GITHUB_HMAC,
		.headers = &test.headers,
		.body = "{}",
		.body_length = 2
	};

	add_signature(&test, EVP_sha256(), "", 0, "{}");
	add_header(&malformed, HMAC_256, HEX64);

	/* No secret, no comparison. */
	CHECK(cpw_diagnosis_of_body(&given) == NULL);
	given.secret = "";
	CHECK(cpw_diagnosis_of_body(&given) == NULL);

	/* A secret that leaves no room for a newline is tried without. */
	memset(secret, 'k', 600);
	given.secret = guarded_copy(secret, 512);
	given.secret_length = 512;
	CHECK(says(cpw_diagnosis_of_body(&given), "an empty secret"));
	given.secret = guarded_copy(secret, 511);
	given.secret_length = 511;
	CHECK(says(cpw_diagnosis_of_body(&given), "an empty secret"));
	free(secret);

	/* Only what is well formed, and of an authentication that signs. */
	given.headers = &malformed.headers;
	CHECK(cpw_diagnosis_of_body(&given) == NULL);
	given.headers = &test.headers;
	given.authentication = CPW_AUTHENTICATION_UNAUTHENTICATED;
	CHECK(cpw_diagnosis_of_body(&given) == NULL);
}

void
test_diagnosis(void)
{
	test_forms();
	test_bodies();
	test_edges();
}
