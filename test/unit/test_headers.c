/*
 * test_headers.c
 *		Look-ups in a request's headers.
 */
#include "base/headers.h"
#include "check.h"

static bool
has_value(const CpwHeader *header, const char *value)
{
	if (value == NULL || header == NULL)
		return header == NULL && value == NULL;
	return header->value_length == strlen(value) &&
		memcmp(header->value, value, header->value_length) == 0;
}

static void
test_find(void)
{
	TestHeaders test = {0};
	int			occurrences = -1;

	CHECK(cpw_headers_find(&test.headers, "host", &occurrences) == NULL);
	CHECK(occurrences == 0);
	CHECK(cpw_headers_find(&test.headers, "host", NULL) == NULL);

	add_header(&test, "host", "localhost");
	add_header(&test, "accept", "a");
	add_header(&test, "accept", "b");
	add_header(&test, "accept-encoding", "c");
	add_header(&test, "empty", "");
	add_header(&test, "accept", "d");
	add_header(&test, "", "nameless");

	CHECK(has_value(cpw_headers_find(&test.headers, "host", &occurrences),
					"localhost"));
	CHECK(occurrences == 1);
	CHECK(has_value(cpw_headers_find(&test.headers, "accept", &occurrences),
					"a"));
	CHECK(occurrences == 3);
	CHECK(has_value(cpw_headers_find(&test.headers, "accept", NULL), "a"));
	CHECK(has_value(cpw_headers_find(&test.headers, "empty", &occurrences),
					""));
	CHECK(occurrences == 1);
	CHECK(cpw_headers_find(&test.headers, "accep", NULL) == NULL);
	CHECK(cpw_headers_find(&test.headers, "accept-", NULL) == NULL);
	CHECK(cpw_headers_find(&test.headers, "Host", NULL) == NULL);
}

/* Up to three headers, and what is found in them. */
static void
test_preferred(void)
{
	static const struct
	{
		const char *headers[6];
		const char *delivery_id;
		const char *event;
		bool		is_ping;
	}			rows[] = {
		{{"host", "x"}, NULL, NULL, false},
		{{"x-github-delivery", "1", "x-github-event", "push"},
		"1", "push", false},
		{{"x-github-event", "ping"}, NULL, "ping", true},
		{{"x-github-event", "PING"}, NULL, "PING", false},
		{{"x-github-event", "pin"}, NULL, "pin", false},
		{{"x-github-event", "pings"}, NULL, "pings", false},
		{{"x-gitea-event", "ping"}, NULL, "ping", false},
		{{"x-gogs-event", "ping"}, NULL, "ping", false},
		{{"x-gitea-event", "a", "x-github-event", "ping"}, NULL, "ping", true},
		{{"x-gitea-event", "ping", "x-github-event", "push"},
		NULL, "push", false},
		/* each name alone */
		{{"x-gitea-delivery", "2", "x-gitea-event", "e2"}, "2", "e2", false},
		{{"x-gogs-delivery", "3", "x-gogs-event", "e3"}, "3", "e3", false},
		{{"webhook-id", "4", "x-gitlab-event", "e4"}, "4", "e4", false},
		{{"idempotency-key", "5", "x-event-key", "e5"}, "5", "e5", false},
		{{"x-request-id", "6"}, "6", NULL, false},
		/* the order of preference, not of arrival */
		{{"x-gitea-delivery", "2", "x-github-delivery", "1"},
		"1", NULL, false},
		{{"x-gogs-delivery", "3", "x-gitea-delivery", "2"}, "2", NULL, false},
		{{"webhook-id", "4", "x-gogs-delivery", "3"}, "3", NULL, false},
		{{"idempotency-key", "5", "webhook-id", "4"}, "4", NULL, false},
		{{"x-request-id", "6", "idempotency-key", "5"}, "5", NULL, false},
		{{"x-event-key", "e5", "x-gitlab-event", "e4"}, NULL, "e4", false},
		{{"x-gitlab-event", "e4", "x-gogs-event", "e3"}, NULL, "e3", false},
		{{"x-gogs-event", "e3", "x-gitea-event", "e2"}, NULL, "e2", false},
		{{"x-gitea-event", "e2", "x-github-event", "e1"}, NULL, "e1", false},
		/* empty ones do not count */
		{{"x-github-delivery", "", "x-gitea-delivery", "2"}, "2", NULL, false},
		{{"x-github-delivery", "", "x-github-delivery", "1"},
		"1", NULL, false},
		{{"x-github-delivery", "", "x-github-event", ""}, NULL, NULL, false},
		/* names that only look alike */
		{{"x-github-deliver", "1", "x-github-events", "e"},
		NULL, NULL, false},
		{{"x-gitlab-event-uuid", "1", "x-github-hook-id", "e"},
		NULL, NULL, false},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		TestHeaders test = {0};
		const char *label = rows[i].headers[0];

		for (int n = 0; n < 6 && rows[i].headers[n] != NULL; n += 2)
			add_header(&test, rows[i].headers[n], rows[i].headers[n + 1]);
		CHECK_FOR(label, has_value(cpw_headers_delivery_id(&test.headers),
								   rows[i].delivery_id));
		CHECK_FOR(label, has_value(cpw_headers_event(&test.headers),
								   rows[i].event));
		CHECK_FOR(label,
				  cpw_headers_is_ping(&test.headers) == rows[i].is_ping);
	}
}

static void
test_secret(void)
{
	static const struct
	{
		const char *name;
		bool		is_secret;
	}			rows[] = {
		{"authorization", true},
		{"proxy-authorization", true},
		{"cookie", true},
		{"x-gitlab-token", true},
		{"x-api-key", true},
		{"api-key", true},
		{"apikey", true},
		{"x-auth-token", true},
		{"x-access-token", true},
		{"", false},
		{"authorizatio", false},
		{"authorizations", false},
		{"cookies", false},
		{"set-cookie", false},
		{"x-gitlab-event", false},
		{"x-hub-signature-256", false},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		TestHeaders test = {0};

		add_header(&test, rows[i].name, "value");
		CHECK_FOR(rows[i].name,
				  cpw_header_is_secret(&test.items[0]) == rows[i].is_secret);
	}
}

void
test_headers(void)
{
	test_find();
	test_preferred();
	test_secret();
}
