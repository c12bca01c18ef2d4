/*
 * test_sigv4.c
 *		Signature Version 4: the published vectors, vectors of botocore's
 *		signer, and all that must fail.
 */
#include <stdio.h>

#include "base/hex_base64.h"
#include "base/sigv4.h"
#include "check.h"

#define SECRET	"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define INSTANT	"20150830T123600Z"
#define SIGNED_AT	INT64_C(1440938160)
#define SCOPE	"AKIDEXAMPLE/20150830/us-east-1/"

/* A request under construction, as it would have arrived. */
typedef struct Arrival
{
	TestHeaders test;
	CpwSigv4Request request;
	const char *body;
} Arrival;

static void
arrive(Arrival *arrival, const char *method, const char *target,
	   const char *body)
{
	memset(arrival, 0, sizeof(*arrival));
	arrival->request.method = method;
	arrival->request.target = guarded_text(target);
	arrival->request.target_length = strlen(target);
	arrival->request.headers = &arrival->test.headers;
	arrival->body = body;
}

/* "name:value\n" for each; a value keeps its blanks. */
static void
add_lines(Arrival *arrival, const char *lines)
{
	while (*lines != '\0')
	{
		char		name[64];
		char		value[512];
		size_t		length = strcspn(lines, "\n");
		size_t		colon = strcspn(lines, ":");

		snprintf(name, sizeof(name), "%.*s", (int) colon, lines);
		snprintf(value, sizeof(value), "%.*s", (int) (length - colon - 1),
				 lines + colon + 1);
		add_header(&arrival->test, name, value);
		lines += length + (lines[length] == '\n');
	}
}

static void
sign(Arrival *arrival, const char *scope, const char *signed_headers,
	 const char *signature)
{
	char		value[1024];

	snprintf(value, sizeof(value),
			 "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s",
			 scope, signed_headers, signature);
	add_header(&arrival->test, "authorization", value);
}

/* The whole way of a request, with this secret. */
static CpwSigv4Result
judge(const Arrival *arrival, const char *service, int64_t now,
	  const char *secret)
{
	CpwSigv4   *signature = (CpwSigv4 *) guarded_room(sizeof(CpwSigv4));
	const char *problem = NULL;
	uint8_t		hash[CPW_SHA256_SIZE];
	size_t		length = strlen(arrival->body);
	CpwSigv4Result result;

	result = cpw_sigv4_parse(&arrival->request, signature, &problem);
	if (result == CPW_SIGV4_VALID)
		result = cpw_sigv4_check_scope(signature, "us-east-1", service, now,
									   &problem);
	/* The key's secret is found by its id. */
	if (result == CPW_SIGV4_VALID &&
		strcmp(signature->key_id, "AKIDEXAMPLE") != 0)
		return CPW_SIGV4_INVALID;
	if (result == CPW_SIGV4_VALID)
	{
		CHECK(cpw_sigv4_hash(guarded_text(arrival->body), length, hash));
		result = cpw_sigv4_verify(signature, &arrival->request, hash, secret,
								  &problem);
	}
	CHECK(result == CPW_SIGV4_VALID || problem != NULL);
	return result;
}

