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

/* Takes the text up to the next comma (or the end) out of *rest. */
static Span
take_item(Span *rest)
{
	const char *comma = memchr(rest->text, ',', rest->length);
	Span		item = {rest->text, rest->length};
	size_t		taken = rest->length;

	if (comma != NULL)
	{
		item.length = (size_t) (comma - rest->text);
		taken = item.length + 1;
	}
	rest->text += taken;
	rest->length -= taken;
	return item;
}

/* Whether text is a port, or an obfuscated one ("_x"; RFC 7239, 6). */
static bool
is_port(Span span)
{
	bool		obfuscated = span.length > 1 && span.text[0] == '_';

	if (span.length == 0 || (span.length > 5 && !obfuscated))
		return false;
	for (size_t i = obfuscated ? 1 : 0; i < span.length; i++)
	{
		char		c = span.text[i];
		bool		letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			c == '.' || c == '_' || c == '-';

		if (!(c >= '0' && c <= '9') && !(obfuscated && letter))
			return false;
	}
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
	bool		bracketed = false;

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
		bracketed = true;
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
	if (!bracketed && inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		address->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		address->ss_family = AF_INET6;
}

/* The last hops that were read, in turn; count is of all of them. */
static void
add_hop(CpwHops *hops, const struct sockaddr_storage *address)
{
	hops->addresses[hops->count++ % CPW_MAX_HOPS] = *address;
}

/* From the order of reading to that of the result: the nearest first. */
static void
turn_round(CpwHops *hops)
{
	CpwHops		read = *hops;

	if (hops->count > CPW_MAX_HOPS)
		hops->count = CPW_MAX_HOPS;
	for (int i = 0; i < hops->count; i++)
		hops->addresses[i] =
			read.addresses[(read.count - 1 - i) % CPW_MAX_HOPS];
}

/* ---- Forwarded ---- */

static void
skip_space(Span *rest)
{
	while (rest->length > 0 && (*rest->text == ' ' || *rest->text == '\t'))
	{
		rest->text++;
		rest->length--;
	}
}

/* Whether the next byte is this one; takes it. */
static bool
take_byte(Span *rest, char byte)
{
	if (rest->length == 0 || *rest->text != byte)
		return false;
	rest->text++;
	rest->length--;
	return true;
}

/* Takes the bytes up to one that ends a name or a value without quotes. */
static Span
take_word(Span *rest, const char *ends)
{
	Span		word = {rest->text, 0};

	while (word.length < rest->length &&
		   (word.text[word.length] == '\0' ||
			strchr(ends, word.text[word.length]) == NULL))
		word.length++;
	rest->text += word.length;
	rest->length -= word.length;
	return word;
}

/* Takes a quoted string, its quotes included; false when it does not end. */
static bool
take_quoted(Span *rest, Span *quoted)
{
	size_t		i;

	for (i = 1; i < rest->length && rest->text[i] != '"'; i++)
		if (rest->text[i] == '\\')
			i++;
	if (i >= rest->length)
		return false;
	quoted->text = rest->text;
	quoted->length = i + 1;
	rest->text += i + 1;
	rest->length -= i + 1;
	return true;
}

/*
 * Takes an element, pairs of names and values between semicolons, with the
 * comma behind it. Its only "for" is the node, which is empty without one.
 * False when it is not of this form.
 */
static bool
take_element(Span *rest, Span *node)
{
	int			nodes = 0;

	*node = (Span) {rest->text, 0};
	do
	{
		Span		name;
		Span		value;

		skip_space(rest);
		name = take_word(rest, " \t\",;=");
		if (name.length > 0)
		{
			if (!take_byte(rest, '='))
				return false;
			if (rest->length > 0 && *rest->text == '"')
			{
				if (!take_quoted(rest, &value))
					return false;
			}
			else
				value = take_word(rest, " \t\",;");
			if (name.length == 3 && strncasecmp(name.text, "for", 3) == 0)
			{
				*node = value;
				nodes++;
			}
		}
		skip_space(rest);
	} while (take_byte(rest, ';'));
	return nodes <= 1 && (rest->length == 0 || take_byte(rest, ','));
}

/*
 * A client can open a quote that what the proxy appends would then end, or
 * fall into. So a value that is not well-formed from its start to its end says
 * nothing: it is one hop that is not an address.
 */
static void
read_forwarded(Span value, CpwHops *hops)
{
	struct sockaddr_storage address;

	while (skip_space(&value), value.length > 0)
	{
		Span		node;

		/* Empty elements of a list are nothing (RFC 9110, 5.6.1.2). */
		if (take_byte(&value, ','))
			continue;
		if (!take_element(&value, &node))
		{
			memset(&address, 0, sizeof(address));
			add_hop(hops, &address);
			return;
		}
		read_node(node, &address);
		add_hop(hops, &address);
	}
}

/* ---- X-Forwarded-For ---- */

/* It knows no quotes that could hide a comma. */
static void
read_list(Span value, CpwHops *hops)
{
	while (value.length > 0)
	{
		Span		item = trim(take_item(&value));
		struct sockaddr_storage address;

		if (item.length == 0)
			continue;
		read_node(item, &address);
		add_hop(hops, &address);
	}
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
		Span		value = {item->value, item->value_length};

		if (item->name_length != name_length ||
			memcmp(item->name, header, name_length) != 0)
			continue;
		if (has_names)
			read_forwarded(value, hops);
		else
			read_list(value, hops);
	}
	turn_round(hops);
}
