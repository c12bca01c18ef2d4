/*
 * socket.c
 *		Listening sockets. POSIX alone.
 */
#include "net/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
cpw_socket_describe(const CpwSocketAddress *address,
					char text[CPW_SOCKET_TEXT_SIZE])
{
	char		host[INET6_ADDRSTRLEN + 1];
	char		service[8];

	if (getnameinfo((const struct sockaddr *) &address->address,
					address->length, host, sizeof(host),
					service, sizeof(service),
					NI_NUMERICHOST | NI_NUMERICSERV) != 0)
	{
		snprintf(text, CPW_SOCKET_TEXT_SIZE, "unknown");
		return;
	}
	snprintf(text, CPW_SOCKET_TEXT_SIZE,
			 address->address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
			 host, service);
}

/* A bound socket; -1 and errno when that fails. */
static int
bind_socket(const CpwSocketAddress *address, bool shared)
{
	int			on = 1;
	int			saved_errno;
	int			fd = socket(address->address.ss_family,
							SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;

	/*
	 * SO_REUSEADDR: connections of a predecessor in TIME_WAIT are no reason to
	 * wait; a socket that listens still is. An IPv6 socket leaves IPv4 to the
	 * socket beside it.
	 */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		(!shared ||
		 setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
		(address->address.ss_family != AF_INET6 ||
		 setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
		bind(fd, (const struct sockaddr *) &address->address,
			 address->length) == 0)
		return fd;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

bool
cpw_socket_is_free(const CpwSocketAddress *address)
{
	int			fd = bind_socket(address, false);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

int
cpw_socket_listen(const CpwSocketAddress *address, int backlog)
{
	int			fd = bind_socket(address, true);
	int			saved_errno;

	if (fd < 0)
		return -1;
	if (listen(fd, backlog) == 0)
		return fd;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

int
cpw_socket_set_backlog(int fd, int backlog)
{
	return listen(fd, backlog);
}
