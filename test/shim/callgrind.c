/*
 * callgrind.c
 *		Preloaded into a server under callgrind: SIGRTMIN + 1 starts the counting
 *		in the process that it reaches, dumps what was counted, and begins anew,
 *		when the process has waited. callgrind_control does not find processes
 *		that were forked, and callgrind bears no start inside a signal handler.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <valgrind/callgrind.h>

static volatile sig_atomic_t is_due;

static void
note(int number)
{
	(void) number;
	is_due = 1;
}

__attribute__((constructor)) static void
install(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = note;
	sigaction(SIGRTMIN + 1, &action, NULL);
}

int
epoll_wait(int set, struct epoll_event *events, int most, int timeout)
{
	static int	(*next) (int, struct epoll_event *, int, int);
	int			count;

	if (next == NULL)
		next = (int (*) (int, struct epoll_event *, int, int)) dlsym(RTLD_NEXT, "epoll_wait");
	count = next(set, events, most, timeout);
	if (is_due)
	{
		is_due = 0;
		CALLGRIND_START_INSTRUMENTATION;
		CALLGRIND_DUMP_STATS;
	}
	return count;
}
