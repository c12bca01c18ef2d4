/*
 * first.c
 *		Starts AddressSanitizer before anything else allocates.
 *
 * Preloaded into a program that is not built with it, it starts at the first
 * malloc(). In PostgreSQL's programs that is one inside bindtextdomain(), in
 * libgpg-error's constructor: the sanitizer then asks for a message of the C
 * library's and waits for the lock that bindtextdomain() holds. A library
 * linked with -z initfirst has its constructor run before that one.
 */
#include <stdlib.h>

static void *volatile allocated;

__attribute__((constructor)) static void
first(void)
{
	allocated = malloc(1);
	free(allocated);
}
