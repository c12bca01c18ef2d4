/*
 * test_verdict.c
 *		The table of verdicts, and the bodies of answers.
 */
#include "base/verdict.h"
#include "check.h"

#define ID "01890a5d-ac96-774b-bcce-b302099a8057"

static void
test_table(void)
{
	static const struct
	{
		CpwVerdict	verdict;
		int			status;
		const char *outcome;
		const char *name;		/* of the error, or the status */
	}			rows[] = {
		{CPW_VERDICT_PENDING, 503, NULL, "unavailable"},
		{CPW_VERDICT_TRIGGERED, 200, "triggered", "triggered"},
		{CPW_VERDICT_IGNORED, 200, "ignored", "ignored"},
		{CPW_VERDICT_DUPLICATE, 200, "duplicate", "duplicate"},
		{CPW_VERDICT_PONG, 200, "pong", "pong"},
		{CPW_VERDICT_HEALTHY, 200, NULL, "ok"},
		{CPW_VERDICT_BAD_REQUEST, 400, "rejected", "bad_request"},
		{CPW_VERDICT_BAD_JSON, 400, "rejected", "bad_json"},
		{CPW_VERDICT_BAD_SIGNATURE, 401, "rejected", "bad_signature"},
		{CPW_VERDICT_ADDRESS_DENIED, 403, "rejected", "address_denied"},
		{CPW_VERDICT_NOT_FOUND, 404, NULL, "not_found"},
		{CPW_VERDICT_METHOD_NOT_ALLOWED, 405, NULL, "method_not_allowed"},
		{CPW_VERDICT_TIMEOUT, 408, NULL, "timeout"},
		{CPW_VERDICT_BODY_TOO_LARGE, 413, "rejected", "body_too_large"},
		{CPW_VERDICT_UNSUPPORTED_MEDIA_TYPE, 415, "rejected",
		"unsupported_media_type"},
		{CPW_VERDICT_HEADERS_TOO_LARGE, 431, "rejected", "headers_too_large"},
		{CPW_VERDICT_UNAVAILABLE, 503, NULL, "unavailable"},
	};

	/* Every verdict is here, and so has a meaning. */
	CHECK(COUNT_OF(rows) == CPW_VERDICT_COUNT);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const CpwVerdictMeaning *meaning =
			cpw_verdict_meaning(rows[i].verdict);
		const char *name = rows[i].name;
		const char *found = meaning->status < 300 ?
			meaning->message : meaning->error;

		CHECK_FOR(name, rows[i].verdict == (CpwVerdict) i);
		CHECK_FOR(name, meaning->status == rows[i].status);
		CHECK_FOR(name, (meaning->error == NULL) == (meaning->status < 300));
		CHECK_FOR(name, found != NULL && strcmp(found, name) == 0);
		CHECK_FOR(name, (meaning->outcome == NULL) ==
				  (rows[i].outcome == NULL));
		if (meaning->outcome != NULL && rows[i].outcome != NULL)
			CHECK_FOR(name, strcmp(meaning->outcome, rows[i].outcome) == 0);
		/* shorter than what a body has room for */
		CHECK_FOR(name, meaning->message != NULL &&
				  strlen(meaning->message) > 0 &&
				  strlen(meaning->message) < 200);
	}

	CHECK(cpw_verdict_meaning((CpwVerdict) CPW_VERDICT_COUNT)->status == 503);
	CHECK(cpw_verdict_meaning((CpwVerdict) -1)->status == 503);
}

