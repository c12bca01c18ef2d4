/*
 * address.h
 *		Addresses of clients and the ranges that admit them, on PostgreSQL's
 *		inet.
 */
#ifndef CPW_ADDRESS_H
#define CPW_ADDRESS_H

#include "postgres.h"

#include <sys/socket.h>

#include "utils/inet.h"

/*
 * A socket's address as inet, palloc'd; an IPv4 address mapped into IPv6
 * (::ffff:a.b.c.d) becomes the IPv4 one. NULL for another family.
 */
extern inet *cpw_address_from_socket(const struct sockaddr_storage *socket);

/* Whether the range holds the address; never across families. */
extern bool cpw_address_in_range(const inet *address, const inet *range);

#endif							/* CPW_ADDRESS_H */
