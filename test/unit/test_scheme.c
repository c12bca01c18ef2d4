/*
 * test_scheme.c
 *		Every sender's scheme: the published vectors and computed ones, each
 *		with every bit of body, signature, timestamp, key, id and URL changed.
 */
#include <stdlib.h>

#include "base/signature.h"
#include "check.h"

/* RFC 8032, 7.1, TEST 1: the public key of its seed. */
#define PUBLIC_KEY \
	"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define PUBLIC_KEY_BASE64	"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

#define FORM			"application/x-www-form-urlencoded"
#define TWILIO_URL		"https://mycompany.com/myapp.php?foo=1&bar=2"
#define TWILIO_FORM \
	"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234" \
	"&From=%2B14158675309&To=%2B18005551212"
#define SLACK_BODY \
	"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J" \
	"&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" \
	"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect" \
	"&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F" \
	"T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" \
	"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

/* A request that is right, and what verifies it. The first header signs. */
typedef struct Vector
{
	const char *label;
	CpwAuthentication authentication;
	const char *secret;
	const char *public_key;
	const char *headers[8];
	const char *body;
	int64_t		now;
	const char *url;

	/* What a configuration adds. */
	const char *header;
	const char *prefix;
	CpwAlgorithm algorithm;
	CpwEncoding encoding;
	CpwEncoding key_encoding;
	char		separator;
	const char *template;
	const char *timestamp_header;
	const char *user_name;
} Vector;

#define HMAC(its_header, its_algorithm, its_encoding) \
	.header = its_header, .algorithm = CPW_ALGORITHM_##its_algorithm, \
	.encoding = CPW_ENCODING_##its_encoding, \
	.key_encoding = CPW_ENCODING_PLAIN

