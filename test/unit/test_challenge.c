/*
 * test_challenge.c
 *		Handshakes: the right answers, and nothing signed that could be an
 *		event.
 */
#include <stdio.h>

#include "base/challenge.h"
#include "base/signature.h"
#include "check.h"

static bool
says(const CpwChallengeAnswer *answer, const char *type, const char *body)
{
	return answer->status == 200 && strcmp(answer->type, type) == 0 &&
		answer->length == strlen(body) &&
		memcmp(answer->body, body, answer->length) == 0;
}

static void
test_queries(void)
{
#define A128 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	static const struct
	{
		CpwAuthentication authentication;
		bool		is_get;
		const char *query;
		CpwChallengeResult result;
		const char *type;		/* NULL: any */
		const char *body;
	}			rows[] = {
		{CPW_AUTHENTICATION_X, true, "crc_token=challenge_string",
			CPW_CHALLENGE_ANSWERED, "application/json",
			"{\"response_token\":\"sha256="
		"S/mG8E9n5SjoGuCqHguvP8K8uuu5ogCPF0dOpIdyZlk=\"}"},
		{CPW_AUTHENTICATION_X, true, "nonce=1&crc_token=a&x=y",
		CPW_CHALLENGE_ANSWERED, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "crc_token=" A128,
		CPW_CHALLENGE_ANSWERED, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "crc_token=" A128 "a",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "crc_token=", CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "crc_token", CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "crc_token=%7B%22a%22%3A1%7D",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "crc_token=a%20b", CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "crc_token=a%00", CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "crc_token=%zz", CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_X, false, "crc_token=a", CPW_CHALLENGE_NONE, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "", CPW_CHALLENGE_NONE, NULL, NULL},
		{CPW_AUTHENTICATION_X, true, "Crc_token=a", CPW_CHALLENGE_NONE, NULL, NULL},
		{CPW_AUTHENTICATION_META, true,
			"hub.mode=subscribe&hub.challenge=1158201444"
			"&hub.verify_token=me%20at%20you",
		CPW_CHALLENGE_ANSWERED, "text/plain", "1158201444"},
		{CPW_AUTHENTICATION_META, true,
			"hub.mode=subscribe&hub.challenge=1158201444"
			"&hub.verify_token=me%20at%20yov",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_META, true,
			"hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_META, true, "hub.mode=subscribe&hub.challenge=1",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_META, true,
			"hub.mode=subscribe&hub.verify_token=me%20at%20you",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_META, true,
			"hub.mode=unsubscribe&hub.challenge=1"
			"&hub.verify_token=me%20at%20you",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_META, true,
			"hub.mode=subscribe&hub.challenge=%3Cscript%3E"
			"&hub.verify_token=me%20at%20you",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_META, true, "a=b", CPW_CHALLENGE_NONE, NULL, NULL},
		{CPW_AUTHENTICATION_MICROSOFT_GRAPH, false,
			"validationToken=Validation%3a+Testing%20client",
		CPW_CHALLENGE_ANSWERED, "text/plain", "Validation: Testing client"},
		{CPW_AUTHENTICATION_MICROSOFT_GRAPH, false, "validationToken=",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_MICROSOFT_GRAPH, false, "validationToken=%0d%0aA",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_MICROSOFT_GRAPH, false, "validationToken=%c3%a4",
		CPW_CHALLENGE_REFUSED, NULL, NULL},
		{CPW_AUTHENTICATION_MICROSOFT_GRAPH, true, "validationToken=a",
		CPW_CHALLENGE_NONE, NULL, NULL},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		CpwSignatureKey *key = cpw_signature_key_create(rows[i].authentication,
														"consumer-secret", 15);
		CpwChallengeAnswer answer;
		char	   *query = guarded_text(rows[i].query);
		CpwChallengeResult result =
			cpw_challenge_of_query(cpw_scheme_of(rows[i].authentication),
								   rows[i].is_get, query,
								   strlen(rows[i].query), key, "me at you",
								   &answer);

		CHECK_FOR(rows[i].query, result == rows[i].result);
		CHECK_FOR(rows[i].query, rows[i].type == NULL ||
				  says(&answer, rows[i].type, rows[i].body));

		/* no other scheme knows it */
		for (int n = 0; n < CPW_AUTHENTICATION_COUNT; n++)
			if (n != (int) rows[i].authentication)
				CHECK_FOR(rows[i].query,
						  cpw_challenge_of_query(cpw_scheme_of((CpwAuthentication) n),
												 rows[i].is_get, query,
												 strlen(rows[i].query), key,
												 "me at you", &answer) ==
						  CPW_CHALLENGE_NONE);
		cpw_signature_key_free(key);
		guarded_release();
	}
}

