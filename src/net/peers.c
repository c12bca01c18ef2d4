/*
 * peers.c
 *		How many connections each address has.
 *
 * Linear probing; an entry that is taken out is closed up, so that no mark of
 * it stays and the table never fills with the past.
 */
#include "net/peers.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_CAPACITY		64

typedef struct CpwPeerCount
{
	CpwPeer		peer;
	int			count;			/* 0: the slot is free */
} CpwPeerCount;

CpwPeer
cpw_peer_of(const struct sockaddr_storage *address)
{
	CpwPeer		peer = {{0}};

	if (address->ss_family == AF_INET)
	{
		peer.bytes[10] = 0xff;
		peer.bytes[11] = 0xff;
		memcpy(peer.bytes + 12,
			   &((const struct sockaddr_in *) address)->sin_addr, 4);
	}
	else if (address->ss_family == AF_INET6)
		memcpy(peer.bytes,
			   &((const struct sockaddr_in6 *) address)->sin6_addr, 16);
	return peer;
}

/* Mixes the seed with both halves (the finalizer of MurmurHash3). */
static size_t
home_of(const CpwPeers *peers, const CpwPeer *peer)
{
	uint64_t	halves[2];
	uint64_t	hash = peers->seed;

	memcpy(halves, peer->bytes, sizeof(halves));
	for (int i = 0; i < 2; i++)
	{
		hash ^= halves[i];
		hash ^= hash >> 33;
		hash *= UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 33;
		hash *= UINT64_C(0xc4ceb9fe1a85ec53);
		hash ^= hash >> 33;
	}
	return (size_t) hash & (peers->capacity - 1);
}

/* The peer's slot, or the free one where it would be. */
static CpwPeerCount *
find_slot(const CpwPeers *peers, const CpwPeer *peer)
{
	size_t		i = home_of(peers, peer);

	while (peers->slots[i].count > 0 &&
		   memcmp(&peers->slots[i].peer, peer, sizeof(CpwPeer)) != 0)
		i = (i + 1) & (peers->capacity - 1);
	return &peers->slots[i];
}

int
cpw_peers_count(const CpwPeers *peers, const CpwPeer *peer)
{
	return peers->capacity == 0 ? 0 : find_slot(peers, peer)->count;
}

/* Makes room for one more at half full. */
static bool
grow(CpwPeers *peers)
{
	CpwPeers	larger = *peers;

	if (peers->used * 2 < peers->capacity)
		return true;
	larger.capacity = peers->capacity ? peers->capacity * 2 : FIRST_CAPACITY;
	if (peers->capacity == 0 &&
		getrandom(&larger.seed, sizeof(larger.seed), GRND_NONBLOCK) !=
		(ssize_t) sizeof(larger.seed))
		return false;
	larger.slots = calloc(larger.capacity, sizeof(CpwPeerCount));
	if (larger.slots == NULL)
		return false;
	for (size_t i = 0; i < peers->capacity; i++)
		if (peers->slots[i].count > 0)
			*find_slot(&larger, &peers->slots[i].peer) = peers->slots[i];
	free(peers->slots);
	*peers = larger;
	return true;
}

bool
cpw_peers_add(CpwPeers *peers, const CpwPeer *peer)
{
	CpwPeerCount *slot;

	if (!grow(peers))
		return false;
	slot = find_slot(peers, peer);
	if (slot->count == 0)
	{
		slot->peer = *peer;
		peers->used++;
	}
	slot->count++;
	return true;
}

void
cpw_peers_remove(CpwPeers *peers, const CpwPeer *peer)
{
	CpwPeerCount *slot = find_slot(peers, peer);
	size_t		mask = peers->capacity - 1;
	size_t		hole = (size_t) (slot - peers->slots);

	if (slot->count == 0 || --slot->count > 0)
		return;
	peers->used--;

	/* Moves back what probed past the hole. */
	for (size_t i = (hole + 1) & mask; peers->slots[i].count > 0;
		 i = (i + 1) & mask)
	{
		size_t		home = home_of(peers, &peers->slots[i].peer);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		peers->slots[hole] = peers->slots[i];
		peers->slots[i].count = 0;
		hole = i;
	}
}
