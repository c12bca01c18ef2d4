/*
 * browser.c
 *		What a browser says of a request beside what its page asks for.
 */
#include "base/browser.h"

#include <string.h>
#include <strings.h>

#include "base/headers.h"

static bool
equals(const char *text, size_t length, const char *wanted)
{
	return length == strlen(wanted) && strncasecmp(text, wanted, length) == 0;
}

bool
cpw_browser_says(const CpwHeaders *headers, const char *name,
				 const char *value)
{
	int			count;
	const CpwHeader *header = cpw_headers_find(headers, name, &count);

	return count == 1 && equals(header->value, header->value_length, value);
}

/* The value of a cookie in one header: "a=1; b=2". */
static const char *
find_pair(const CpwHeader *header, const char *name, size_t *length)
{
	const char *at = header->value;
	const char *end = at + header->value_length;
	const size_t name_length = strlen(name);

	while (at < end)
	{
		const char *stop = memchr(at, ';', (size_t) (end - at));

		if (stop == NULL)
			stop = end;
		while (at < stop && *at == ' ')
			at++;
		if ((size_t) (stop - at) > name_length && at[name_length] == '=' &&
			memcmp(at, name, name_length) == 0)
		{
			*length = (size_t) (stop - at) - name_length - 1;
			return at + name_length + 1;
		}
		at = stop + 1;
	}
	return NULL;
}

const char *
cpw_browser_cookie(const CpwHeaders *headers, const char *name,
				   size_t *length)
{
	for (int i = 0; i < headers->count; i++)
	{
		const CpwHeader *header = &headers->items[i];
		const char *value = NULL;

		if (equals(header->name, header->name_length, "cookie"))
			value = find_pair(header, name, length);
		if (value != NULL)
			return value;
	}
	return NULL;
}

bool
cpw_browser_may_read(const CpwHeaders *headers)
{
	return cpw_headers_find(headers, "sec-fetch-site", NULL) == NULL ||
		cpw_browser_says(headers, "sec-fetch-site", "same-origin") ||
		cpw_browser_says(headers, "sec-fetch-site", "none");
}

/* The Origin is that of the host that was asked. */
static bool
is_of_host(const CpwHeader *origin, const CpwHeaders *headers)
{
	int			count;
	const CpwHeader *host = cpw_headers_find(headers, "host", &count);
	const char *colon = memchr(origin->value, ':', origin->value_length);
	size_t		scheme;

	if (count != 1 || colon == NULL)
		return false;
	scheme = (size_t) (colon - origin->value);
	if (!equals(origin->value, scheme, "http") &&
		!equals(origin->value, scheme, "https"))
		return false;
	scheme += strlen("://");
	return origin->value_length == scheme + host->value_length &&
		memcmp(colon, "://", strlen("://")) == 0 &&
		strncasecmp(origin->value + scheme, host->value,
					host->value_length) == 0;
}

bool
cpw_browser_may_change(const CpwHeaders *headers, const char *origin)
{
	int			count;
	const CpwHeader *header = cpw_headers_find(headers, "origin", &count);

	/* A proxy may have changed the Host: then this alone is certain. */
	if (cpw_headers_find(headers, "sec-fetch-site", NULL) != NULL)
		return cpw_browser_says(headers, "sec-fetch-site", "same-origin");
	if (header == NULL)
		return true;
	return count == 1 &&
		((origin != NULL &&
		  equals(header->value, header->value_length, origin)) ||
		 is_of_host(header, headers));
}

bool
cpw_browser_is_forwarded_https(const CpwHeaders *headers)
{
	const CpwHeader *last = NULL;
	size_t		start;

	for (int i = 0; i < headers->count; i++)
		if (equals(headers->items[i].name, headers->items[i].name_length,
				   "x-forwarded-proto"))
			last = &headers->items[i];
	if (last == NULL)
		return false;
	start = last->value_length;
	while (start > 0 && last->value[start - 1] != ',' &&
		   last->value[start - 1] != ' ')
		start--;
	return equals(last->value + start, last->value_length - start, "https");
}
