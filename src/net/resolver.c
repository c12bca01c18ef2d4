/*
 * resolver.c
 *		Names of hosts to addresses, without waiting for a name server. POSIX
 *		alone.
 *
 * The owner and the thread hold the resolver together; who lets go of it last
 * frees it. The thread writes the answers and then closes its end of a pipe;
 * the owner reads them when it has seen that. All signals are blocked in the
 * thread: the server's handlers are for the process's own one.
 */
#include "net/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Host
{
	char	   *name;
	struct addrinfo *list;		/* what is known of it */
	int			code;			/* of getaddrinfo() */
	bool		is_name;		/* somebody has to be asked */
} Host;

struct CpwResolver
{
	atomic_int	holders;
	int			port;
	int			done_fd;		/* the owner's end; -1: there is no thread */
	int			thread_fd;		/* the thread's */
	int			count;
	Host		hosts[];
};

static int
look_up(Host *host, int port, int flags)
{
	struct addrinfo hints = {0};
	char		service[16];

	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE | flags;
	snprintf(service, sizeof(service), "%d", port);
	return getaddrinfo(strcmp(host->name, "*") == 0 ? NULL : host->name,
					   service, &hints, &host->list);
}

static void
let_go(CpwResolver *resolver)
{
	if (atomic_fetch_sub(&resolver->holders, 1) > 1)
		return;
	for (int i = 0; i < resolver->count; i++)
	{
		if (resolver->hosts[i].list != NULL)
			freeaddrinfo(resolver->hosts[i].list);
		free(resolver->hosts[i].name);
	}
	free(resolver);
}

static void *
ask(void *arg)
{
	CpwResolver *resolver = arg;
	int			fd = resolver->thread_fd;

	for (int i = 0; i < resolver->count; i++)
		if (resolver->hosts[i].is_name)
			resolver->hosts[i].code =
				look_up(&resolver->hosts[i], resolver->port, 0);
	close(fd);
	let_go(resolver);
	return NULL;
}

/* The thread, with the pipe that tells of its end; false and errno. */
static bool
start_thread(CpwResolver *resolver)
{
	pthread_attr_t attributes;
	pthread_t	thread;
	sigset_t	all;
	sigset_t	before;
	int			ends[2];
	int			error;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	resolver->done_fd = ends[0];
	resolver->thread_fd = ends[1];
	atomic_fetch_add(&resolver->holders, 1);
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attributes, ask, resolver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (error == 0)
		return true;
	close(ends[1]);
	let_go(resolver);
	errno = error;
	return false;
}

CpwResolver *
cpw_resolver_start(const char *const *hosts, int count, int port)
{
	CpwResolver *resolver = calloc(1, sizeof(CpwResolver) +
								   sizeof(Host) * (size_t) count);
	bool		asks = false;
	int			saved_errno;

	if (resolver == NULL)
		return NULL;
	atomic_init(&resolver->holders, 1);
	resolver->port = port;
	resolver->done_fd = -1;
	for (; resolver->count < count; resolver->count++)
	{
		Host	   *host = &resolver->hosts[resolver->count];

		host->name = strdup(hosts[resolver->count]);
		if (host->name == NULL)
			break;
		host->code = look_up(host, port, AI_NUMERICHOST);
		host->is_name = host->code == EAI_NONAME;
		asks |= host->is_name;
	}
	if (resolver->count == count && (!asks || start_thread(resolver)))
		return resolver;
	saved_errno = errno;
	cpw_resolver_free(resolver);
	errno = saved_errno;
	return NULL;
}

int
cpw_resolver_count(const CpwResolver *resolver)
{
	return resolver->count;
}

const char *
cpw_resolver_host(const CpwResolver *resolver, int i)
{
	return resolver->hosts[i].name;
}

int
cpw_resolver_descriptor(const CpwResolver *resolver)
{
	return resolver->done_fd;
}

bool
cpw_resolver_is_done(const CpwResolver *resolver)
{
	char		byte;

	return resolver->done_fd < 0 || read(resolver->done_fd, &byte, 1) == 0;
}

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
cpw_resolver_take(const CpwResolver *resolver, int i,
				  CpwSocketAddress *addresses, int *count)
{
	const Host *host = &resolver->hosts[i];

	if (host->is_name && !cpw_resolver_is_done(resolver))
		return NULL;
	if (host->code != 0)
		return gai_strerror(host->code);
	for (struct addrinfo *info = host->list; info != NULL; info = info->ai_next)
	{
		if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
			continue;
		if (is_known(addresses, *count, info))
			continue;
		if (*count == CPW_MAX_LISTEN_SOCKETS)
			return "too many addresses";
		memcpy(&addresses[*count].address, info->ai_addr, info->ai_addrlen);
		addresses[*count].length = info->ai_addrlen;
		(*count)++;
	}
	return NULL;
}

void
cpw_resolver_free(CpwResolver *resolver)
{
	if (resolver == NULL)
		return;
	if (resolver->done_fd >= 0)
		close(resolver->done_fd);
	let_go(resolver);
}
