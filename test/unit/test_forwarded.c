/*
 * test_forwarded.c
 *		The hops in X-Forwarded-For and Forwarded.
 */
#include "base/forwarded.h"
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define LIST	"x-forwarded-for"
#define NAMES	"forwarded"

/* The hops as text, nearest first; "?" is no address. */
static void
describe(const CpwHops *hops, char *text, size_t size)
{
	size_t		length = 0;

	text[0] = '\0';
	for (int i = 0; i < hops->count; i++)
	{
		const struct sockaddr_storage *hop = &hops->addresses[i];
		char		address[INET6_ADDRSTRLEN] = "?";

		if (hop->ss_family == AF_INET)
			inet_ntop(AF_INET, &((const struct sockaddr_in *) hop)->sin_addr,
					  address, sizeof(address));
		else if (hop->ss_family == AF_INET6)
			inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) hop)->sin6_addr,
					  address, sizeof(address));
		else if (hop->ss_family != AF_UNSPEC)
			abort();
		length += (size_t) snprintf(text + length, size - length, "%s%s",
									i > 0 ? " " : "", address);
	}
}

static bool
reads(const TestHeaders *test, const char *header, const char *expected)
{
	CpwHops	   *hops = (CpwHops *) guarded_room(sizeof(CpwHops));
	char		text[CPW_MAX_HOPS * (INET6_ADDRSTRLEN + 1)];

	memset(hops, 0xa5, sizeof(*hops));
	cpw_forwarded_read(&test->headers, header, hops);
	if (hops->count < 0 || hops->count > CPW_MAX_HOPS)
		return false;
	describe(hops, text, sizeof(text));
	if (strcmp(text, expected) == 0)
		return true;
	printf("read: %s\n", text);
	return false;
}

/* One value, and its hops. */
typedef struct Row
{
	const char *value;
	const char *hops;
} Row;

static void
check_rows(const char *header, const Row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		TestHeaders test = {0};

		add_header(&test, "host", "localhost");
		add_header(&test, header, rows[i].value);
		CHECK_FOR(rows[i].value, reads(&test, header, rows[i].hops));
	}
}