static void
test_published(void)
{
	static const struct
	{
		const char *name;
		const char *method;
		const char *target;
		const char *headers;
		const char *signed_headers;
		const char *body;
		const char *signature;
	}			rows[] = {
		{"get-header-key-duplicate", "GET", "/", "my-header1:value2\nmy-header1:value2\nmy-header1:value1\n",
			"host;my-header1;x-amz-date",
			"",
		"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"get-header-value-multiline", "GET", "/", "my-header1:value1 value2  value3 \n",
			"host;my-header1;x-amz-date",
			"",
		"cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"},
		{"get-header-value-order", "GET", "/", "my-header1:value4\nmy-header1:value1\nmy-header1:value3\nmy-header1:value2\n",
			"host;my-header1;x-amz-date",
			"",
		"08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		{"get-header-value-trim", "GET", "/", "my-header1: value1\nmy-header2: \"a   b   c\"\n",
			"host;my-header1;my-header2;x-amz-date",
			"",
		"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
			"host;x-amz-date",
			"",
		"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"get-utf8", "GET", "/\341\210\264", "",
			"host;x-amz-date",
			"",
		"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		{"get-vanilla", "GET", "/", "",
			"host;x-amz-date",
			"",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-empty-query-key", "GET", "/?Param1=value1", "",
			"host;x-amz-date",
			"",
		"a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{"get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "",
			"host;x-amz-date",
			"",
		"371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
		{"get-vanilla-query-order-key", "GET", "/?Param1=value2&Param1=Value1", "",
			"host;x-amz-date",
			"",
		"eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
		{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", "",
			"host;x-amz-date",
			"",
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-vanilla-query-order-value", "GET", "/?Param1=value2&Param1=value1", "",
			"host;x-amz-date",
			"",
		"5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
		{"get-vanilla-query-unreserved", "GET", "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
			"host;x-amz-date",
			"",
		"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{"get-vanilla-utf8-query", "GET", "/?\341\210\264=bar", "",
			"host;x-amz-date",
			"",
		"2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{"get-relative", "GET", "/example/..", "",
			"host;x-amz-date",
			"",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-relative-relative", "GET", "/example1/example2/../..", "",
			"host;x-amz-date",
			"",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-slash", "GET", "//", "",
			"host;x-amz-date",
			"",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-slash-dot-slash", "GET", "/./", "",
			"host;x-amz-date",
			"",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-slash-pointless-dot", "GET", "/./example", "",
			"host;x-amz-date",
			"",
		"ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
		{"get-slashes", "GET", "//example//", "",
			"host;x-amz-date",
			"",
		"9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		{"get-space", "GET", "/example space/", "",
			"host;x-amz-date",
			"",
		"652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
		{"get-special-character", "GET", "/example/$delete", "",
			"host;x-amz-date",
			"",
		"a853c9b21b528b19643d00910d35b83a10c366a10833ceefb45edd6c80e40f27"},
		{"post-header-key-sort", "POST", "/", "my-header1:value1\n",
			"host;my-header1;x-amz-date",
			"",
		"c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		{"post-header-value-case", "POST", "/", "my-header1:VALUE1\n",
			"host;my-header1;x-amz-date",
			"",
		"cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
		{"post-vanilla", "POST", "/", "",
			"host;x-amz-date",
			"",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"post-vanilla-query", "POST", "/?Param1=value1", "",
			"host;x-amz-date",
			"",
		"28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
		{"post-x-www-form-urlencoded", "POST", "/", "content-type:application/x-www-form-urlencoded\n",
			"content-type;host;x-amz-date",
			"Param1=value1",
		"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"post-x-www-form-urlencoded-parameters", "POST", "/", "content-type:application/x-www-form-urlencoded; charset=utf8\n",
			"content-type;host;x-amz-date",
			"Param1=value1",
		"1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		Arrival		arrival;

		arrive(&arrival, rows[i].method, rows[i].target, rows[i].body);
		add_header(&arrival.test, "host", "example.amazonaws.com");
		add_lines(&arrival, rows[i].headers);
		add_header(&arrival.test, "x-amz-date", INSTANT);
		sign(&arrival, SCOPE "service/aws4_request", rows[i].signed_headers,
			 rows[i].signature);
		CHECK_FOR(rows[i].name, judge(&arrival, "service", SIGNED_AT,
									  SECRET) == CPW_SIGV4_VALID);
		CHECK_FOR(rows[i].name, judge(&arrival, "service", SIGNED_AT,
									  SECRET "x") == CPW_SIGV4_INVALID);
		arrival.body = rows[i].body[0] == '\0' ? "x" : "";
		CHECK_FOR(rows[i].name, judge(&arrival, "service", SIGNED_AT,
									  SECRET) == CPW_SIGV4_INVALID);
		guarded_release();
	}
}

/* ---- by botocore's signer ---- */

#define CALL_SIGNATURE \
	"9d31e420682e399ecbb6e6a51c35cb91490ddc2bb3d06382b8d33bdedf51d00f"
#define CALL_HEADERS	"content-type;host;x-amz-date;x-amz-target"
#define CALL_SCOPE		SCOPE "codepipeline/aws4_request"
#define CALL_BODY		"{\"MaxResults\": 1}"
#define CALL_LINES \
	"host:localhost:8788\nx-amz-target:CodePipeline_20150709.ListWebhooks\n" \
	"content-type:application/x-amz-json-1.1\nuser-agent:x\n"

#define QUERY \
	"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F" \
	"20150830%2Fus-east-1%2Fcodepipeline%2Faws4_request" \
	"&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60" \
	"&X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-target"
#define QUERY_SIGNATURE \
	"8bbe6f3fe3ad072eabb6e700617e75bd48721f975317d15f851892844896b2e1"

static void
arrive_call(Arrival *arrival)
{
	arrive(arrival, "POST", "/", CALL_BODY);
	add_lines(arrival, CALL_LINES "x-amz-date:" INSTANT "\n");
	sign(arrival, CALL_SCOPE, CALL_HEADERS, CALL_SIGNATURE);
}

static CpwSigv4Result
judge_call(const Arrival *arrival)
{
	return judge(arrival, "codepipeline", SIGNED_AT, SECRET);
}

static CpwSigv4Result
judge_query(const char *query, int64_t now)
{
	Arrival		arrival;

	arrive(&arrival, "POST", query, "");
	add_lines(&arrival, CALL_LINES);
	return judge(&arrival, "codepipeline", now, SECRET);
}

static void
test_botocore(void)
{
	static const char session[] =
	"/?b=%20&a=x%2By&" QUERY "&X-Amz-Security-Token=t%2F%3D&X-Amz-Signature="
	"60a15b69f5a06bbc417875507f22fd19a079f48fde2b6cec77c87e5cec87413c";
	Arrival		arrival;

	arrive_call(&arrival);
	CHECK(judge_call(&arrival) == CPW_SIGV4_VALID);

	arrive(&arrival, "POST", "/", "{}");
	add_lines(&arrival, CALL_LINES "x-amz-date:" INSTANT "\n"
			  "x-amz-security-token:session/token==\n");
	sign(&arrival, CALL_SCOPE,
		 "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
		 "6c25a8939455a81238344bba4be1c5a632c875be4120725a67e730becb6fd457");
	CHECK(judge_call(&arrival) == CPW_SIGV4_VALID);

	CHECK(judge_query("/?" QUERY "&X-Amz-Signature=" QUERY_SIGNATURE,
					  SIGNED_AT) == CPW_SIGV4_VALID);
	CHECK(judge_query(session, SIGNED_AT) == CPW_SIGV4_VALID);

	/* The order of parameters is not signed; all else of them is. */
	CHECK(judge_query("/?X-Amz-Signature=" QUERY_SIGNATURE "&" QUERY,
					  SIGNED_AT) == CPW_SIGV4_VALID);
	CHECK(judge_query("/?" QUERY "&a&X-Amz-Signature=" QUERY_SIGNATURE,
					  SIGNED_AT) == CPW_SIGV4_INVALID);
	CHECK(judge_query("/a?" QUERY "&X-Amz-Signature=" QUERY_SIGNATURE,
					  SIGNED_AT) == CPW_SIGV4_INVALID);
	CHECK(judge_query("/?" QUERY "&X-Amz-Signature=" QUERY_SIGNATURE
					  "&X-Amz-Signature=" QUERY_SIGNATURE,
					  SIGNED_AT) == CPW_SIGV4_INCOMPLETE);
	CHECK(judge_query("/?" QUERY "&X-Amz-Date=" INSTANT
					  "&X-Amz-Signature=" QUERY_SIGNATURE,
					  SIGNED_AT) == CPW_SIGV4_INCOMPLETE);
}

/* ---- time and scope ---- */

static void
test_times(void)
{
	static const char query[] =
	"/?" QUERY "&X-Amz-Signature=" QUERY_SIGNATURE;
	Arrival		arrival;

	arrive_call(&arrival);
	CHECK(judge(&arrival, "codepipeline", SIGNED_AT - CPW_SIGV4_SKEW,
				SECRET) == CPW_SIGV4_VALID);
	CHECK(judge(&arrival, "codepipeline", SIGNED_AT - CPW_SIGV4_SKEW - 1,
				SECRET) == CPW_SIGV4_INVALID);
	CHECK(judge(&arrival, "codepipeline", SIGNED_AT + CPW_SIGV4_SKEW,
				SECRET) == CPW_SIGV4_VALID);
	CHECK(judge(&arrival, "codepipeline", SIGNED_AT + CPW_SIGV4_SKEW + 1,
				SECRET) == CPW_SIGV4_INVALID);
	CHECK(judge(&arrival, "codedeploy", SIGNED_AT,
				SECRET) == CPW_SIGV4_INVALID);

	/* One that was signed beforehand says itself how long it is good. */
	CHECK(judge_query(query, SIGNED_AT - CPW_SIGV4_SKEW) == CPW_SIGV4_VALID);
	CHECK(judge_query(query, SIGNED_AT - CPW_SIGV4_SKEW - 1) ==
		  CPW_SIGV4_INVALID);
	CHECK(judge_query(query, SIGNED_AT + 60) == CPW_SIGV4_VALID);
	CHECK(judge_query(query, SIGNED_AT + 61) == CPW_SIGV4_INVALID);
}

/* Days are counted right across years of all kinds. */
static void
test_calendar(void)
{
	static const struct
	{
		const char *instant;
		int64_t		seconds;	/* -1: no instant */
	}			rows[] = {
		{"19700101T000000Z", 0},
		{"20000228T235959Z", 951782399},
		{"20000229T000000Z", 951782400},
		{"20000301T000000Z", 951868800},
		{"20240229T120000Z", 1709208000},
		{"20251231T235959Z", 1767225599},
		{"21000301T000000Z", INT64_C(4107542400)},
		{"20150830T123600z", -1},
		{"20150830 123600Z", -1},
		{"20151330T123600Z", -1},
		{"20150032T123600Z", -1},
		{"20150830T243600Z", -1},
		{"20150830T126000Z", -1},
		{"20150830T123661Z", -1},
		{"2015083OT123600Z", -1},
		{"-0150830T123600Z", -1},
		{"20150830T123600Z ", -1},
		{"20150830T123600", -1},
		{"", -1},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		Arrival		arrival;
		CpwSigv4	signature;
		const char *problem;
		CpwSigv4Result result;

		arrive(&arrival, "POST", "/", "");
		add_header(&arrival.test, "host", "h");
		add_header(&arrival.test, "x-amz-date", rows[i].instant);
		sign(&arrival, CALL_SCOPE, "host;x-amz-date", CALL_SIGNATURE);
		result = cpw_sigv4_parse(&arrival.request, &signature, &problem);
		CHECK_FOR(rows[i].instant, (result == CPW_SIGV4_VALID) ==
				  (rows[i].seconds >= 0));
		if (result == CPW_SIGV4_VALID)
			CHECK_FOR(rows[i].instant, signature.signed_at == rows[i].seconds);
		else
			CHECK_FOR(rows[i].instant, result == CPW_SIGV4_INCOMPLETE);
	}
}

/* ---- the Authorization header ---- */

#define CREDENTIAL		"Credential=" CALL_SCOPE
#define SIGNED			"SignedHeaders=" CALL_HEADERS
#define SIGNATURE		"Signature=" CALL_SIGNATURE
#define V4				"AWS4-HMAC-SHA256 "

static void
test_authorization(void)
{
	static const struct
	{
		const char *value;
		CpwSigv4Result result;
	}			rows[] = {
		/* any order, any blanks */
		{V4 CREDENTIAL "," SIGNED "," SIGNATURE, CPW_SIGV4_VALID},
		{V4 SIGNATURE " , " CREDENTIAL " ,\t" SIGNED, CPW_SIGV4_VALID},
		{V4 "  " SIGNED ", " SIGNATURE ", " CREDENTIAL " ", CPW_SIGV4_VALID},

		{V4 CREDENTIAL ",, " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED " " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED ", " SIGNATURE ",", CPW_SIGV4_INCOMPLETE},
		{V4 ", " CREDENTIAL ", " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{"", CPW_SIGV4_INCOMPLETE},
		{"AWS4-HMAC-SHA256", CPW_SIGV4_INCOMPLETE},
		{V4, CPW_SIGV4_INCOMPLETE},
		{"Basic dXNlcjpwYXNz", CPW_SIGV4_INCOMPLETE},
		{"aws4-hmac-sha256 " CREDENTIAL ", " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{"AWS4-HMAC-SHA512 " CREDENTIAL ", " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{"AWS4-HMAC-SHA256" CREDENTIAL ", " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED ", " SIGNATURE ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " CREDENTIAL ", " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED ", " SIGNATURE ", Extra=1", CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED ", " SIGNATURE " x", CPW_SIGV4_INCOMPLETE},
		{V4 "credential=" CALL_SCOPE ", " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 "Credential=, " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 "Credential=AKIDEXAMPLE, " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 "Credential=/20150830/us-east-1/codepipeline/aws4_request, " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL "/x, " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL "/, " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 "Credential=" SCOPE "/aws4_request, " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 "Credential=AKID\xc3\xa4/20150830/us-east-1/codepipeline/aws4_request, " SIGNED ", " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", SignedHeaders=, " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED ";, " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", SignedHeaders=host;content-type;x-amz-date;x-amz-target, " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", SignedHeaders=content-type;host;host;x-amz-date;x-amz-target, " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", SignedHeaders=Content-Type;host;x-amz-date;x-amz-target, " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED ", Signature=", CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED ", " SIGNATURE "0", CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", " SIGNED ", Signature=9D31E420682E399ECBB6E6A51C35CB91490DDC2BB3D06382B8D33BDEDF51D00F", CPW_SIGV4_INCOMPLETE},

		/* what must be signed is not */
		{V4 CREDENTIAL ", SignedHeaders=content-type;x-amz-date;x-amz-target, " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", SignedHeaders=content-type;host;x-amz-target, " SIGNATURE, CPW_SIGV4_INCOMPLETE},
		{V4 CREDENTIAL ", SignedHeaders=content-type;host;x-amz-date, " SIGNATURE, CPW_SIGV4_INVALID},
		{V4 CREDENTIAL ", SignedHeaders=host;x-amz-date;x-amz-target, " SIGNATURE, CPW_SIGV4_INVALID},
		/* what is signed is not there */
		{V4 CREDENTIAL ", SignedHeaders=" CALL_HEADERS ";x-more, " SIGNATURE, CPW_SIGV4_INVALID},

		/* scopes */
		{V4 "Credential=AKIDEXAMPLE/20150831/us-east-1/codepipeline/aws4_request, " SIGNED ", " SIGNATURE, CPW_SIGV4_INVALID},
		{V4 "Credential=AKIDEXAMPLE/20150830/us-east-2/codepipeline/aws4_request, " SIGNED ", " SIGNATURE, CPW_SIGV4_INVALID},
		{V4 "Credential=AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request, " SIGNED ", " SIGNATURE, CPW_SIGV4_INVALID},
		{V4 "Credential=AKIDEXAMPLE/20150830/us-east-1/codepipeline/aws4_reques, " SIGNED ", " SIGNATURE, CPW_SIGV4_INVALID},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		Arrival		arrival;

		arrive(&arrival, "POST", "/", CALL_BODY);
		add_lines(&arrival, CALL_LINES "x-amz-date:" INSTANT "\n");
		add_header(&arrival.test, "authorization", rows[i].value);
		CHECK_FOR(rows[i].value, judge_call(&arrival) == rows[i].result);
		guarded_release();
	}
}

/* Headers beside the signature that make it void. */
static void
test_headers_beside(void)
{
	static const struct
	{
		const char *lines;
		CpwSigv4Result result;
	}			rows[] = {
		{"", CPW_SIGV4_VALID},
		{"accept:*/*\n", CPW_SIGV4_VALID},
		{"x-amzn-trace-id:1\n", CPW_SIGV4_VALID},
		{"x-amz-user-agent:x\n", CPW_SIGV4_INVALID},
		{"x-amz-security-token:x\n", CPW_SIGV4_INVALID},
		{"x-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n", CPW_SIGV4_INVALID},
		{"x-amz-content-sha256:UNSIGNED-PAYLOAD\n", CPW_SIGV4_INVALID},
		{"x-amz-date:" INSTANT "\n", CPW_SIGV4_INCOMPLETE},
		{"x-amz-target:CodePipeline_20150709.DeleteWebhook\n", CPW_SIGV4_INVALID},
		{"host:other\n", CPW_SIGV4_INVALID},
		{"content-type:text/plain\n", CPW_SIGV4_INVALID},
		{"authorization:x\n", CPW_SIGV4_INCOMPLETE},
	};
	Arrival		arrival;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		arrive_call(&arrival);
		add_lines(&arrival, rows[i].lines);
		CHECK_FOR(rows[i].lines, judge_call(&arrival) == rows[i].result);
	}

	arrive(&arrival, "POST", "/", "");
	add_lines(&arrival, CALL_LINES);
	CHECK(judge_call(&arrival) == CPW_SIGV4_MISSING);
	arrive(&arrival, "POST", "/?" QUERY "&X-Amz-Signature=" QUERY_SIGNATURE,
		   "");
	add_lines(&arrival, CALL_LINES);
	add_header(&arrival.test, "authorization", "x");
	CHECK(judge_call(&arrival) == CPW_SIGV4_INCOMPLETE);
}

/* A body's hash that is said counts, in either case of its digits. */
static void
test_content_hash(void)
{
	static const char lines[] = CALL_LINES "x-amz-date:" INSTANT "\n";
	static const char body_hash[] =
	"c8c4be3d0e1d9a1fdb4a4d66c7e4e1cb4bd3cf9e7ae7e4b1c0d9b7a6c5f4e3d2";
	Arrival		arrival;
	const char *problem = "";
	uint8_t		hash[CPW_SHA256_SIZE];
	CpwSigv4	signature;
	char		right[65];

	CHECK(cpw_sigv4_hash("x", 1, hash));
	cpw_hex_encode(hash, sizeof(hash), right);
	for (int i = 0; i < 2; i++)
	{
		arrive(&arrival, "POST", "/", "x");
		add_lines(&arrival, lines);
		add_header(&arrival.test, "x-amz-content-sha256",
				   i == 0 ? body_hash : right);
		sign(&arrival, CALL_SCOPE,
			 "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target",
			 CALL_SIGNATURE);
		CHECK(cpw_sigv4_parse(&arrival.request, &signature, &problem) ==
			  CPW_SIGV4_VALID);
		CHECK(cpw_sigv4_verify(&signature, &arrival.request, hash, SECRET,
							   &problem) == CPW_SIGV4_INVALID);
		CHECK((strstr(problem, "Sha256") != NULL) == (i == 0));
	}
}

/* ---- every byte counts ---- */

/* One bit of each byte that is signed, or that signs, is turned over. */
static void
test_mutations(void)
{
	Arrival		arrival;
	int			passed = 0;

	for (int item = 0;; item++)
	{
		arrive_call(&arrival);
		if (item == arrival.test.headers.count)
			break;
		/* Of the headers only user-agent is not signed. */
		if (arrival.test.items[item].name[0] == 'u')
			continue;
		for (size_t at = 0; at < arrival.test.items[item].value_length; at++)
			for (int bit = 0; bit < 8; bit++)
			{
				char	   *value = (char *) arrival.test.items[item].value;

				value[at] ^= (char) (1 << bit);
				passed += judge_call(&arrival) == CPW_SIGV4_VALID;
				value[at] ^= (char) (1 << bit);
			}
		CHECK(judge_call(&arrival) == CPW_SIGV4_VALID);
		guarded_release();
	}
	CHECK(passed == 0);

	for (size_t at = 0; at < strlen(CALL_BODY); at++)
	{
		char		body[] = CALL_BODY;

		body[at] ^= 1;
		arrive_call(&arrival);
		arrival.body = body;
		CHECK(judge_call(&arrival) == CPW_SIGV4_INVALID);
		guarded_release();
	}
	arrive_call(&arrival);
	arrival.request.method = "GET";
	CHECK(judge_call(&arrival) == CPW_SIGV4_INVALID);
}

static void
test_query_mutations(void)
{
	char		query[] = "/?" QUERY "&X-Amz-Signature=" QUERY_SIGNATURE;
	int			passed = 0;

	for (size_t at = 2; at < strlen(query); at++)
	{
		for (int bit = 0; bit < 7; bit++)
		{
			char		old = query[at];

			query[at] ^= (char) (1 << bit);
			/* Hexadecimal digits of an encoding have two cases. */
			if (query[at] != '\0' &&
				!(at > 2 && (query[at - 1] == '%' || query[at - 2] == '%')))
				passed += judge_query(query, SIGNED_AT) == CPW_SIGV4_VALID;
			query[at] = old;
			guarded_release();
		}
	}
	CHECK(passed == 0);
	CHECK(judge_query(query, SIGNED_AT) == CPW_SIGV4_VALID);
}

void
test_sigv4(void)
{
	test_published();
	test_botocore();
	test_times();
	test_calendar();
	test_authorization();
	test_headers_beside();
	test_content_hash();
	test_mutations();
	test_query_mutations();
}
