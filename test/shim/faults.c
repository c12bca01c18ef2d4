/*
 * faults.c
 *		Faults of the machine for a server under test, by LD_PRELOAD: a full
 *		disk, a clock that steps, time that passes, a name server that does not
 *		answer.
 *
 * $CPW_FAULTS names a file that every process maps, so that a test changes a
 * running server by writing to it (see test/perl/Faults.pm).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MICROSECONDS	1000000

typedef struct Faults
{
	volatile int64_t clock_offset;	/* microseconds, added to the wall clock */
	volatile char full[56];		/* part of the paths whose disk is full, or "" */
	volatile int64_t elapsed;	/* microseconds, added to the monotonic clock */
	volatile int64_t silent;	/* not 0: no name server answers */
} Faults;

static const Faults none;
static const Faults *faults = &none;

__attribute__((constructor))
static void
map_faults(void)
{
	const char *path = getenv("CPW_FAULTS");
	int			fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void	   *mapped;

	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(Faults), PROT_READ, MAP_SHARED, fd, 0);
	if (mapped != MAP_FAILED)
		faults = mapped;
	close(fd);
}

/* ---- a full disk ---- */

static int
is_full(int fd)
{
	char		link[64];
	char		path[4096];
	ssize_t		length;

	if (faults->full[0] == '\0')
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return 0;
	path[length] = '\0';
	return strstr(path, (const char *) faults->full) != NULL;
}

/* Writes to a full disk fail; nothing tells a new block from an old one. */
#define DEFINE_WRITE(name, parameters, arguments) \
	ssize_t \
	name parameters \
	{ \
		static ssize_t (*next) parameters; \
		if (is_full(fd)) \
		{ \
			errno = ENOSPC; \
			return -1; \
		} \
		if (next == NULL) \
			next = (ssize_t (*) parameters) dlsym(RTLD_NEXT, #name); \
		return next arguments; \
	}

DEFINE_WRITE(pwrite, (int fd, const void *bytes, size_t length, off_t offset),
			 (fd, bytes, length, offset))
DEFINE_WRITE(pwrite64, (int fd, const void *bytes, size_t length, off64_t offset),
			 (fd, bytes, length, offset))
DEFINE_WRITE(pwritev, (int fd, const struct iovec *parts, int count, off_t offset),
			 (fd, parts, count, offset))
DEFINE_WRITE(pwritev64, (int fd, const struct iovec *parts, int count, off64_t offset),
			 (fd, parts, count, offset))

/* These return the error. */
#define DEFINE_ALLOCATE(name, type) \
	int \
	name(int fd, type offset, type length) \
	{ \
		static int (*next) (int, type, type); \
		if (is_full(fd)) \
			return ENOSPC; \
		if (next == NULL) \
			next = (int (*) (int, type, type)) dlsym(RTLD_NEXT, #name); \
		return next(fd, offset, length); \
	}

DEFINE_ALLOCATE(posix_fallocate, off_t)
DEFINE_ALLOCATE(posix_fallocate64, off64_t)

/* ---- a clock that steps ---- */

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int			result = (int) syscall(SYS_clock_gettime, clock, now);
	int64_t		offset = 0;

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		offset = faults->clock_offset;
	else if (clock == CLOCK_MONOTONIC)
		offset = faults->elapsed;
	if (result != 0 || offset == 0)
		return result;
	offset += (int64_t) now->tv_sec * MICROSECONDS + now->tv_nsec / 1000;
	now->tv_sec = offset / MICROSECONDS;
	now->tv_nsec = offset % MICROSECONDS * 1000;
	return 0;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec exact;

	(void) zone;
	if (clock_gettime(CLOCK_REALTIME, &exact) != 0)
		return -1;
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *seconds)
{
	struct timespec exact;

	clock_gettime(CLOCK_REALTIME, &exact);
	if (seconds != NULL)
		*seconds = exact.tv_sec;
	return exact.tv_sec;
}

/* ---- a name server that does not answer ---- */

int
getaddrinfo(const char *restrict host, const char *restrict service,
			const struct addrinfo *restrict hints,
			struct addrinfo **restrict list)
{
	static int	(*next) (const char *restrict, const char *restrict,
						 const struct addrinfo *restrict,
						 struct addrinfo **restrict);
	int			is_written = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;

	while (faults->silent != 0 && host != NULL && !is_written)
		usleep(10000);
	if (next == NULL)
		next = dlsym(RTLD_NEXT, "getaddrinfo");
	return next(host, service, hints, list);
}