static void
test_list(void)
{
	static const Row rows[] = {
		{"", ""},
		{" \t", ""},
		{",", ""},
		{" , ,,\t,", ""},
		{"192.0.2.1", "192.0.2.1"},
		{" \t192.0.2.1\t ", "192.0.2.1"},
		{"192.0.2.1, 198.51.100.2,203.0.113.3",
		"203.0.113.3 198.51.100.2 192.0.2.1"},
		{",192.0.2.1,,198.51.100.2, ,", "198.51.100.2 192.0.2.1"},
		{"192.0.2.1:80", "192.0.2.1"},
		{"192.0.2.1:65535", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::1"},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"[2001:db8::1]:4711", "2001:db8::1"},
		{"\"[2001:db8::1]:4711\"", "2001:db8::1"},
		{"\"192.0.2.1\"", "192.0.2.1"},
		{"::1", "::1"},
		{"::", "::"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1"},
		{"::ffff:c000:201", "::ffff:192.0.2.1"},

		/* no addresses */
		{"unknown", "?"},
		{"_hidden", "?"},
		{"localhost", "?"},
		{"192.0.2", "?"},
		{"192.0.2.256", "?"},
		{"192.0.2.1.5", "?"},
		{"192.0.2.01", "?"},
		{"0x7f000001", "?"},
		{"2130706433", "?"},
		{"192.0.2.1/32", "?"},
		{"192.0.2.1 192.0.2.2", "?"},
		{"192.0.2.1;x", "?"},
		{"for=192.0.2.1", "?"},
		{"192.0.2.1:", "?"},
		{"192.0.2.1:x", "?"},
		{"192.0.2.1:80x", "?"},
		{"192.0.2.1:-1", "?"},
		{"192.0.2.1:123456", "?"},
		{":80", "?"},
		{"[192.0.2.1]", "?"},
		{"[]", "?"},
		{"[", "?"},
		{"]", "?"},
		{"[2001:db8::1", "?"},
		{"2001:db8::1]", "?"},
		{"[2001:db8::1]x", "?"},
		{"[2001:db8::1]:", "?"},
		{"[2001:db8::1]:x", "?"},
		{"[2001:db8::1]80", "?"},
		{"[[2001:db8::1]]", "?"},
		{"2001:db8::1::2", "?"},
		{"2001:db8::g", "?"},
		{"fe80::1%eth0", "?"},
		{"\"", "?"},
		{"\"\"", "?"},
		{"\"\"192.0.2.1\"\"", "?"},
		{"\"192.0.2.1", "?"},
		{"192.0.2.1\"", "?"},
		{"192.0.2.1, unknown, 198.51.100.2", "198.51.100.2 ? 192.0.2.1"},

		/* A quote of the client's takes nothing from what is appended. */
		{"\", 203.0.113.9", "203.0.113.9 ?"},
		{"\"192.0.2.1, 203.0.113.9", "203.0.113.9 ?"},
		{"192.0.2.1\\\", 203.0.113.9", "203.0.113.9 ?"},
		{"\"192.0.2.1, 203.0.113.9, 192.0.2.1\"", "? 203.0.113.9 ?"},
	};

	check_rows(LIST, rows, COUNT_OF(rows));
}

static void
test_names(void)
{
	static const Row rows[] = {
		{"", ""},
		{" , ,", ""},
		{"for=192.0.2.1", "192.0.2.1"},
		{"FOR=192.0.2.1", "192.0.2.1"},
		{"for=192.0.2.43;proto=http, For=\"[2001:db8::1]:4711\"",
		"2001:db8::1 192.0.2.43"},
		{"for=192.0.2.43, for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com",
		"198.51.100.17 192.0.2.43"},
		{"proto=http;by=203.0.113.60;for=192.0.2.1", "192.0.2.1"},
		{" for=192.0.2.1 ; proto=http , for=198.51.100.2\t",
		"198.51.100.2 192.0.2.1"},
		{",for=192.0.2.1,,for=198.51.100.2,", "198.51.100.2 192.0.2.1"},
		{";for=192.0.2.1;;proto=http;", "192.0.2.1"},
		{"for=\"192.0.2.1\"", "192.0.2.1"},
		{"for=\"192.0.2.1:80\"", "192.0.2.1"},
		{"for=192.0.2.1:80", "192.0.2.1"},
		{"for=\"192.0.2.1:_port-1.x\"", "192.0.2.1"},
		{"for=\"[2001:db8::1]:_p\"", "2001:db8::1"},
		{"for=[2001:db8::1]", "2001:db8::1"},
		{"for=2001:db8::1", "2001:db8::1"},
		{"for=\"[::ffff:192.0.2.1]\"", "::ffff:192.0.2.1"},
		{"host=\"a,b;for=192.0.2.9\";for=192.0.2.1", "192.0.2.1"},
		{"for=192.0.2.1;host=\"a\\\",for=192.0.2.9\"", "192.0.2.1"},
		{"for=192.0.2.1;host=\"\"", "192.0.2.1"},
		{"for=192.0.2.1;host=a=b", "192.0.2.1"},

		/* not addresses, but hops */
		{"for=unknown", "?"},
		{"for=_gazonk", "?"},
		{"for=\"_gazonk:80\"", "?"},
		{"for=\"192.0.2.1:_\"", "?"},
		{"for=\"192.0.2.1:_p!\"", "?"},
		{"for=", "?"},
		{"for=\"\"", "?"},
		{"for=;proto=http", "?"},
		{"proto=http", "?"},
		{"fort=192.0.2.1", "?"},
		{"x-for=192.0.2.1", "?"},
		{"for=\"192.0.2.1\\\"\"", "?"},
		{"for=\"192.0.2.1, 192.0.2.2\"", "?"},
		{"for=\"1\\92.0.2.1\"", "?"},
		{"for=192.0.2.1, proto=http", "? 192.0.2.1"},
		{"for=192.0.2.1, for=unknown, for=198.51.100.2",
		"198.51.100.2 ? 192.0.2.1"},

		/* not well-formed: all of it says nothing */
		{"192.0.2.1", "?"},
		{"for", "?"},
		{"for =192.0.2.1", "?"},
		{"for= 192.0.2.1", "?"},
		{"=192.0.2.1", "?"},
		{"for=192.0.2.1 192.0.2.2", "?"},
		{"for=192.0.2.1;for=192.0.2.2", "?"},
		{"for=192.0.2.1;For=192.0.2.1", "?"},
		{"\"for=192.0.2.1\"", "?"},
		{"for=\"", "?"},
		{"for=\"\\", "?"},
		{"for=\"\\\"", "?"},
		{"for=\"192.0.2.1", "?"},
		{"for=192.0.2.1\"", "?"},
		{"for=\"192.0.2.1\"x", "?"},

		/* What a client opens before the proxy appends: never its address. */
		{"for=\", for=203.0.113.9", "?"},
		{"for=192.0.2.1;x=\", for=203.0.113.9", "?"},
		{"for=192.0.2.1;x=\"\\, for=203.0.113.9", "?"},
		{"for=192.0.2.1;x=\", for=\"[2001:db8::9]:80\"", "?"},
		{"for=192.0.2.1;x=\", for=203.0.113.9;host=\"a\\\"b\"", "?"},
		{"for=192.0.2.1;x=y\", for=203.0.113.9", "?"},
	};

	check_rows(NAMES, rows, COUNT_OF(rows));
}

/* Repeated headers are one list; other headers are none of it. */
static void
test_several(void)
{
	TestHeaders test = {0};

	CHECK(reads(&test, LIST, ""));
	CHECK(reads(&test, NAMES, ""));
	add_header(&test, LIST, "192.0.2.1, 192.0.2.2");
	add_header(&test, NAMES, "for=198.51.100.1");
	add_header(&test, LIST, "");
	add_header(&test, "x-forwarded", "192.0.2.8");
	add_header(&test, "x-forwarded-for-x", "192.0.2.8");
	add_header(&test, LIST, "192.0.2.3,");
	add_header(&test, NAMES, "for=\"");
	add_header(&test, NAMES, "for=198.51.100.2, for=198.51.100.3");
	CHECK(reads(&test, LIST, "192.0.2.3 192.0.2.2 192.0.2.1"));
	CHECK(reads(&test, NAMES, "198.51.100.3 198.51.100.2 ? 198.51.100.1"));
}

/* Of a long list the nearest ones. */
static void
test_many(void)
{
	char		value[16 * 80] = "";
	char		expected[16 * 80] = "";
	TestHeaders test = {0};

	for (int i = 1; i <= CPW_MAX_HOPS + 9; i++)
	{
		TestHeaders one = {0};

		snprintf(value + strlen(value), sizeof(value) - strlen(value),
				 "%s192.0.2.%d", i > 1 ? "," : "", i);
		expected[0] = '\0';
		for (int j = i; j > 0 && j > i - CPW_MAX_HOPS; j--)
			snprintf(expected + strlen(expected),
					 sizeof(expected) - strlen(expected),
					 "%s192.0.2.%d", j < i ? " " : "", j);
		add_header(&one, LIST, value);
		CHECK_FOR(value, reads(&one, LIST, expected));
		guarded_release();
	}

	/* The same, a header each ten. */
	expected[0] = '\0';
	for (int i = 1; i <= CPW_MAX_HOPS + 9; i++)
	{
		snprintf(value, sizeof(value), "for=192.0.2.%d", i);
		if (i > CPW_MAX_HOPS + 9 - MAX_TEST_HEADERS)
			add_header(&test, NAMES, value);
	}
	for (int i = CPW_MAX_HOPS + 9; i > CPW_MAX_HOPS + 9 - MAX_TEST_HEADERS; i--)
		snprintf(expected + strlen(expected),
				 sizeof(expected) - strlen(expected), "%s192.0.2.%d",
				 i < CPW_MAX_HOPS + 9 ? " " : "", i);
	CHECK(reads(&test, NAMES, expected));
}

/* Lengths around the room for a node, and NUL bytes. */
static void
test_odd_bytes(void)
{
	char		value[200];

	for (size_t length = 1; length < sizeof(value) - 8; length++)
	{
		TestHeaders test = {0};

		/* An address with so many zeros before it is none. */
		memset(value, '0', length);
		memcpy(value + length, "::1", 4);
		add_header(&test, LIST, value);
		CHECK_FOR(value, reads(&test, LIST, length <= 4 ? "::1" : "?"));
		test.headers.count = 0;
		memset(value, 'x', length);
		memcpy(value + length, ", ::1", 6);
		add_header(&test, LIST, value);
		CHECK_FOR(value, reads(&test, LIST, "::1 ?"));
		guarded_release();
	}

	{
		static const struct
		{
			const char *header;
			const char *bytes;
			size_t		length;
			const char *hops;
		}			rows[] = {
			{LIST, "192.0.2.1\0", 10, "?"},
			{LIST, "\0" "192.0.2.1", 10, "?"},
			{LIST, "192.0.2.1\0, 192.0.2.2", 21, "192.0.2.2 ?"},
			{NAMES, "for=192.0.2.1\0", 14, "?"},
			{NAMES, "f\0or=192.0.2.1", 14, "?"},
			{NAMES, "for=\"192.0.2.1\0\"", 16, "?"},
			{NAMES, "for=192.0.2.1;a=\0;b=c", 21, "192.0.2.1"},
			{NAMES, "for=192.0.2.1;\0", 15, "?"},
		};

		for (size_t i = 0; i < COUNT_OF(rows); i++)
		{
			TestHeaders test = {0};

			add_header(&test, rows[i].header, "");
			test.items[0].value = guarded_copy(rows[i].bytes, rows[i].length);
			test.items[0].value_length = rows[i].length;
			CHECK_FOR(rows[i].bytes, reads(&test, rows[i].header, rows[i].hops));
		}
	}
}

void
test_forwarded(void)
{
	test_list();
	test_names();
	test_several();
	test_many();
	test_odd_bytes();
}
