/*
 * hangup.c
 *		Clients that say that nothing more comes in the middle of a request.
 *
 * The kernel tells of each once. From then on the connection is looked at from
 * time to time: what it sent before may still have to be read, or answered.
 */
#include "net/hangup.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Between two looks, long enough for libmicrohttpd to have read and sent. */
#define CHECK_MS		20

#define EVENTS			64

bool
cpw_hangups_init(CpwHangups *hangups, int holder)
{
	struct epoll_event event = {.events = EPOLLIN};

	hangups->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (hangups->epoll_fd < 0)
		return false;
	if (epoll_ctl(holder, EPOLL_CTL_ADD, hangups->epoll_fd, &event) == 0)
		return true;
	cpw_hangups_end(hangups);
	return false;
}

void
cpw_hangups_end(CpwHangups *hangups)
{
	close(hangups->epoll_fd);
}

void
cpw_hangup_watch(CpwHangups *hangups, CpwHangup *hangup, int fd)
{
	struct epoll_event event = {
		.events = EPOLLRDHUP | EPOLLONESHOT,
		.data.ptr = hangup
	};

	hangup->fd = fd;
	/* Where memory is short it is found out by the deadline, as before. */
	(void) epoll_ctl(hangups->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void
cpw_hangup_forget(CpwHangups *hangups, CpwHangup *hangup)
{
	/* A descriptor of the same connection may live on (linger.c). */
	(void) epoll_ctl(hangups->epoll_fd, EPOLL_CTL_DEL, hangup->fd, NULL);
	cpw_deadline_clear(&hangup->check);
}

static bool
has_unread(int fd)
{
	int			bytes;

	return ioctl(fd, FIONREAD, &bytes) != 0 || bytes > 0;
}

void
cpw_hangups_run(CpwHangups *hangups, bool (*waits) (const CpwHangup *hangup))
{
	struct epoll_event events[EVENTS];
	CpwDeadline *due;
	int			count;

	do
	{
		count = epoll_wait(hangups->epoll_fd, events, EVENTS, 0);
		for (int i = 0; i < count; i++)
			cpw_deadline_set(&((CpwHangup *) events[i].data.ptr)->check,
							 &hangups->checks, CHECK_MS);
	} while (count == EVENTS);

	while ((due = cpw_deadline_take_overdue(&hangups->checks)) != NULL)
	{
		CpwHangup  *hangup = (CpwHangup *) due;

		if (waits(hangup) && !has_unread(hangup->fd))
		{
			shutdown(hangup->fd, SHUT_RDWR);
			hangup->over = true;
		}
		else
			cpw_deadline_set(due, &hangups->checks, CHECK_MS);
	}
}
