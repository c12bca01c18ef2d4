/*
 * address.h
 *		Addresses of clients and the ranges that admit them, on PostgreSQL's
 *		inet.
 */
#ifndef CPW_ADDRESS_H
#define CPW_ADDRESS_H

#include "postgres.h"

#include <sys/socket.h>

#include "cp_webhook.h"
#include "utils/inet.h"

/*
 * A socket's address as inet, palloc'd; an IPv4 address mapped into IPv6
 * (::ffff:a.b.c.d) becomes the IPv4 one. NULL for another family.
 */
extern inet *cpw_address_from_socket(const struct sockaddr_storage *socket);

/* Reads one address, without a prefix length; false where it is none. */
extern bool cpw_address_parse(const char *text,
							  struct sockaddr_storage *socket);

/* What is wrong with a CIDR range or an address, as a clause; NULL: nothing. */
extern const char *cpw_address_range_fault(const char *range);

/* Whether the range holds the address; never across families. */
extern bool cpw_address_in_range(const inet *address, const inet *range);

/*
 * Checks a list of addresses and ranges, as cp_webhook.trusted_proxies has it:
 * NULL, or the first element (in a static buffer) that is none. Raises nothing.
 */
extern const char *cpw_address_check_ranges(const char *list);

/* Whether such a list (of trusted proxies) holds the address. Raises nothing. */
extern bool cpw_address_is_in_list(const struct sockaddr_storage *socket,
								   const char *list);

/*
 * The client's address. It is the peer's, unless that is in the list of trusted
 * proxies: then X-Forwarded-For (or Forwarded) is walked from the right up to
 * the first address that is not trusted. What is not an address ends the walk
 * at the proxy that wrote it, and where the two headers disagree it does not
 * begin: a proxy passes on the one that it does not write. In both cases false:
 * the client is somebody behind that proxy, and must not pass for it.
 */
extern bool cpw_address_of_client(const struct sockaddr_storage *peer,
								  const CpwHeaders *headers,
								  const char *trusted,
								  struct sockaddr_storage *client);

#endif							/* CPW_ADDRESS_H */
