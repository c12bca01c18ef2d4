/*
 * first.c
 *		Starts AddressSanitizer before anything else allocates, and has it look
 *		for leaks when a receiver ends.
 *
 * Preloaded into a program that is not built with it, it starts at the first
 * malloc(). In PostgreSQL's programs that is one inside bindtextdomain(), in
 * libgpg-error's constructor: the sanitizer then asks for a message of the C
 * library's and waits for the lock that bindtextdomain() holds. A library
 * linked with -z initfirst has its constructor run before that one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *volatile allocated;

__attribute__((constructor)) static void
first(void)
{
	allocated = malloc(1);
	free(allocated);
}

/* PostgreSQL's processes say in their title what they are. */
static int
is_receiver(void)
{
	char		title[256];
	int			fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t		length = fd < 0 ? -1 : read(fd, title, sizeof(title) - 1);

	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return 0;
	title[length] = '\0';
	return strstr(title, "cp_webhook receiver") != NULL;
}

/* One that is always found, so that a check that finds nothing is none. */
static void __attribute__((noinline))
leak(void)
{
	for (int i = 0; i < 16; i++)
		allocated = malloc(1);
	allocated = NULL;
}

/* The sanitizer's own check at exit would also be one of psql, perl, initdb. */
__attribute__((destructor)) static void
last(void)
{
	int			(*look_for_leaks) (void) =
		(int (*) (void)) dlsym(RTLD_DEFAULT, "__lsan_do_recoverable_leak_check");

	if (look_for_leaks == NULL || !is_receiver())
		return;
	leak();
	(void) look_for_leaks();
}
