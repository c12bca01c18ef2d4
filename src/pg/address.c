/*
 * address.c
 *		Addresses of clients and the ranges that admit them.
 */
#include "postgres.h"

#include <netinet/in.h>

#include "compat.h"
#include "fmgr.h"
#include "pg/address.h"
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
cpw_address_in_range(const inet *address, const inet *range)
{
	return DatumGetBool(DirectFunctionCall2(network_subeq,
											InetPGetDatum(address),
											InetPGetDatum(range)));
}