static const Vector vectors[] = {
	{"GitHub, SHA-512 of the same sender", CPW_AUTHENTICATION_HMAC, "secret",
		.headers = {"x-hub-signature-512",
			"sha512=4ab17cc8ec668ead8bf498f87f8f32848c04d5ca3c9bcfcd3db9363f"
		"0deb44e580b329502a7fdff633d4d8fca301cc5c94a55a2fec458c675fb0ff2655898324"},
	.body = "{\"a\": \"z\"}", HMAC("X-Hub-Signature-512", SHA512, HEX), .prefix = "sha512="},
	{"SHA-384", CPW_AUTHENTICATION_HMAC, "secret",
		.headers = {"x-signature",
			"cc5c9ee08674d1be17442946fcbd0d816269d5eaf2419270"
		"db2a29814d4c3c372200bd12b91ad2661c8f799d75e51287"},
	.body = "{\"a\": \"z\"}", HMAC("x-signature", SHA384, HEX)},
	{"a list with commas", CPW_AUTHENTICATION_HMAC, "secret",
		.headers = {"x-signature",
			"b17e04cbb22afa8ffbff8796fc1894ed27badd9e, "
		"f417af3a21bd70379b5796d5f013915e7029f62c580fb0f500f59a35a6f04c89"},
	.body = "{\"a\": \"z\"}", HMAC("x-signature", SHA256, HEX), .separator = ','},
	{"Convoy, hex", CPW_AUTHENTICATION_HMAC, "Convoy",
		.headers = {"x-convoy-signature",
		"d7a154547e7c35e31c4c820e20237650939c3d34dae136e30a7757ca61abb4cf"},
	.body = "Test Payload Body", HMAC("X-Convoy-Signature", SHA256, HEX)},
	{"Scalr", CPW_AUTHENTICATION_HMAC,
		"bilFGi4ZVZUdG+C6r0NIM9tuRq6PaG33R3eBUVhLwMAErGBaazvXe4Gq2DcJs5q+",
		.headers = {"x-signature", "48e395e38ac48988929167df531eb2da00063a7d",
		"date", "Thu 07 Sep 2017 06:30:04 UTC"},
		.body = "{\"a\": \"b\"}", .now = 1504765804,
		HMAC("X-Signature", SHA1, HEX), .template = "{body}{timestamp}",
	.timestamp_header = "Date"},
	{"Scalr, its date as a header", CPW_AUTHENTICATION_HMAC,
		"bilFGi4ZVZUdG+C6r0NIM9tuRq6PaG33R3eBUVhLwMAErGBaazvXe4Gq2DcJs5q+",
		.headers = {"x-signature", "48e395e38ac48988929167df531eb2da00063a7d",
		"date", "Thu 07 Sep 2017 06:30:04 UTC"},
		.body = "{\"a\": \"b\"}",
	HMAC("X-Signature", SHA1, HEX), .template = "{body}{header:Date}"},
	{"Microsoft Teams", CPW_AUTHENTICATION_HMAC, "c2VjcmV0LW9mLXRlYW1z",
		.headers = {"authorization",
		"HMAC 2dngOnOHwY8HLuoIwCbzIvYlsCpU45ejOEprz6nT6mM="},
		.body = "{\"type\":\"message\"}",
		.header = "Authorization", .algorithm = CPW_ALGORITHM_SHA256,
		.encoding = CPW_ENCODING_BASE64, .prefix = "HMAC ",
	.key_encoding = CPW_ENCODING_BASE64},
	{"an HMAC with everything", CPW_AUTHENTICATION_HMAC, "6b6579",
		.headers = {"x-sig", "v2=96ogzVdusXHv0OcJtFewRtHV6DIUpg_y0yNxffH-w4A",
			"x-time", "1614265330", "webhook-id", "msg_1", "x-extra", "more"},
		.body = "{}", .now = 1614265330, .url = "https://example.com/a?b=c",
		.header = "X-Sig", .prefix = "v2=", .algorithm = CPW_ALGORITHM_SHA256,
		.encoding = CPW_ENCODING_BASE64URL, .key_encoding = CPW_ENCODING_HEX,
		.timestamp_header = "X-Time",
	.template = "{{{id}|{timestamp}|{url}|{header:x-extra}|{body}}}"},
	{"Bitbucket", CPW_AUTHENTICATION_BITBUCKET_HMAC,
		"It's a Secret to Everybody",
		.headers = {"x-hub-signature",
			"sha256=a4771c39fbe90f317c7824e83ddef3ca"
		"ae9cb3d976c214ace1f2937e133263c9"},
	.body = "Hello World!"},
	{"Bitbucket, by its prefix", CPW_AUTHENTICATION_BITBUCKET_HMAC, "secret",
		.headers = {"x-hub-signature",
		"sha1=b17e04cbb22afa8ffbff8796fc1894ed27badd9e"},
	.body = "{\"a\": \"z\"}"},
	{"Gitea", CPW_AUTHENTICATION_GITEA_HMAC, "secret",
		.headers = {"x-gitea-signature",
			"d8f89f0618acd61fe621aa4e64078c0e"
		"2bca15d0b578b7f3eb734f55883c5320"},
	.body = "{\"ref\":\"refs/heads/main\"}"},
	{"Forgejo", CPW_AUTHENTICATION_GITEA_HMAC, "secret",
		.headers = {"x-forgejo-signature",
			"d8f89f0618acd61fe621aa4e64078c0e"
		"2bca15d0b578b7f3eb734f55883c5320"},
	.body = "{\"ref\":\"refs/heads/main\"}"},
	{"Gogs", CPW_AUTHENTICATION_GITEA_HMAC, "secret",
		.headers = {"x-gogs-signature",
			"d8f89f0618acd61fe621aa4e64078c0e"
		"2bca15d0b578b7f3eb734f55883c5320"},
	.body = "{\"ref\":\"refs/heads/main\"}"},
	{"Gitea, a form whose JSON is signed", CPW_AUTHENTICATION_GITEA_HMAC,
		"secret",
		.headers = {"x-gitea-signature",
			"d8f89f0618acd61fe621aa4e64078c0e"
		"2bca15d0b578b7f3eb734f55883c5320", "content-type", FORM},
	.body = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D"},
	{"Gitea, a form whose bytes are signed", CPW_AUTHENTICATION_GITEA_HMAC,
		"secret",
		.headers = {"x-hub-signature-256",
			"sha256=a3ec1fe0bd564ad2a8006d8045549e9a"
		"fd1b18ef3596f5657aafcd2d7db60c0d", "content-type", FORM},
	.body = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D"},
	{"Stripe", CPW_AUTHENTICATION_STRIPE, "whsec_test_secret",
		.headers = {"stripe-signature",
			"t=1492774577,v1=5fea07d5ee7ac660bc0d4a7689051898"
		"c9c113fdc293769ed1faa4f05d97e458"},
	.body = "{\"ref\":\"refs/heads/main\"}", .now = 1492774577},
	{"Slack", CPW_AUTHENTICATION_SLACK, "8f742231b10e8888abcd99yyyzzz85a5",
		.headers = {"x-slack-signature",
			"v0=a2114d57b48eac39b9ad189dd8316235"
			"a7b4a8d21a10bd27519666489c69b503",
		"x-slack-request-timestamp", "1531420618", "content-type", FORM},
	.body = SLACK_BODY, .now = 1531420618},
	{"Shopify", CPW_AUTHENTICATION_SHOPIFY, "Convoy",
		.headers = {"x-shopify-hmac-sha256",
		"16FUVH58NeMcTIIOICN2UJOcPTTa4TbjCndXymGrtM8="},
	.body = "Test Payload Body"},
	{"Shopify, the second", CPW_AUTHENTICATION_SHOPIFY, "secret",
		.headers = {"x-shopify-hmac-sha256",
		"dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM="},
	.body = "{}"},
	{"Standard Webhooks", CPW_AUTHENTICATION_STANDARD_WEBHOOKS,
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		.headers = {"webhook-signature",
			"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"webhook-timestamp", "1614265330"},
	.body = "{\"test\": 2432232314}", .now = 1614265330},
	{"Standard Webhooks, a key without whsec_",
		CPW_AUTHENTICATION_STANDARD_WEBHOOKS,
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		.headers = {"webhook-signature",
			"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"webhook-timestamp", "1614265330"},
	.body = "{\"test\": 2432232314}", .now = 1614265330},
	{"Svix", CPW_AUTHENTICATION_STANDARD_WEBHOOKS,
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		.headers = {"svix-signature",
			"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			"svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"svix-timestamp", "1614265330"},
	.body = "{\"test\": 2432232314}", .now = 1614265330},
	{"Standard Webhooks, ed25519", CPW_AUTHENTICATION_STANDARD_WEBHOOKS,
		.public_key = "whpk_" PUBLIC_KEY_BASE64,
		.headers = {"webhook-signature",
			"v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7z"
			"gPePmPsle0zV9jSeGlHFG2NVAw==",
			"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"webhook-timestamp", "1614265330"},
	.body = "{\"test\": 2432232314}", .now = 1614265330},
	{"Twilio", CPW_AUTHENTICATION_TWILIO, "12345",
		.headers = {"x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
		"content-type", FORM},
	.body = TWILIO_FORM, .url = TWILIO_URL},
	{"Twilio, the second", CPW_AUTHENTICATION_TWILIO, "12345",
		.headers = {"x-twilio-signature", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=",
		"content-type", FORM},
		.body = "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234"
		"&From=%2B12349013030&To=%2B18005551212",
	.url = TWILIO_URL},
	{"Twilio, a field that repeats", CPW_AUTHENTICATION_TWILIO, "12345",
		.headers = {"x-twilio-signature", "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
		"content-type", FORM},
		.body = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
	.url = TWILIO_URL},
	{"Twilio, JSON", CPW_AUTHENTICATION_TWILIO, "12345",
		.headers = {"x-twilio-signature", "2e7mH/NA6FwzvUqLZxhsETU/4bw=",
		"content-type", "application/json"},
		.body = "{\"a\":1}",
		.url = "https://example.com/hook?bodySHA256="
	"015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"},
	{"Twilio, a URL with its usual port", CPW_AUTHENTICATION_TWILIO, "12345",
		.headers = {"x-twilio-signature", "fnfSopsa2vum5knys4xRL8Y9PGY=",
		"content-type", FORM},
	.body = "", .url = "https://mycompany.com/a"},
	{"Zoom", CPW_AUTHENTICATION_ZOOM, "zoomsecret",
		.headers = {"x-zm-signature",
			"v0=8c573fc4aa96d05f837e297cd016995e"
			"207bb14a06a1d8e799d74317d1c1e454",
		"x-zm-request-timestamp", "1739923528"},
	.body = "{\"ref\":\"refs/heads/main\"}", .now = 1739923528},
	{"Discord", CPW_AUTHENTICATION_DISCORD, .public_key = PUBLIC_KEY,
		.headers = {"x-signature-ed25519",
			"6717018d11001fe0389bdbcbbf20cebcbfd77b7f8c662a308c67fd17f7183d01"
			"8f64c5db9617aa2a0850ca2cd1349c38076b26f8b3f47e68136bcca223e02f05",
		"x-signature-timestamp", "1614265330"},
	.body = "{\"type\":1}", .now = 1614265330},
	{"X", CPW_AUTHENTICATION_X, "consumer-secret",
		.headers = {"x-twitter-webhooks-signature",
		"sha256=RyDkCgoxlGUJRQ0A4jDZ0FM8elNswwj9zgfMmzQwrHQ="},
	.body = "{\"for_user_id\":\"1\",\"tweet_create_events\":[]}"},
	{"Meta", CPW_AUTHENTICATION_META, "app-secret",
		.headers = {"x-hub-signature-256",
			"sha256=e6e9d7a842a48e17f43a34d6125d0d93"
		"3e2aab92ee37f0993a4d493b50e3d438"},
	.body = "{\"object\":\"page\",\"entry\":[]}"},
	{"GitLab's token", CPW_AUTHENTICATION_GITLAB_TOKEN, "a token, in clear",
	.headers = {"x-gitlab-token", "a token, in clear"}},
	{"a bearer token", CPW_AUTHENTICATION_BEARER, "mF_9.B5f-4.1JqM",
	.headers = {"authorization", "Bearer mF_9.B5f-4.1JqM"}},
	{"a user's password", CPW_AUTHENTICATION_BASIC, "open sesame",
		.user_name = "Aladdin",
	.headers = {"authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}},
	{"an API key", CPW_AUTHENTICATION_API_KEY, "k1",
		.header = "X-Api-Key", .key_encoding = CPW_ENCODING_PLAIN,
		.algorithm = CPW_ALGORITHM_TOKEN, .encoding = CPW_ENCODING_PLAIN,
	.headers = {"x-api-key", "k1"}},
	{"an API key behind a prefix", CPW_AUTHENTICATION_API_KEY, "k1",
		.header = "Authorization", .key_encoding = CPW_ENCODING_PLAIN,
		.algorithm = CPW_ALGORITHM_TOKEN, .encoding = CPW_ENCODING_PLAIN,
		.prefix = "ApiKey ",
	.headers = {"authorization", "ApiKey k1"}},
};

/* A vector with its parts in memory that can be changed. */
typedef struct Parts
{
	const Vector *vector;
	TestHeaders test;
	char	   *secret;			/* NUL-terminated, as the public key */
	size_t		secret_length;
	char	   *public_key;
	char	   *body;
	size_t		length;
	char	   *url;
} Parts;

static char *
copy(const char *text)
{
	return text == NULL ? NULL : guarded_copy(text, strlen(text) + 1);
}

static void
lay_out(Parts *parts, const Vector *vector)
{
	memset(parts, 0, sizeof(*parts));
	parts->vector = vector;
	for (int i = 0; i < 8 && vector->headers[i] != NULL; i += 2)
		add_header(&parts->test, vector->headers[i], vector->headers[i + 1]);
	add_header(&parts->test, "user-agent", "test");
	parts->secret = copy(vector->secret);
	parts->secret_length = vector->secret ? strlen(vector->secret) : 0;
	parts->public_key = copy(vector->public_key);
	parts->length = vector->body ? strlen(vector->body) : 0;
	parts->body = vector->body ? guarded_text(vector->body) : NULL;
	parts->url = copy(vector->url);
}

static void
settings_of(const Parts *parts, CpwSignatureSettings *settings)
{
	const Vector *vector = parts->vector;

	cpw_signature_settings_init(settings, vector->authentication);
	settings->secret = parts->secret;
	settings->secret_length = parts->secret_length;
	settings->public_key = parts->public_key;
	settings->user_name = vector->user_name;
	if (vector->header == NULL)
		return;
	settings->header = vector->header;
	settings->algorithm = vector->algorithm;
	settings->encoding = vector->encoding;
	settings->key_encoding = vector->key_encoding;
	settings->separator = vector->separator;
	settings->timestamp_header = vector->timestamp_header;
	if (vector->prefix != NULL)
		settings->prefix = vector->prefix;
	if (vector->template != NULL)
		settings->template = vector->template;
}

static CpwSignatureResult
verify_at(const Parts *parts, const CpwSignatureKey *key, int64_t now)
{
	CpwSignedRequest request = {
		.headers = &parts->test.headers,
		.body = parts->body,
		.length = parts->length,
		.url = parts->url,
		.now = now
	};

	return cpw_signature_verify(key, &request, NULL);
}

static CpwSignatureResult
verify(const Parts *parts)
{
	CpwSignatureSettings settings;
	CpwSignatureKey *key;
	CpwSignatureResult result;

	settings_of(parts, &settings);
	key = cpw_signature_key_make(&settings);
	result = verify_at(parts, key, parts->vector->now);
	CHECK_FOR(parts->vector->label, result != CPW_SIGNATURE_VALID ||
			  cpw_signature_check_head(key, &parts->test.headers,
									   parts->vector->now) ==
			  CPW_SIGNATURE_VALID);
	cpw_signature_key_free(key);
	return result;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/*
 * Whether changing this bit changes nothing that is meant: the case of a hex
 * digit, of a name of an HTTP scheme, of an escape in a form.
 */
typedef bool (*Means) (const Vector *vector, const char *text, size_t length,
					   size_t bit);

static bool
is_hex_of(const char *text, size_t length, size_t at)
{
	size_t		digits = 0;

	if (!strchr("abcdefABCDEF", text[at]))
		return false;
	for (size_t i = at; i < length && strchr("0123456789abcdefABCDEF", text[i]);
		 i++)
		digits++;
	while (at-- > 0 && strchr("0123456789abcdefABCDEF", text[at]))
		digits++;
	return digits >= 40;
}

static bool
means_nothing_in_signature(const Vector *vector, const char *text,
						   size_t length, size_t bit)
{
	size_t		at = bit / 8;

	if (bit % 8 != 5 || !is_letter(text[at]))
		return false;
	if (vector->authentication == CPW_AUTHENTICATION_BEARER ||
		vector->authentication == CPW_AUTHENTICATION_BASIC)
		return at < 6;
	return is_hex_of(text, length, at) &&
		(vector->header != NULL ? vector->encoding :
		 cpw_scheme_of(vector->authentication)->ways[0].encoding) ==
		CPW_ENCODING_HEX;
}

static bool
means_nothing_in_body(const Vector *vector, const char *text, size_t length,
					  size_t bit)
{
	size_t		at = bit / 8;

	(void) length;
	return bit % 8 == 5 && is_letter(text[at]) &&
		(vector->authentication == CPW_AUTHENTICATION_TWILIO ||
		 vector->authentication == CPW_AUTHENTICATION_GITEA_HMAC) &&
		((at >= 1 && text[at - 1] == '%') || (at >= 2 && text[at - 2] == '%'));
}

static bool
means_nothing_in_key(const Vector *vector, const char *text, size_t length,
					 size_t bit)
{
	(void) length;
	return bit % 8 == 5 && is_letter(text[bit / 8]) &&
		(vector->public_key != NULL ?
		 strlen(vector->public_key) == 64 :
		 vector->key_encoding == CPW_ENCODING_HEX && vector->header != NULL);
}

/* Dates are signed as they are written; so is all else. */
static bool
means_nothing_elsewhere(const Vector *vector, const char *text, size_t length,
						size_t bit)
{
	(void) vector;
	(void) text;
	(void) length;
	(void) bit;
	return false;
}

static void
flip_bits(const Parts *parts, char *text, size_t length, Means means_nothing)
{
	for (size_t bit = 0; bit < length * 8; bit++)
	{
		bool		exempt = means_nothing(parts->vector, text, length, bit);

		text[bit / 8] ^= (char) (1 << bit % 8);
		if (!exempt)
			CHECK_FOR(parts->vector->label,
					  verify(parts) != CPW_SIGNATURE_VALID);
		text[bit / 8] ^= (char) (1 << bit % 8);
	}
	CHECK_FOR(parts->vector->label, verify(parts) == CPW_SIGNATURE_VALID);
}

static void
test_vectors(void)
{
	for (size_t i = 0; i < COUNT_OF(vectors); i++)
	{
		const Vector *vector = &vectors[i];
		Parts		parts;

		lay_out(&parts, vector);
		CHECK_FOR(vector->label, verify(&parts) == CPW_SIGNATURE_VALID);
		if (parts.body != NULL)
			flip_bits(&parts, parts.body, parts.length, means_nothing_in_body);
		if (vector->separator == 0)
			flip_bits(&parts, (char *) parts.test.items[0].value,
					  parts.test.items[0].value_length,
					  means_nothing_in_signature);

		/* timestamp, id and what else is signed, but for the media type */
		for (int n = 1; n < parts.test.headers.count - 1; n++)
			if (strcmp(vector->headers[2 * n], "content-type") != 0)
				flip_bits(&parts, (char *) parts.test.items[n].value,
						  parts.test.items[n].value_length,
						  means_nothing_elsewhere);
		if (parts.secret != NULL)
			flip_bits(&parts, parts.secret, parts.secret_length,
					  means_nothing_in_key);
		if (parts.public_key != NULL)
			flip_bits(&parts, parts.public_key, strlen(parts.public_key),
					  means_nothing_in_key);
		if (parts.url != NULL)
			flip_bits(&parts, parts.url, strlen(parts.url),
					  means_nothing_elsewhere);

		/* a byte more, a byte less, no signature, an empty one, two */
		if (parts.length > 0 &&
			cpw_scheme_of(vector->authentication)->ways[0].algorithm !=
			CPW_ALGORITHM_TOKEN)
		{
			parts.length--;
			CHECK_FOR(vector->label, verify(&parts) != CPW_SIGNATURE_VALID);
			parts.length = 0;
			CHECK_FOR(vector->label, verify(&parts) != CPW_SIGNATURE_VALID);
			parts.length = strlen(vector->body);
		}
		parts.test.items[0].value_length = 0;
		CHECK_FOR(vector->label, verify(&parts) == CPW_SIGNATURE_MISSING);
		parts.test.items[0].value_length = strlen(vector->headers[1]);
		add_header(&parts.test, vector->headers[0], vector->headers[1]);
		CHECK_FOR(vector->label, verify(&parts) == CPW_SIGNATURE_REPEATED);
		parts.test.headers.count--;
		parts.test.items[0].name = guarded_copy("x", 1);
		parts.test.items[0].name_length = 1;
		CHECK_FOR(vector->label, verify(&parts) == CPW_SIGNATURE_MISSING);
		guarded_release();
	}
}

/* The window, on both sides of both its ends. */
static void
test_tolerance(void)
{
	static const struct
	{
		int64_t		tolerance;
		int64_t		offset;
		CpwSignatureResult result;
	}			rows[] = {
		{300, -301, CPW_SIGNATURE_STALE},
		{300, -300, CPW_SIGNATURE_VALID},
		{300, 300, CPW_SIGNATURE_VALID},
		{300, 301, CPW_SIGNATURE_STALE},
		{1, 1, CPW_SIGNATURE_VALID},
		{1, 2, CPW_SIGNATURE_STALE},
		{1, -2, CPW_SIGNATURE_STALE},
		{86400, 86400, CPW_SIGNATURE_VALID},
		{86400, -86401, CPW_SIGNATURE_STALE},
	};
	int			timed = 0;

	for (size_t i = 0; i < COUNT_OF(vectors); i++)
	{
		Parts		parts;

		if (vectors[i].now == 0)
			continue;
		timed++;
		lay_out(&parts, &vectors[i]);
		for (size_t n = 0; n < COUNT_OF(rows); n++)
		{
			CpwSignatureSettings settings;
			CpwSignatureKey *key;
			int64_t		now = vectors[i].now + rows[n].offset;

			settings_of(&parts, &settings);
			CHECK(settings.tolerance == CPW_DEFAULT_TOLERANCE);
			settings.tolerance = rows[n].tolerance;
			key = cpw_signature_key_make(&settings);
			CHECK_FOR(vectors[i].label,
					  verify_at(&parts, key, now) == rows[n].result);
			CHECK_FOR(vectors[i].label,
					  cpw_signature_check_head(key, &parts.test.headers, now) ==
					  rows[n].result);
			cpw_signature_key_free(key);
		}
		guarded_release();
	}
	CHECK(timed >= 10);
}

/* Two secrets side by side, the older one until its time is over. */
static void
test_rotation(void)
{
	for (size_t i = 0; i < COUNT_OF(vectors); i++)
	{
		Parts		parts;
		CpwSignatureSettings settings;
		CpwSignatureKey *key;
		CpwSignedRequest request;
		CpwSignatureMatch match = CPW_MATCH_NONE;
		static const char other[] = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

		if (vectors[i].secret == NULL || vectors[i].header != NULL)
			continue;
		lay_out(&parts, &vectors[i]);
		request = (CpwSignedRequest)
		{
			.headers = &parts.test.headers,.body = parts.body,
				.length = parts.length,.url = parts.url,.now = vectors[i].now
		};
		settings_of(&parts, &settings);
		settings.previous_secret = settings.secret;
		settings.previous_secret_length = settings.secret_length;
		settings.previous_expires = vectors[i].now + 1;
		settings.secret = other;
		settings.secret_length = strlen(other);
		key = cpw_signature_key_make(&settings);
		CHECK_FOR(vectors[i].label,
				  cpw_signature_verify(key, &request, &match) ==
				  CPW_SIGNATURE_VALID);
		CHECK_FOR(vectors[i].label, match == CPW_MATCH_PREVIOUS);
		cpw_signature_key_free(key);

		/* at its end it is no longer good */
		settings.previous_expires = vectors[i].now;
		key = cpw_signature_key_make(&settings);
		CHECK_FOR(vectors[i].label,
				  cpw_signature_verify(key, &request, &match) ==
				  CPW_SIGNATURE_MISMATCH);
		cpw_signature_key_free(key);

		/* and the current one is, whatever the other */
		settings.previous_secret = other;
		settings.previous_secret_length = strlen(other);
		settings.secret = parts.secret;
		settings.secret_length = parts.secret_length;
		key = cpw_signature_key_make(&settings);
		CHECK_FOR(vectors[i].label,
				  cpw_signature_verify(key, &request, &match) ==
				  CPW_SIGNATURE_VALID && match == CPW_MATCH_CURRENT);
		cpw_signature_key_free(key);
		guarded_release();
	}
}

/* Headers of one scheme, and what becomes of them. */
static void
test_lists(void)
{
#define GOOD_V1		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define BAD_V1		"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
#define GOOD_V1A	"v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2" \
	"ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="
#define FOUR(text)	text " " text " " text " " text
#define GOOD_STRIPE	"v1=5fea07d5ee7ac660bc0d4a7689051898" \
	"c9c113fdc293769ed1faa4f05d97e458"
#define BAD_STRIPE	"v1=0fea07d5ee7ac660bc0d4a7689051898" \
	"c9c113fdc293769ed1faa4f05d97e458"
	static const struct
	{
		CpwAuthentication authentication;
		const char *value;
		CpwSignatureResult result;
	}			rows[] = {
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, GOOD_V1, CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, BAD_V1, CPW_SIGNATURE_MISMATCH},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, BAD_V1 " " GOOD_V1,
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, GOOD_V1 " " BAD_V1,
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, "v2,xyz " GOOD_V1,
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, "  " GOOD_V1 "  ",
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, BAD_V1 " " GOOD_V1A,
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, GOOD_V1A, CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, "v1," , CPW_SIGNATURE_MALFORMED},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, "v2,xyz" , CPW_SIGNATURE_MALFORMED},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, " " , CPW_SIGNATURE_MALFORMED},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, GOOD_V1 "," BAD_V1,
		CPW_SIGNATURE_MALFORMED},
		/* sixteen are read, seventeen are not */
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS,
			FOUR(BAD_V1) " " FOUR(BAD_V1) " " FOUR(BAD_V1) " "
			BAD_V1 " " BAD_V1 " " BAD_V1 " " GOOD_V1,
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS,
			FOUR(BAD_V1) " " FOUR(BAD_V1) " " FOUR(BAD_V1) " " FOUR(BAD_V1)
			" " GOOD_V1,
		CPW_SIGNATURE_MALFORMED},
		{CPW_AUTHENTICATION_STRIPE, "t=1492774577," GOOD_STRIPE,
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STRIPE, GOOD_STRIPE ",t=1492774577",
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STRIPE,
			"t=1492774577," BAD_STRIPE "," GOOD_STRIPE ",v0=abc",
		CPW_SIGNATURE_VALID},
		{CPW_AUTHENTICATION_STRIPE, "t=1492774577,v0=5fea07d5",
		CPW_SIGNATURE_MALFORMED},
		{CPW_AUTHENTICATION_STRIPE, GOOD_STRIPE, CPW_SIGNATURE_NO_TIMESTAMP},
		{CPW_AUTHENTICATION_STRIPE,
			"t=1492774577,t=1492774577," GOOD_STRIPE,
		CPW_SIGNATURE_NO_TIMESTAMP},
		{CPW_AUTHENTICATION_STRIPE, "t=," GOOD_STRIPE,
		CPW_SIGNATURE_NO_TIMESTAMP},
		{CPW_AUTHENTICATION_STRIPE, "t=soon," GOOD_STRIPE,
		CPW_SIGNATURE_NO_TIMESTAMP},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		bool		is_stripe = rows[i].authentication == CPW_AUTHENTICATION_STRIPE;
		CpwSignatureSettings settings;
		CpwSignatureKey *key;
		TestHeaders test = {0};
		const char *body = is_stripe ? "{\"ref\":\"refs/heads/main\"}" :
			"{\"test\": 2432232314}";
		CpwSignedRequest request = {
			.headers = &test.headers,
			.body = body,
			.length = strlen(body),
			.now = is_stripe ? 1492774577 : 1614265330
		};

		cpw_signature_settings_init(&settings, rows[i].authentication);
		settings.secret = is_stripe ? "whsec_test_secret" :
			"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
		settings.secret_length = strlen(settings.secret);
		settings.public_key = is_stripe ? NULL : PUBLIC_KEY;
		key = cpw_signature_key_make(&settings);
		add_header(&test, is_stripe ? "stripe-signature" : "webhook-signature",
				   rows[i].value);
		if (!is_stripe)
		{
			add_header(&test, "webhook-timestamp", "1614265330");
			CHECK(cpw_signature_verify(key, &request, NULL) !=
				  CPW_SIGNATURE_VALID);
			add_header(&test, "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
		}
		CHECK_FOR(rows[i].value,
				  cpw_signature_verify(key, &request, NULL) == rows[i].result);
		cpw_signature_key_free(key);
		guarded_release();
	}
}

/* What makes no key. */
static void
test_keys(void)
{
	static const struct
	{
		CpwEncoding encoding;
		const char *secret;
		bool		good;
	}			rows[] = {
		{CPW_ENCODING_PLAIN, "x", true},
		{CPW_ENCODING_PLAIN, "", false},
		{CPW_ENCODING_HEX, "00ff", true},
		{CPW_ENCODING_HEX, "00f", false},
		{CPW_ENCODING_HEX, "", false},
		{CPW_ENCODING_BASE64, "AAAA", true},
		{CPW_ENCODING_BASE64, "AAA", false},
		{CPW_ENCODING_BASE64URL, "-_8", true},
		{CPW_ENCODING_BASE64URL, "+/8", false},
		{CPW_ENCODING_PREFIXED_BASE64, "whsec_", false},
		{CPW_ENCODING_PREFIXED_BASE64, "", false},
		/* 23, 24, 64 and 65 bytes */
		{CPW_ENCODING_PREFIXED_BASE64, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false},
		{CPW_ENCODING_PREFIXED_BASE64, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", true},
		{CPW_ENCODING_PREFIXED_BASE64, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", true},
		{CPW_ENCODING_PREFIXED_BASE64, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false},
		{CPW_ENCODING_PREFIXED_BASE64, "whsec_not base64", false},
	};
	CpwSignatureSettings settings;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_FOR(rows[i].secret,
				  (cpw_signature_secret_fault(rows[i].encoding, rows[i].secret,
											  strlen(rows[i].secret)) == NULL) ==
				  rows[i].good);
	CHECK(cpw_signature_is_public_key(PUBLIC_KEY));
	CHECK(cpw_signature_is_public_key(PUBLIC_KEY_BASE64));
	CHECK(cpw_signature_is_public_key("whpk_" PUBLIC_KEY_BASE64));
	CHECK(!cpw_signature_is_public_key(""));
	CHECK(!cpw_signature_is_public_key("whpk_"));
	CHECK(!cpw_signature_is_public_key("d75a"));

	/* every scheme that compares something needs something to compare with */
	for (int i = 0; i < CPW_AUTHENTICATION_COUNT; i++)
	{
		cpw_signature_settings_init(&settings, (CpwAuthentication) i);
		settings.header = "X-Header";
		CHECK(cpw_signature_key_make(&settings) == NULL);
		settings.secret = "";
		CHECK(cpw_signature_key_make(&settings) == NULL);
	}
	CHECK(cpw_signature_key_create(CPW_AUTHENTICATION_HMAC, "secret", 6) == NULL);

	/* one whose every table is there */
	for (int i = 1; i < CPW_AUTHENTICATION_COUNT; i++)
	{
		const CpwScheme *scheme = cpw_scheme_of((CpwAuthentication) i);

		CHECK(scheme != NULL && cpw_scheme_find(scheme->name) == scheme &&
			  cpw_scheme_authentication(scheme) == (CpwAuthentication) i);
		if (cpw_scheme_way_count(scheme) == 0 && scheme->body_token == NULL)
			continue;
		for (int n = 0; n < CPW_SIGNATURE_RESULT_COUNT; n++)
			CHECK_FOR(scheme->name, scheme->texts[n] != NULL &&
					  scheme->texts[n][0] != '\0' &&
					  scheme->texts[n][strlen(scheme->texts[n]) - 1] != '.');
	}
	CHECK(cpw_scheme_find("hmac") == NULL && cpw_scheme_find("") == NULL);
	CHECK(cpw_scheme_of(CPW_AUTHENTICATION_NONE) == NULL);
	CHECK(cpw_scheme_of((CpwAuthentication) 99) == NULL);
}

/* Where the sender's id and the event are. */
static void
test_sources(void)
{
	static const struct
	{
		CpwAuthentication authentication;
		const char *headers[6];
		const char *id;
		const char *event;
		bool		pings;
	}			rows[] = {
		{CPW_AUTHENTICATION_SHOPIFY, {"x-request-id", "proxy",
		"x-shopify-webhook-id", "w1", "x-shopify-topic", "orders/create"},
		"w1", "orders/create", false},
		{CPW_AUTHENTICATION_GITLAB_TOKEN, {"x-gitlab-event", "Push Hook",
		"x-request-id", "proxy", "idempotency-key", "k"},
		"k", "Push Hook", false},
		{CPW_AUTHENTICATION_GITEA_HMAC, {"x-github-event", "ping",
			"x-gitea-event", "push", "x-gitea-delivery", "d"},
		"d", "push", false},
		{CPW_AUTHENTICATION_STANDARD_WEBHOOKS, {"svix-id", "msg_1"},
		"msg_1", NULL, false},
		{CPW_AUTHENTICATION_BITBUCKET_HMAC, {"x-event-key", "diagnostics:ping",
		"x-request-uuid", "u"}, "u", "diagnostics:ping", true},
		{CPW_AUTHENTICATION_BITBUCKET_HMAC, {"x-event-key", "repo:push",
		"x-github-event", "ping"}, NULL, "repo:push", false},
		{CPW_AUTHENTICATION_GITHUB_HMAC, {"x-github-event", "ping"},
		NULL, "ping", true},
		{CPW_AUTHENTICATION_UNAUTHENTICATED, {"x-github-event", "ping"},
		NULL, "ping", true},
		{CPW_AUTHENTICATION_SLACK, {"x-github-event", "ping"},
		NULL, "ping", false},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const CpwScheme *scheme = cpw_scheme_of(rows[i].authentication);
		TestHeaders test = {0};
		const CpwHeader *id;
		const CpwHeader *event;

		for (int n = 0; n < 6 && rows[i].headers[n] != NULL; n += 2)
			add_header(&test, rows[i].headers[n], rows[i].headers[n + 1]);
		id = cpw_scheme_delivery_id(scheme, &test.headers);
		event = cpw_scheme_event(scheme, &test.headers);
		CHECK_FOR(scheme->name, (id == NULL) == (rows[i].id == NULL) &&
				  (id == NULL || (id->value_length == strlen(rows[i].id) &&
								  memcmp(id->value, rows[i].id,
										 id->value_length) == 0)));
		CHECK_FOR(scheme->name, (event == NULL) == (rows[i].event == NULL) &&
				  (event == NULL ||
				   (event->value_length == strlen(rows[i].event) &&
					memcmp(event->value, rows[i].event,
						   event->value_length) == 0)));
		CHECK_FOR(scheme->name, cpw_scheme_is_ping(scheme, &test.headers) ==
				  rows[i].pings);
		guarded_release();
	}
	CHECK(!cpw_scheme_is_ping(NULL, &(CpwHeaders) {NULL, 0}));
	CHECK(cpw_scheme_reads_body(cpw_scheme_of(CPW_AUTHENTICATION_STRIPE)));
	CHECK(!cpw_scheme_reads_body(cpw_scheme_of(CPW_AUTHENTICATION_GITHUB_HMAC)));
}

/* Twilio: what must fail beside what bits can change. */
static void
test_twilio(void)
{
	Parts		parts;
	Vector		vector;
	size_t		fields = 1000;
	char	   *body = malloc(4 * 1001 + 1);

	/* JSON without the hash in the URL */
	for (size_t i = 0; i < COUNT_OF(vectors); i++)
	{
		if (vectors[i].authentication != CPW_AUTHENTICATION_TWILIO)
			continue;
		vector = vectors[i];
		vector.headers[3] = "application/json";
		lay_out(&parts, &vector);
		CHECK_FOR(vector.label, (verify(&parts) == CPW_SIGNATURE_VALID) ==
				  (strstr(vector.url, "bodySHA256") != NULL));
		parts.url = NULL;
		CHECK_FOR(vector.label, verify(&parts) == CPW_SIGNATURE_FAILED);
		guarded_release();
	}

	/* a form with more fields than anybody signs */
	for (size_t n = 0; n < 1001; n++)
		memcpy(body + 4 * n, "a=1&", 5);
	vector = vectors[0];
	vector = (Vector)
	{
		"many fields", CPW_AUTHENTICATION_TWILIO, "12345",
			.headers = {"x-twilio-signature", "WnNvq8HiFvbKwhl0eS8rJtArbaU=",
		"content-type", FORM},
			.url = "https://example.com/"
	};
	vector.body = body;
	body[4 * fields] = '\0';
	lay_out(&parts, &vector);
	CHECK(verify(&parts) == CPW_SIGNATURE_VALID);
	guarded_release();
	body[4 * fields] = 'a';
	lay_out(&parts, &vector);
	CHECK(verify(&parts) == CPW_SIGNATURE_MISMATCH);
	guarded_release();
	free(body);
}

void
test_scheme(void)
{
	test_vectors();
	test_tolerance();
	test_rotation();
	test_lists();
	test_keys();
	test_sources();
	test_twilio();
}