static void
test_body(void)
{
	static const struct
	{
		CpwVerdict	verdict;
		const char *execution_id;
		const char *detail;
		const char *body;
	}			rows[] = {
		{CPW_VERDICT_TRIGGERED, ID, NULL,
		"{\"status\":\"triggered\",\"pipelineExecutionId\":\"" ID "\"}"},
		{CPW_VERDICT_DUPLICATE, ID, NULL,
		"{\"status\":\"duplicate\",\"pipelineExecutionId\":\"" ID "\"}"},
		{CPW_VERDICT_TRIGGERED, NULL, NULL, "{\"status\":\"triggered\"}"},
		{CPW_VERDICT_IGNORED, ID, "not shown", "{\"status\":\"ignored\"}"},
		{CPW_VERDICT_PONG, NULL, NULL, "{\"status\":\"pong\"}"},
		{CPW_VERDICT_HEALTHY, NULL, NULL, "{\"status\":\"ok\"}"},
		{CPW_VERDICT_NOT_FOUND, ID, NULL,
			"{\"error\":\"not_found\","
		"\"message\":\"There is no webhook at this URL\"}"},
		{CPW_VERDICT_BAD_JSON, NULL, "line 1",
		"{\"error\":\"bad_json\",\"message\":\"line 1\"}"},
		{CPW_VERDICT_BAD_JSON, NULL, "",
		"{\"error\":\"bad_json\",\"message\":\"\"}"},
		{CPW_VERDICT_BAD_JSON, NULL, "a\"b\\c/d\n\t\x01\x1f\x7f\xc3\xa9",
			"{\"error\":\"bad_json\",\"message\":\""
		"a\\\"b\\\\c/d\\u000a\\u0009\\u0001\\u001f\x7f\xc3\xa9\"}"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		char	   *body = guarded_room(CPW_ANSWER_SIZE);
		size_t		length = cpw_verdict_body(rows[i].verdict,
											  rows[i].execution_id,
											  rows[i].detail, body);

		CHECK_BYTES_FOR(rows[i].body, body, length + 1, rows[i].body,
						strlen(rows[i].body) + 1);
	}

	for (int i = 0; i < CPW_VERDICT_COUNT; i++)
	{
		char	   *body = guarded_room(CPW_ANSWER_SIZE);
		size_t		length = cpw_verdict_body((CpwVerdict) i, ID, NULL, body);

		CHECK(length == strlen(body) && body[0] == '{' &&
			  strcmp(body + length - 2, "\"}") == 0);
	}
}

/* Details of every length around the limit, of characters of every kind. */
static void
test_cutting(void)
{
	static const struct
	{
		const char *character;
		const char *written;
	}			rows[] = {
		{"a", "a"},
		{"\"", "\\\""},
		{"\n", "\\u000a"},
		{"\xc3\xa9", "\xc3\xa9"},
		{"\xe2\x82\xac", "\xe2\x82\xac"},
		{"\xf0\x9f\x8e\x89", "\xf0\x9f\x8e\x89"},
	};
	static const char head[] = "{\"error\":\"bad_json\",\"message\":\"";

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		size_t		step = strlen(rows[i].character);
		size_t		written_step = strlen(rows[i].written);

		/* shifted by plain characters, so that each remainder comes */
		for (size_t shift = 0; shift < 7; shift++)
		{
			char		detail[4 * CPW_ANSWER_SIZE + 8];
			char	   *body = guarded_room(CPW_ANSWER_SIZE);
			size_t		length;
			size_t		room = CPW_ANSWER_SIZE - sizeof(head) + 1 - 3;
			size_t		fitting = (room - shift) / written_step;
			bool		whole = true;

			memset(detail, 'x', shift);
			for (size_t n = 0; n < CPW_ANSWER_SIZE; n++)
				memcpy(detail + shift + n * step, rows[i].character, step);
			detail[shift + CPW_ANSWER_SIZE * step] = '\0';

			length = cpw_verdict_body(CPW_VERDICT_BAD_JSON, NULL,
									  guarded_copy(detail,
												   strlen(detail) + 1),
									  body);
			CHECK_FOR(rows[i].written,
					  length == sizeof(head) - 1 + shift +
					  fitting * written_step + 2);
			CHECK_FOR(rows[i].written, strlen(body) == length &&
					  strcmp(body + length - 2, "\"}") == 0);
			for (size_t n = 0; n < fitting; n++)
				whole = whole && memcmp(body + sizeof(head) - 1 + shift +
										n * written_step, rows[i].written,
										written_step) == 0;
			CHECK_FOR(rows[i].written, whole);
		}
	}

	/* A detail that ends within a character: its end is its end. */
	{
		char		body[CPW_ANSWER_SIZE];

		(void) cpw_verdict_body(CPW_VERDICT_BAD_JSON, NULL,
								guarded_copy("\xf0\x9f", 3), body);
		CHECK(strstr(body, "\xf0\x9f\"}") != NULL);
	}
}

void
test_verdict(void)
{
	test_table();
	test_body();
	test_cutting();
}
