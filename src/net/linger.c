/*
 * linger.c
 *		Sockets whose answer went out before their request was read.
 */
#include "net/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* For which a sender may go on before it reads. */
#define LINGER_MS		5000

/* Thrown away at once. */
#define CHUNK			65536

typedef struct Lingerer
{
	CpwDeadline deadline;		/* first: a deadline is its socket */
	int			fd;
} Lingerer;

void
cpw_linger_add(CpwLingering *lingering, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	Lingerer   *lingerer;

	if (lingering->count == CPW_MAX_LINGERING)
		return;
	lingerer = calloc(1, sizeof(Lingerer));
	if (lingerer == NULL)
		return;
	lingerer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (lingerer->fd < 0 ||
		epoll_ctl(lingering->epoll_fd, EPOLL_CTL_ADD, lingerer->fd,
				  &event) != 0)
	{
		if (lingerer->fd >= 0)
			close(lingerer->fd);
		free(lingerer);
		return;
	}
	lingering->count++;
	cpw_deadline_set(&lingerer->deadline, &lingering->sockets, LINGER_MS);
}

static void
end(CpwLingering *lingering, Lingerer *lingerer)
{
	cpw_deadline_clear(&lingerer->deadline);
	epoll_ctl(lingering->epoll_fd, EPOLL_CTL_DEL, lingerer->fd, NULL);
	close(lingerer->fd);
	free(lingerer);
	lingering->count--;
}

/* Whether more may come. */
static bool
drain(const Lingerer *lingerer)
{
	char		bytes[CHUNK];
	ssize_t		got;

	/* A few rounds: one fast sender must not hold up the others. */
	for (int i = 0; i < 16; i++)
	{
		got = recv(lingerer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		if (got == 0)
			return false;
	}
	return true;
}

void
cpw_linger_run(CpwLingering *lingering)
{
	CpwDeadline *overdue;
	CpwDeadline *next;

	while ((overdue = cpw_deadline_take_overdue(&lingering->sockets)) != NULL)
		end(lingering, (Lingerer *) overdue);
	for (CpwDeadline *each = lingering->sockets.first; each != NULL;
		 each = next)
	{
		next = each->next;
		if (!drain((Lingerer *) each))
			end(lingering, (Lingerer *) each);
	}
}