/* A token for Graph that just fits, and one that does not. */
static void
test_lengths(void)
{
	char		query[CPW_MAX_ECHO + 64];
	CpwChallengeAnswer answer;
	const CpwScheme *scheme = cpw_scheme_of(CPW_AUTHENTICATION_MICROSOFT_GRAPH);

	for (size_t more = 0; more < 2; more++)
	{
		size_t		length = strlen("validationToken=");

		memcpy(query, "validationToken=", length);

		memset(query + length, 'v', CPW_MAX_ECHO + more);
		CHECK(cpw_challenge_of_query(scheme, false, query,
									 length + CPW_MAX_ECHO + more, NULL, NULL,
									 &answer) ==
			  (more == 0 ? CPW_CHALLENGE_ANSWERED : CPW_CHALLENGE_REFUSED));
	}
	CHECK(cpw_challenge_echo("text/plain", query, CPW_MAX_ECHO, &answer));
	CHECK(!cpw_challenge_echo("text/plain", query, CPW_MAX_ECHO + 1, &answer));
}

/* What a stranger can have signed is no event's body, whatever it is. */
static void
test_oracle(void)
{
	static const char *const tokens[] = {"1", "true", "null", "-1", "challenge_string"};
	static const char *const others[] = {"", "{}", "[1]", "v0:1:{}", "1.5", "a b", "\"a\""};
	CpwSignatureKey *x = cpw_signature_key_create(CPW_AUTHENTICATION_X,
												  "consumer-secret", 15);
	CpwSignatureKey *zoom = cpw_signature_key_create(CPW_AUTHENTICATION_ZOOM,
													 "zoomsecret", 10);
	CpwSignatureKey *shopify = cpw_signature_key_create(CPW_AUTHENTICATION_SHOPIFY,
														"secret", 6);
	CpwChallengeAnswer answer;

	for (size_t i = 0; i < COUNT_OF(tokens); i++)
	{
		char		query[64];
		char		value[64];
		TestHeaders test = {0};
		CpwSignedRequest request = {
			.headers = &test.headers,
			.body = tokens[i],
			.length = strlen(tokens[i])
		};

		snprintf(query, sizeof(query), "crc_token=%s", tokens[i]);
		CHECK(cpw_challenge_of_query(cpw_scheme_of(CPW_AUTHENTICATION_X), true,
									 query, strlen(query), x, NULL,
									 &answer) == CPW_CHALLENGE_ANSWERED);
		snprintf(value, sizeof(value), "%.*s", (int) answer.length - 21,
				 answer.body + 19);
		add_header(&test, "x-twitter-webhooks-signature", value);
		CHECK_FOR(value, strncmp(value, "sha256=", 7) == 0 &&
				  strlen(value) == 51);
		CHECK_FOR(tokens[i], cpw_signature_verify(x, &request, NULL) ==
				  CPW_SIGNATURE_MISMATCH);
		guarded_release();
	}
	for (size_t i = 0; i < COUNT_OF(others); i++)
		CHECK_FOR(others[i], !cpw_challenge_answer_zoom(zoom, others[i],
														strlen(others[i]),
														&answer));
	CHECK(cpw_challenge_answer_zoom(zoom, "qgg8vlvZRS6UYooatFL8Aw", 22,
									&answer));
	CHECK(says(&answer, "application/json",
			   "{\"plainToken\":\"qgg8vlvZRS6UYooatFL8Aw\",\"encryptedToken\":"
			   "\"83b2a60d4bbe49dc93763ed9e727a9a7"
			   "690cbe4c1f8bb0adc0ffccd09ecb1384\"}"));

	/* a key of a scheme without such challenges signs none */
	CHECK(!cpw_challenge_answer_zoom(shopify, "a", 1, &answer));
	CHECK(!cpw_challenge_answer_zoom(NULL, "a", 1, &answer));
	cpw_signature_key_free(x);
	cpw_signature_key_free(zoom);
	cpw_signature_key_free(shopify);
}

/* clientState and its like: a secret that comes as it is. */
static void
test_body_secret(void)
{
	CpwSignatureKey *key =
		cpw_signature_key_create(CPW_AUTHENTICATION_MICROSOFT_GRAPH,
								 "client state", 12);
	CpwSignatureKey *other = cpw_signature_key_create(CPW_AUTHENTICATION_SHOPIFY,
													  "client state", 12);
	CpwSignatureMatch match = CPW_MATCH_NONE;

	CHECK(cpw_signature_is_secret(key, "client state", 12, 0, &match) &&
		  match == CPW_MATCH_CURRENT);
	CHECK(!cpw_signature_is_secret(key, "client stat", 11, 0, &match));
	CHECK(!cpw_signature_is_secret(key, "", 0, 0, &match));
	CHECK(!cpw_signature_is_secret(other, "client state", 12, 0, &match));
	CHECK(!cpw_signature_is_secret(NULL, "client state", 12, 0, &match));
	cpw_signature_key_free(key);
	cpw_signature_key_free(other);
	CHECK(cpw_challenge_texts_equal("a", 1, "a", 1));
	CHECK(cpw_challenge_texts_equal("", 0, "", 0));
	CHECK(!cpw_challenge_texts_equal("a", 1, "", 0));
	CHECK(!cpw_challenge_texts_equal("a", 1, "ab", 2));
}

void
test_challenge(void)
{
	test_queries();
	test_lengths();
	test_oracle();
	test_body_secret();
}
