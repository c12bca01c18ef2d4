/*
 * test_browser.c
 *		What a browser says of a request: cookies, Fetch Metadata, Origin.
 */
#include "base/browser.h"
#include "check.h"

static bool
has_cookie(const char *header, const char *name, const char *wanted)
{
	TestHeaders test = {0};
	size_t		length = 0;
	const char *value;

	add_header(&test, "accept", "*/*");
	add_header(&test, "cookie", header);
	value = cpw_browser_cookie(&test.headers, name, &length);
	if (wanted == NULL || value == NULL)
		return wanted == NULL && value == NULL;
	return length == strlen(wanted) && memcmp(value, wanted, length) == 0;
}

static void
test_cookies(void)
{
	static const struct
	{
		const char *header;
		const char *value;		/* of the cookie "key" */
	}			rows[] = {
		{"key=1", "1"},
		{"a=b; key=1; c=d", "1"},
		{"key=1;c=d", "1"},
		{"a=key=2; key=1", "1"},
		{"key=1; key=2", "1"},
		{"key=", ""},
		{"key=a=b", "a=b"},
		{"xkey=1; keyx=2", NULL},
		{"key", NULL},
		{"", NULL},
		{";;  ; ", NULL},
		{"KEY=1", NULL},
	};
	TestHeaders none = {0};
	size_t		length;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_FOR(rows[i].header,
				  has_cookie(rows[i].header, "key", rows[i].value));
	CHECK(cpw_browser_cookie(&none.headers, "key", &length) == NULL);
}

typedef struct Row
{
	const char *site;			/* sec-fetch-site; NULL: none */
	const char *origin;
	bool		may_read;
	bool		may_change;
} Row;

static void
test_origins(void)
{
	static const Row rows[] = {
		{NULL, NULL, true, true},
		{"same-origin", NULL, true, true},
		{"same-origin", "https://host:1", true, true},
		{"none", NULL, true, false},
		{"same-site", NULL, false, false},
		{"same-site", "http://host:1", false, false},
		{"cross-site", "http://host:1", false, false},
		{"", NULL, false, false},
		{NULL, "http://host:1", true, true},
		{NULL, "https://HOST:1", true, true},
		{NULL, "https://proxy.example", true, true},
		{NULL, "http://proxy.example", true, false},
		{NULL, "https://proxy.example.evil", true, false},
		{NULL, "http://host:2", true, false},
		{NULL, "http://host", true, false},
		{NULL, "http://host:11", true, false},
		{NULL, "ftp://host:1", true, false},
		{NULL, "http:host:1", true, false},
		{NULL, "http:", true, false},
		{NULL, "null", true, false},
		{NULL, "", true, false},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const Row  *row = &rows[i];
		TestHeaders test = {0};

		add_header(&test, "host", "host:1");
		if (row->site != NULL)
			add_header(&test, "sec-fetch-site", row->site);
		if (row->origin != NULL)
			add_header(&test, "origin", row->origin);
		CHECK_FOR(row->site,
				  cpw_browser_may_read(&test.headers) == row->may_read);
		CHECK_FOR(row->origin,
				  cpw_browser_may_change(&test.headers,
										 "https://proxy.example") ==
				  row->may_change);
	}
}

static void
test_twice(void)
{
	TestHeaders test = {0};

	add_header(&test, "host", "host:1");
	add_header(&test, "origin", "http://host:1");
	add_header(&test, "origin", "http://host:1");
	CHECK(!cpw_browser_may_change(&test.headers, NULL));
	CHECK(!cpw_browser_says(&test.headers, "origin", "http://host:1"));
	CHECK(cpw_browser_says(&test.headers, "host", "HOST:1"));
	CHECK(!cpw_browser_says(&test.headers, "none", ""));
}

static bool
is_https(const char *first, const char *second)
{
	TestHeaders test = {0};

	if (first != NULL)
		add_header(&test, "x-forwarded-proto", first);
	if (second != NULL)
		add_header(&test, "x-forwarded-proto", second);
	return cpw_browser_is_forwarded_https(&test.headers);
}

void
test_browser(void)
{
	test_cookies();
	test_origins();
	test_twice();
	CHECK(is_https("https", NULL));
	CHECK(is_https("http, HTTPS", NULL));
	CHECK(is_https("http", "https"));
	CHECK(!is_https("https, http", NULL));
	CHECK(!is_https("https", "http"));
	CHECK(!is_https("xhttps", NULL));
	CHECK(!is_https("", NULL));
	CHECK(!is_https(NULL, NULL));
}
