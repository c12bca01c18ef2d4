/*
 * address.c
 *		Addresses of clients and the ranges that admit them.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/forwarded.h"
#include "base/headers.h"
#include "compat.h"
#include "fmgr.h"
#include "pg/address.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

static inet *
make_inet(unsigned char family, unsigned char bits, const void *bytes,
		  size_t length)
{
	inet	   *address = palloc0(sizeof(inet));

	ip_family(address) = family;
	ip_bits(address) = bits;
	memcpy(ip_addr(address), bytes, length);
	SET_INET_VARSIZE(address);
	return address;
}

inet *
cpw_address_from_socket(const struct sockaddr_storage *socket)
{
	if (socket->ss_family == AF_INET)
	{
		const struct sockaddr_in *v4 = (const struct sockaddr_in *) socket;

		return make_inet(PGSQL_AF_INET, 32, &v4->sin_addr, 4);
	}
	if (socket->ss_family == AF_INET6)
	{
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) socket;

		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			return make_inet(PGSQL_AF_INET, 32,
							 v6->sin6_addr.s6_addr + 12, 4);
		return make_inet(PGSQL_AF_INET6, 128, &v6->sin6_addr, 16);
	}
	return NULL;
}

bool
cpw_address_parse(const char *text, struct sockaddr_storage *socket)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *) socket;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) socket;

	memset(socket, 0, sizeof(*socket));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		socket->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		socket->ss_family = AF_INET6;
	return socket->ss_family != 0;
}

bool
cpw_address_in_range(const inet *address, const inet *range)
{
	return DatumGetBool(DirectFunctionCall2(network_subeq,
											InetPGetDatum(address),
											InetPGetDatum(range)));
}

/* ---- trusted proxies ---- */

typedef struct Range
{
	int			family;			/* PGSQL_AF_INET or PGSQL_AF_INET6 */
	int			bits;
	unsigned char bytes[16];
} Range;

/*
 * Takes the next element of a list; false at its end. range->family is 0 for
 * one that is no range. text is the element, for a message.
 */
static bool
next_range(const char **list, Range *range, char text[64])
{
	size_t		length;

	*list += strspn(*list, ", \t");
	if (**list == '\0')
		return false;
	length = strcspn(*list, ", \t");
	strlcpy(text, *list, Min(length + 1, 64));
	*list += length;
	range->family = strchr(text, ':') ? PGSQL_AF_INET6 : PGSQL_AF_INET;
	range->bits = length >= 64 ? -1 :
		pg_inet_net_pton(range->family, text, range->bytes, -1);
	if (range->bits < 0)
		range->family = 0;
	return true;
}

const char *
cpw_address_check_ranges(const char *list)
{
	static char text[64];
	Range		range;

	while (next_range(&list, &range, text))
		if (range.family == 0)
			return text;
	return NULL;
}

/* The address's bytes, IPv4 where it is mapped into IPv6. */
static const unsigned char *
address_bytes(const struct sockaddr_storage *socket, int *family)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) socket;

	if (socket->ss_family == AF_INET)
	{
		*family = PGSQL_AF_INET;
		return (const unsigned char *)
			&((const struct sockaddr_in *) socket)->sin_addr;
	}
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
	{
		*family = PGSQL_AF_INET;
		return v6->sin6_addr.s6_addr + 12;
	}
	*family = PGSQL_AF_INET6;
	return v6->sin6_addr.s6_addr;
}

bool
cpw_address_is_in_list(const struct sockaddr_storage *socket, const char *list)
{
	const unsigned char *bytes;
	int			family;
	char		text[64];
	Range		range;

	if (*list == '\0' ||
		(socket->ss_family != AF_INET && socket->ss_family != AF_INET6))
		return false;
	bytes = address_bytes(socket, &family);
	while (next_range(&list, &range, text))
		if (range.family == family &&
			bitncmp(bytes, range.bytes, range.bits) == 0)
			return true;
	return false;
}

/*
 * How far the walk along a header's hops comes. False when it ends at what is
 * not an address.
 */
