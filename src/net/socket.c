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

static bool
is_known(const CpwSocketAddress *addresses, int count,
		 const struct addrinfo *info)
{
	for (int i = 0; i < count; i++)
		if (addresses[i].length == info->ai_addrlen &&
			memcmp(&addresses[i].address, info->ai_addr,
				   info->ai_addrlen) == 0)
			return true;
	return false;
}

const char *
cpw_socket_resolve(const char *host, int port,
				   CpwSocketAddress *addresses, int *count)
{
	struct addrinfo hints = {0};
	struct addrinfo *list;
	char		service[16];
	int			code;

	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	snprintf(service, sizeof(service), "%d", port);
	code = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, service,
					   &hints, &list);
	if (code != 0)
		return gai_strerror(code);
	for (struct addrinfo *info = list; info != NULL; info = info->ai_next)
	{
		if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
			continue;
		if (is_known(addresses, *count, info))
			continue;
		if (*count == CPW_MAX_LISTEN_SOCKETS)
		{
			freeaddrinfo(list);
			return "too many addresses";
		}
		memcpy(&addresses[*count].address, info->ai_addr, info->ai_addrlen);
		addresses[*count].length = info->ai_addrlen;
		(*count)++;
	}
	freeaddrinfo(list);
	return NULL;
}

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
