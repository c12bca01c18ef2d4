/*
 * forwarded.c
 *		The addresses that proxies have written into a request's headers.
 */
#ifdef POSTGRES_H
#error "src/base knows nothing of PostgreSQL"
#endif

#include "base/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

/* Longer than any address with brackets, quotes and a port. */
#define MAX_NODE	64

/* A part of a header's value. */
typedef struct Span
{
	const char *text;
	size_t		length;
} Span;

static Span
trim(Span span)
{
	while (span.length > 0 && (*span.text == ' ' || *span.text == '\t'))
	{
		span.text++;
		span.length--;
	}
	while (span.length > 0 && (span.text[span.length - 1] == ' ' ||
							   span.text[span.length - 1] == '\t'))
		span.length--;
	return span;
}

/*
 * Takes the text up to the separator (or the end) out of *rest. Separators in
 * quotes do not count.
 */
static Span
take(Span *rest, char separator)
{
	Span		part = {rest->text, 0};
	bool		quoted = false;
	size_t		i;

	for (i = 0; i < rest->length; i++)
	{
		char		c = rest->text[i];

		if (quoted && c == '\\' && i + 1 < rest->length)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == separator && !quoted)
			break;
	}
	part.length = i;
	if (i < rest->length)
		i++;
	rest->text += i;
	rest->length -= i;
	return part;
}

/* Whether text is a port, or the port of an obfuscated one ("_x"). */
static bool
is_port(Span span)
{
	if (span.length == 0 || span.length > 6)
		return false;
	for (size_t i = 0; i < span.length; i++)
		if (span.text[i] < '0' || span.text[i] > '9')
			return false;
	return true;
}

/*
 * Reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or
 * "[2001:db8::1]:80", quotes around it taken off.
 */
static void
read_node(Span node, struct sockaddr_storage *address)
{
	char		text[MAX_NODE];
	struct sockaddr_in *v4 = (struct sockaddr_in *) address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) address;
	const char *colon;

	memset(address, 0, sizeof(*address));
	node = trim(node);
	if (node.length >= 2 && node.text[0] == '"' &&
		node.text[node.length - 1] == '"')
	{
		node.text++;
		node.length -= 2;
	}
	if (node.length == 0 || node.length >= sizeof(text) ||
		memchr(node.text, '\0', node.length) != NULL)
		return;
	if (node.text[0] == '[')
	{
		const char *end = memchr(node.text, ']', node.length);
		Span		behind;

		if (end == NULL)
			return;
		behind.text = end + 1;
		behind.length = node.length - (size_t) (end + 1 - node.text);
		if (behind.length > 0)
		{
			if (*behind.text != ':')
				return;
			behind.text++;
			behind.length--;
			if (!is_port(behind))
				return;
		}
		node.text++;
		node.length = (size_t) (end - node.text);
	}
	else if ((colon = memchr(node.text, ':', node.length)) != NULL &&
			 memchr(colon + 1, ':', node.length -
					(size_t) (colon + 1 - node.text)) == NULL)
	{
		/* One colon: an IPv4 address with its port. */
		Span		port = {colon + 1, node.length -
			(size_t) (colon + 1 - node.text)};

		if (!is_port(port))
			return;
		node.length = (size_t) (colon - node.text);
	}
	memcpy(text, node.text, node.length);
	text[node.length] = '\0';
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		address->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		address->ss_family = AF_INET6;
}

/* The value of "for" in an element of Forwarded; empty without one. */
static Span
find_for(Span element)
{
	Span		none = {element.text, 0};

	while (element.length > 0)
	{
		Span		pair = trim(take(&element, ';'));

		if (pair.length > 4 && strncasecmp(pair.text, "for=", 4) == 0)
		{
			pair.text += 4;
			pair.length -= 4;
			return pair;
		}
	}
	return none;
}

/* Puts one more address before the others, and drops the farthest. */
static void
add_nearer(CpwHops *hops, const struct sockaddr_storage *address)
{
	if (hops->count < CPW_MAX_HOPS)
		hops->count++;
	memmove(&hops->addresses[1], &hops->addresses[0],
			(size_t) (hops->count - 1) * sizeof(hops->addresses[0]));
	hops->addresses[0] = *address;
}

void
cpw_forwarded_read(const CpwHeaders *headers, const char *header,
				   CpwHops *hops)
{
	size_t		name_length = strlen(header);
	bool		has_names = strcmp(header, "forwarded") == 0;

	hops->count = 0;
	for (int i = 0; i < headers->count; i++)
	{
		const CpwHeader *item = &headers->items[i];
		Span		rest = {item->value, item->value_length};

		if (item->name_length != name_length ||
			memcmp(item->name, header, name_length) != 0)
			continue;
		while (rest.length > 0)
		{
			Span		element = trim(take(&rest, ','));
			struct sockaddr_storage address;

			/* Empty elements of a list are nothing (RFC 9110, 5.6.1.2). */
			if (element.length == 0)
				continue;
			read_node(has_names ? find_for(element) : element, &address);
			add_nearer(hops, &address);
		}
	}
}
