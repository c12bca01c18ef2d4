/*
 * resolver.h
 *		Names of hosts to addresses, without waiting for a name server.
 *
 * The C library can only be waited for, for half a minute where no name server
 * answers, and who waits there serves nobody. So a thread of its own does, in
 * memory of its own, and the owner waits for a descriptor as for any other.
 */
#ifndef CPW_RESOLVER_H
#define CPW_RESOLVER_H

#include "net/socket.h"

typedef struct CpwResolver CpwResolver;

/*
 * Begins to look up hosts ("*": every address of the machine) for a port. NULL
 * and errno when that cannot be begun. Addresses that are written as such need
 * nobody to ask: with them alone all is known at once, and there is no thread.
 */
extern CpwResolver *cpw_resolver_start(const char *const *hosts, int count,
									   int port);

extern int	cpw_resolver_count(const CpwResolver *resolver);
extern const char *cpw_resolver_host(const CpwResolver *resolver, int i);

/* Readable when all is known; -1: it is known already. */
extern int	cpw_resolver_descriptor(const CpwResolver *resolver);

extern bool cpw_resolver_is_done(const CpwResolver *resolver);

/*
 * Appends the addresses of the i-th host that are not there yet to addresses,
 * *count of them, up to CPW_MAX_LISTEN_SOCKETS. Returns NULL, or what is wrong
 * with the host: a constant. A name that is not known yet has no addresses.
 */
extern const char *cpw_resolver_take(const CpwResolver *resolver, int i,
									 CpwSocketAddress *addresses, int *count);

/* Also while it looks up: the thread ends when it may. NULL: nothing. */
extern void cpw_resolver_free(CpwResolver *resolver);

#endif							/* CPW_RESOLVER_H */
