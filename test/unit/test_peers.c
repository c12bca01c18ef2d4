/*
 * test_peers.c
 *		Connections by address: against an array that counts as well.
 */
#include "net/peers.h"
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#define ADDRESSES	500

static CpwPeer
peer_of(const char *text)
{
	struct sockaddr_storage address;

	memset(&address, 0, sizeof(address));
	if (inet_pton(AF_INET, text,
				  &((struct sockaddr_in *) &address)->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text,
					   &((struct sockaddr_in6 *) &address)->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	else
		abort();

	/* The port is no part of it. */
	((struct sockaddr_in *) &address)->sin_port = (in_port_t) rand();
	return cpw_peer_of(&address);
}

static bool
are_same(const char *one, const char *other)
{
	CpwPeer		peer = peer_of(one);
	CpwPeer		peer_of_other = peer_of(other);

	return memcmp(&peer, &peer_of_other, sizeof(CpwPeer)) == 0;
}

static void
test_addresses(void)
{
	CHECK(are_same("192.0.2.1", "192.0.2.1"));
	CHECK(are_same("192.0.2.1", "::ffff:192.0.2.1"));
	CHECK(are_same("2001:db8::1", "2001:db8:0::1"));
	CHECK(!are_same("192.0.2.1", "192.0.2.2"));
	CHECK(!are_same("192.0.2.1", "::192.0.2.1"));
	CHECK(!are_same("0.0.0.0", "::"));
	CHECK(!are_same("2001:db8::1", "2001:db8::2"));
}

/* Comes and goes at random: at no time does a count differ. */
static void
test_counts(void)
{
	CpwPeers	peers = {0};
	CpwPeer		addresses[ADDRESSES];
	int			counts[ADDRESSES] = {0};
	int			total = 0;
	bool		right = true;
	bool		added = true;

	for (int i = 0; i < ADDRESSES; i++)
	{
		addresses[i] = (CpwPeer) {{0}};
		addresses[i].bytes[12] = 10;
		addresses[i].bytes[14] = (uint8_t) (i >> 8);
		addresses[i].bytes[15] = (uint8_t) i;
		right = right && cpw_peers_count(&peers, &addresses[i]) == 0;
	}
	CHECK(right);

	srand(1);
	for (int round = 0; round < 40000; round++)
	{
		int			i = rand() % ADDRESSES;
		bool		coming = rand() % 100 < (round / 5000 % 2 == 0 ? 60 : 40);

		if (coming)
		{
			added = added && cpw_peers_add(&peers, &addresses[i]);
			counts[i]++;
			total++;
		}
		else if (counts[i] > 0)
		{
			cpw_peers_remove(&peers, &addresses[i]);
			counts[i]--;
			total--;
		}
		right = right && cpw_peers_count(&peers, &addresses[i]) == counts[i];
		for (int j = 0; round % 500 == 0 && j < ADDRESSES; j++)
			right = right &&
				cpw_peers_count(&peers, &addresses[j]) == counts[j];
	}
	CHECK(added);
	CHECK(right);
	CHECK(total > 0);

	for (int i = 0; i < ADDRESSES; i++)
		while (counts[i]-- > 0)
			cpw_peers_remove(&peers, &addresses[i]);
	CHECK(peers.used == 0);
	for (int i = 0; i < ADDRESSES; i++)
		right = right && cpw_peers_count(&peers, &addresses[i]) == 0;
	CHECK(right);

	/* Nothing to take out, nothing taken out. */
	cpw_peers_remove(&peers, &addresses[0]);
	CHECK(peers.used == 0);
	free(peers.slots);
}

/* The past takes no room. */
static void
test_growth(void)
{
	CpwPeers	peers = {0};
	bool		added = true;

	for (uint32_t i = 0; i < 100000; i++)
	{
		CpwPeer		peer = {{0}};

		memcpy(peer.bytes + 12, &i, 4);
		added = added && cpw_peers_add(&peers, &peer);
		cpw_peers_remove(&peers, &peer);
	}
	CHECK(added);
	CHECK(peers.used == 0);
	CHECK(peers.capacity == 64);
	free(peers.slots);
}

void
test_peers(void)
{
	test_addresses();
	test_counts();
	test_growth();
}
