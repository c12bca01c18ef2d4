/*
 * test_framing.c
 *		What a request's head may say about its end.
 */
#include "base/framing.h"
#include "check.h"

static void
test_rows(void)
{
	/* Up to three headers; complaints about HTTP/1.1 and about HTTP/1.0. */
	static const struct
	{
		const char *headers[6];
		const char *complaint;
		const char *complaint_1_0;
	}			rows[] = {
		{{"host", "x"}, NULL, NULL},
		{{"host", ""}, NULL, NULL},
		{{"host", "example.com:80 \t"}, NULL, NULL},
		{{"host", "[::1]:8787"}, NULL, NULL},
		{{"host", "x", "content-length", "5"}, NULL, NULL},
		{{"host", "x", "x!#$%&'*+-.^_`|~9", " \t\x01\xff"}, NULL, NULL},
		{{"host", "x", "transfer-encoding", "chunked"},
			NULL, "Transfer-Encoding in HTTP/1.0"},
		{{"host", "x", "transfer-encoding", "CHUNKED"},
			NULL, "Transfer-Encoding in HTTP/1.0"},

		{{NULL}, "no Host", NULL},
		{{"hos", "x"}, "no Host", NULL},
		{{"host", "x", "host", "x"},
			"more than one Host", "more than one Host"},
		{{"host", "x y"}, "Host is not a host", "Host is not a host"},
		{{"host", "x/y"}, "Host is not a host", "Host is not a host"},
		{{"host", "x@y"}, "Host is not a host", "Host is not a host"},
		{{"host", "\x80"}, "Host is not a host", "Host is not a host"},

		{{"host", "x", "content-length", "5", "content-length", "5"},
			"more than one Content-Length", "more than one Content-Length"},
		{{"host", "x", "content-length", "5", "transfer-encoding", "chunked"},
			"both Transfer-Encoding and Content-Length",
			"both Transfer-Encoding and Content-Length"},
		{{"host", "x", "transfer-encoding", "chunked", "transfer-encoding", "chunked"},
			"Transfer-Encoding is not chunked", "Transfer-Encoding is not chunked"},
		{{"host", "x", "transfer-encoding", "chunked "},
			"Transfer-Encoding is not chunked", "Transfer-Encoding is not chunked"},
		{{"host", "x", "transfer-encoding", "gzip, chunked"},
			"Transfer-Encoding is not chunked", "Transfer-Encoding is not chunked"},
		{{"host", "x", "transfer-encoding", "identity"},
			"Transfer-Encoding is not chunked", "Transfer-Encoding is not chunked"},
		{{"host", "x", "transfer-encoding", ""},
			"Transfer-Encoding is not chunked", "Transfer-Encoding is not chunked"},
		{{"host", "x", "transfer-encoding", "chun\x0b" "ed"},
			"Transfer-Encoding is not chunked", "Transfer-Encoding is not chunked"},

		{{"host", "x", "", "5"},
			"a header's name has other characters than a token",
			"a header's name has other characters than a token"},
		{{"host", "x", "content-length ", "5"},
			"a header's name has other characters than a token",
			"a header's name has other characters than a token"},
		{{"host", "x", "\x80", "5"},
			"a header's name has other characters than a token",
			"a header's name has other characters than a token"},
		{{"host", "x", "a", "b\rc"},
			"a header contains the end of a line",
			"a header contains the end of a line"},
		{{"host", "x", "a", "b\n"},
			"a header contains the end of a line",
			"a header contains the end of a line"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		TestHeaders test = {0};

		for (int j = 0; j < 6 && rows[i].headers[j] != NULL; j += 2)
			add_header(&test, rows[i].headers[j], rows[i].headers[j + 1]);
		for (int old = 0; old < 2; old++)
		{
			const char *expected = old ? rows[i].complaint_1_0
				: rows[i].complaint;
			const char *complaint = cpw_framing_complaint(&test.headers,
														  old);

			CHECK_FOR(expected, (complaint == NULL) == (expected == NULL));
			CHECK_FOR(expected, complaint == NULL || expected == NULL ||
					  strcmp(complaint, expected) == 0);
		}
		guarded_release();
	}
}

/* A NUL, which the rows cannot hold. */
static void
test_nul(void)
{
	TestHeaders test = {0};

	add_header(&test, "host", "x");
	add_header(&test, "a", "b c");
	CHECK(cpw_framing_complaint(&test.headers, false) == NULL);
	((char *) test.items[1].value)[1] = '\0';
	CHECK(strcmp(cpw_framing_complaint(&test.headers, false),
				 "a header contains a NUL byte") == 0);
	((char *) test.items[1].value)[1] = ' ';
	((char *) test.items[1].name)[0] = '\0';
	CHECK(cpw_framing_complaint(&test.headers, false) != NULL);
	guarded_release();
}

void
test_framing(void)
{
	test_rows();
	test_nul();
}
