/*
 * connections.c
 *		A listener's connections.
 *
 * A connection that is overdue is shut down; the library then sees its end.
 */
#include "net/connections.h"

#include <stdlib.h>

/* For which none is taken when the system refused one. */
#define PAUSE_MS		100

bool
cpw_connections_init(CpwConnections *connections, int epoll_fd)
{
	connections->lingering.epoll_fd = epoll_fd;
	return cpw_hangups_init(&connections->hangups, epoll_fd);
}

void
cpw_connections_free(CpwConnections *connections)
{
	cpw_hangups_end(&connections->hangups);
}

bool
cpw_connections_have_room(const CpwConnections *connections)
{
	return connections->count < connections->max &&
		connections->pause.list == NULL;
}

bool
cpw_connections_admit(CpwConnections *connections,
					  const struct sockaddr_storage *peer)
{
	CpwPeer		address;

	if (connections->max_per_ip == 0)
		return true;
	address = cpw_peer_of(peer);
	if (cpw_peers_count(&connections->peers, &address) <
		connections->max_per_ip || connections->is_exempt(peer))
		return true;
	connections->refused++;
	return false;
}

void
cpw_connections_pause(CpwConnections *connections)
{
	cpw_deadline_set(&connections->pause, &connections->pauses, PAUSE_MS);
}

CpwConnection *
cpw_connections_begin(CpwConnections *connections, int fd, void *handle,
					  const struct sockaddr_storage *peer)
{
	CpwConnection *connection = calloc(1, sizeof(CpwConnection));

	if (connection == NULL)
		return NULL;
	connection->fd = fd;
	connection->handle = handle;
	connection->peer = cpw_peer_of(peer);
	connection->counted = cpw_peers_add(&connections->peers,
										&connection->peer);
	connections->count++;
	cpw_hangup_watch(&connections->hangups, &connection->hangup, fd);
	cpw_deadline_set(&connection->deadline, &connections->exchanging,
					 connections->request_timeout);
	return connection;
}

void
cpw_connections_end(CpwConnections *connections, CpwConnection *connection)
{
	cpw_hangup_forget(&connections->hangups, &connection->hangup);
	cpw_deadline_clear(&connection->deadline);
	if (connection->counted)
		cpw_peers_remove(&connections->peers, &connection->peer);
	connections->count--;
	free(connection);
}

void
cpw_connections_begin_exchange(CpwConnections *connections,
							   CpwConnection *connection,
							   const CpwRequest *request)
{
	connection->request = request;
	if (connection->served)
		cpw_deadline_set(&connection->deadline, &connections->exchanging,
						 connections->request_timeout);
}

void
cpw_connections_end_exchange(CpwConnections *connections,
							 CpwConnection *connection, bool lingers)
{
	if (lingers)
		cpw_linger_add(&connections->lingering, connection->fd);
	connection->request = NULL;
	connection->served = true;
	cpw_deadline_set(&connection->deadline, &connections->idle,
					 connections->keepalive_timeout);
}

static void
cut(CpwDeadlines *deadlines, void (*give_up) (CpwConnection *connection))
{
	CpwDeadline *overdue;

	while ((overdue = cpw_deadline_take_overdue(deadlines)) != NULL)
	{
		CpwConnection *connection = (CpwConnection *) overdue;

		shutdown(connection->fd, SHUT_RDWR);
		give_up(connection);
	}
}

void
cpw_connections_cut_overdue(CpwConnections *connections,
							void (*give_up) (CpwConnection *connection))
{
	cut(&connections->exchanging, give_up);
	cut(&connections->idle, give_up);
	(void) cpw_deadline_take_overdue(&connections->pauses);
}

void
cpw_connections_look_after(CpwConnections *connections,
						   bool (*waits) (const CpwHangup *hangup))
{
	cpw_hangups_run(&connections->hangups, waits);
	cpw_linger_run(&connections->lingering);
}

long
cpw_connections_timeout(const CpwConnections *connections)
{
	const CpwDeadlines *const lists[] = {
		&connections->exchanging, &connections->idle, &connections->pauses,
		&connections->hangups.checks, &connections->lingering.sockets,
	};
	long		first = -1;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
	{
		long		left = cpw_deadline_timeout(lists[i]);

		if (left >= 0 && (first < 0 || left < first))
			first = left;
	}
	return first;
}
