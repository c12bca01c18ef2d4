/*
 * peers.h
 *		How many connections each address has.
 */
#ifndef CPW_PEERS_H
#define CPW_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An address without its port; IPv4 as it is mapped into IPv6. */
typedef struct CpwPeer
{
	uint8_t		bytes[16];
} CpwPeer;

typedef struct CpwPeers
{
	struct CpwPeerCount *slots; /* a hash table with open addressing */
	size_t		capacity;		/* a power of two, or 0 */
	size_t		used;
	uint64_t	seed;			/* strangers choose the addresses */
} CpwPeers;

extern CpwPeer cpw_peer_of(const struct sockaddr_storage *address);

extern int	cpw_peers_count(const CpwPeers *peers, const CpwPeer *peer);

/* Counts one more; false when memory is short: then it is not counted. */
extern bool cpw_peers_add(CpwPeers *peers, const CpwPeer *peer);
extern void cpw_peers_remove(CpwPeers *peers, const CpwPeer *peer);

#endif							/* CPW_PEERS_H */
