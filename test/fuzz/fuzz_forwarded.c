/*
 * fuzz_forwarded.c
 *		The hops of X-Forwarded-For and Forwarded: whatever a client writes,
 *		what a proxy appends is the nearest hop, or there is no address.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/forwarded.h"
#include "fuzz.h"

#define MAX_LINES	80

static bool
is_proxys(const struct sockaddr_storage *hop)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *) hop;

	return hop->ss_family == AF_INET &&
		v4->sin_addr.s_addr == htonl(0xcb007109);	/* 203.0.113.9 */
}

/* Reads both headers into memory that ends with the hops. */
static CpwHops *
read_hops(const CpwHeaders *headers, const char *header)
{
	CpwHops    *hops = room(sizeof(CpwHops));

	memset(hops, 0xa5, sizeof(*hops));
	cpw_forwarded_read(headers, header, hops);
	MUST(hops->count >= 0 && hops->count <= CPW_MAX_HOPS);
	for (int i = 0; i < hops->count; i++)
		MUST(hops->addresses[i].ss_family == AF_UNSPEC ||
			 hops->addresses[i].ss_family == AF_INET ||
			 hops->addresses[i].ss_family == AF_INET6);
	return hops;
}

/* The client's value with that text behind it. */
static CpwHops *
read_appended(const uint8_t *data, size_t size, const char *header,
			  const char *appended)
{
	size_t		length = size + strlen(appended);
	char	   *value = room(length);
	CpwHeader	item = {header, strlen(header), value, length};
	CpwHeaders	headers = {&item, 1};
	CpwHops    *hops;

	if (size > 0)
		memcpy(value, data, size);
	memcpy(value + size, appended, strlen(appended));
	hops = read_hops(&headers, header);
	free(value);
	MUST(hops->count > 0);
	return hops;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const appended[] = {
		",for=203.0.113.9",
		", for=\"203.0.113.9:80\";proto=http",
		", host=\"a\\\"b\";for=203.0.113.9;by=\"[2001:db8::1]\"",
	};
	CpwHeader	lines[MAX_LINES];
	CpwHeaders	headers = {lines, 0};
	const char *text = (const char *) data;
	size_t		left = size;
	CpwHops    *hops;

	/* A line is a header; those that begin with ! are of the other name. */
	while (left > 0 && headers.count < MAX_LINES)
	{
		const char *end = memchr(text, '\n', left);
		size_t		length = end != NULL ? (size_t) (end - text) : left;
		bool		other = length > 0 && *text == '!';
		CpwHeader  *line = &lines[headers.count++];

		line->name = other ? "forwarded" : "x-forwarded-for";
		line->name_length = strlen(line->name);
		line->value = text + other;
		line->value_length = length - other;
		text += length + (end != NULL);
		left -= length + (end != NULL);
	}
	free(read_hops(&headers, "x-forwarded-for"));
	free(read_hops(&headers, "forwarded"));

	hops = read_appended(data, size, "x-forwarded-for", ", 203.0.113.9");
	MUST(is_proxys(&hops->addresses[0]));
	free(hops);
	for (size_t i = 0; i < sizeof(appended) / sizeof(appended[0]); i++)
	{
		hops = read_appended(data, size, "forwarded", appended[i]);
		MUST(is_proxys(&hops->addresses[0]) ||
			 hops->addresses[0].ss_family == AF_UNSPEC);
		free(hops);
	}
	return 0;
}
