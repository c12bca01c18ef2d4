/*
 * socket.h
 *		Listening sockets: binding, noticing that a port is somebody else's.
 *		POSIX alone.
 */
#ifndef CPW_SOCKET_H
#define CPW_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define CPW_MAX_LISTEN_SOCKETS	16

/* One address to listen on. */
typedef struct CpwSocketAddress
{
	struct sockaddr_storage address;
	socklen_t	length;
} CpwSocketAddress;

/* Room for an address as text: "[v6]:port". */
#define CPW_SOCKET_TEXT_SIZE	64

/* Writes host:port to text. */
extern void cpw_socket_describe(const CpwSocketAddress *address,
								char text[CPW_SOCKET_TEXT_SIZE]);

/*
 * Whether nobody listens on the address: a bind without SO_REUSEPORT works.
 * Linux shares a port silently between all sockets of one user that ask for
 * SO_REUSEPORT, so a second cluster would take half of this one's requests.
 * Sets errno when not.
 */
extern bool cpw_socket_is_free(const CpwSocketAddress *address);

/*
 * A socket that listens on the address, non-blocking, shared with the other
 * receivers (SO_REUSEPORT); -1 and errno when that fails.
 */
extern int	cpw_socket_listen(const CpwSocketAddress *address, int backlog);

/* Changes how many connections wait at a listening socket; 0 or -1, errno. */
extern int	cpw_socket_set_backlog(int fd, int backlog);

#endif							/* CPW_SOCKET_H */
