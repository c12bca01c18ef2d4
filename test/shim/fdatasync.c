/*
 * fdatasync.c
 *		Preloaded into a server: makes fdatasync slower by CPW_FDATASYNC_US
 *		microseconds (1000), as network volumes are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

int
fdatasync(int fd)
{
	static int	(*next) (int);
	static long delay = -1;
	struct timespec rest;
	int			result;

	if (next == NULL)
	{
		const char *given = getenv("CPW_FDATASYNC_US");

		next = (int (*) (int)) dlsym(RTLD_NEXT, "fdatasync");
		delay = given ? strtol(given, NULL, 10) : 1000;
		/* A sleep is otherwise rounded up by 50 us and more. */
		prctl(PR_SET_TIMERSLACK, 1000UL);
	}
	result = next(fd);
	rest.tv_sec = delay / 1000000;
	rest.tv_nsec = delay % 1000000 * 1000;
	nanosleep(&rest, NULL);
	return result;
}