static bool
walk(const struct sockaddr_storage *peer, const CpwHeaders *headers,
	 const char *header, const char *trusted, struct sockaddr_storage *client)
{
	CpwHops		hops;

	*client = *peer;
	cpw_forwarded_read(headers, header, &hops);
	for (int i = 0; i < hops.count; i++)
	{
		if (!cpw_address_is_in_list(client, trusted))
			break;
		if (hops.addresses[i].ss_family == AF_UNSPEC)
			return false;
		*client = hops.addresses[i];
	}
	return true;
}

static bool
is_same(const struct sockaddr_storage *one,
		const struct sockaddr_storage *other)
{
	int			family;
	int			other_family;
	const unsigned char *bytes = address_bytes(one, &family);
	const unsigned char *other_bytes = address_bytes(other, &other_family);

	return family == other_family &&
		memcmp(bytes, other_bytes, family == PGSQL_AF_INET ? 4 : 16) == 0;
}

bool
cpw_address_of_client(const struct sockaddr_storage *peer,
					  const CpwHeaders *headers, const char *trusted,
					  struct sockaddr_storage *client)
{
	bool		has_list;
	bool		has_names;
	bool		known;
	struct sockaddr_storage other;

	*client = *peer;
	if (!cpw_address_is_in_list(peer, trusted))
		return true;
	has_list = cpw_headers_find(headers, "x-forwarded-for", NULL) != NULL;
	has_names = cpw_headers_find(headers, "forwarded", NULL) != NULL;
	known = walk(peer, headers, has_list ? "x-forwarded-for" : "forwarded",
				 trusted, client);
	if (!has_list || !has_names)
		return known;
	if (walk(peer, headers, "forwarded", trusted, &other) && known &&
		is_same(client, &other))
		return true;
	*client = *peer;
	return false;
}

/* ---- ranges of definitions ---- */

/* Whether no bit of an address is set beyond its first bits. */
static bool
host_bits_are_zero(const unsigned char *address, int length, int bits)
{
	for (int i = 0; i < length; i++)
	{
		int			in_network = Max(0, Min(8, bits - i * 8));

		if ((address[i] & (0xff >> in_network)) != 0)
			return false;
	}
	return true;
}

/*
 * The server's own parser of inet does the work; what it takes beyond the usual
 * notation (10.1/16, 010.0.0.1) is refused, because others read it otherwise.
 * A range of mapped addresses would admit nobody: a client's IPv4 address is
 * compared as one.
 */
const char *
cpw_address_range_fault(const char *range)
{
	bool		is_v6 = strchr(range, ':') != NULL;
	int			length = is_v6 ? 16 : 4;
	unsigned char address[16] = {0};
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	const char *length_text;
	int			bits;
	int			dots = 0;

	if (strspn(range, is_v6 ? "0123456789abcdefABCDEF:./" : "0123456789./") !=
		strlen(range))
		return "is no CIDR range";
	bits = pg_inet_net_pton(is_v6 ? PGSQL_AF_INET6 : PGSQL_AF_INET, range,
							address, (size_t) -1);
	if (bits < 0)
		return "is no CIDR range";
	for (const char *p = range; *p != '\0' && *p != '/'; p++)
	{
		bool		begins = p == range || p[-1] == '.';

		dots += *p == '.';
		if (!is_v6 && begins && *p == '0' && p[1] >= '0' && p[1] <= '9')
			return "has an octet with a leading zero";
	}
	length_text = strchr(range, '/');
	if (length_text != NULL && length_text[1] == '0' && length_text[2] != '\0')
		return "has a prefix length with a leading zero";
	if (!is_v6 && dots != 3)
		return "is no CIDR range";
	if (!host_bits_are_zero(address, length, bits))
		return "has bits set to the right of its prefix length";
	if (is_v6 && bits >= 96 && memcmp(address, mapped, sizeof(mapped)) == 0)
		return "is an IPv4 range written as an IPv6 one";
	return NULL;
}
