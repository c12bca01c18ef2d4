/*
 * forwarded.h
 *		The addresses that proxies have written into a request's headers, from
 *		the nearest to the farthest.
 *
 * X-Forwarded-For is a list of addresses to which each proxy appends the one it
 * was called from. Forwarded (RFC 7239) is the same with names, quotes and
 * ports. Nothing here says which of them may be believed.
 */
#ifndef CPW_FORWARDED_H
#define CPW_FORWARDED_H

#include <sys/socket.h>

#include "cp_webhook.h"

/* More hops than these are not walked. */
#define CPW_MAX_HOPS	32

typedef struct CpwHops
{
	/* From the right; family AF_UNSPEC: not an address ("unknown"). */
	struct sockaddr_storage addresses[CPW_MAX_HOPS];
	int			count;
} CpwHops;

/*
 * Reads the hops of x-forwarded-for, or of forwarded, which is the header
 * given. Repeated headers are one list (RFC 9110, 5.3). Of a longer list the
 * nearest hops are taken. A value of Forwarded that is not well-formed is one
 * hop that is not an address.
 */
extern void cpw_forwarded_read(const CpwHeaders *headers, const char *header,
							   CpwHops *hops);

#endif							/* CPW_FORWARDED_H */
