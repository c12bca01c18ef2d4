/*
 * main.c
 *		Runs the unit tests of src/base and counts them.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

static int	passed_count;
static int	failed_count;

/* What guarded_room() gave out, newest first. */
typedef struct Guarded
{
	struct Guarded *next;
	char	   *start;
	size_t		size;
} Guarded;

static Guarded *guarded_list;

void
check_record(bool passed, const char *file, int line,
			 const char *what, const char *label)
{
	if (passed)
	{
		passed_count++;
		return;
	}
	failed_count++;
	printf("%s:%d: %s", file, line, what);
	if (label != NULL)
	{
		printf(" [");
		for (const char *c = label; *c != '\0'; c++)
			printf(*c >= ' ' && *c <= '~' ? "%c" : "\\x%02x",
				   (unsigned char) *c);
		printf("]");
	}
	printf("\n");
}

char *
guarded_room(size_t size)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		usable = (size + page - 1) / page * page;
	Guarded    *guarded = malloc(sizeof(Guarded));
	char	   *start = mmap(NULL, usable + page, PROT_READ | PROT_WRITE,
							 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (guarded == NULL || start == MAP_FAILED ||
		mprotect(start + usable, page, PROT_NONE) != 0)
	{
		perror("guarded_room");
		exit(2);
	}
	*guarded = (Guarded) {guarded_list, start, usable + page};
	guarded_list = guarded;
	return start + usable - size;
}

char *
guarded_copy(const void *bytes, size_t length)
{
	char	   *copy = guarded_room(length);

	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

char *
guarded_text(const char *text)
{
	return guarded_copy(text, strlen(text));
}

void
guarded_release(void)
{
	while (guarded_list != NULL)
	{
		Guarded    *guarded = guarded_list;

		guarded_list = guarded->next;
		munmap(guarded->start, guarded->size);
		free(guarded);
	}
}

void
add_header(TestHeaders *test, const char *name, const char *value)
{
	CpwHeader  *item = &test->items[test->headers.count++];

	if (test->headers.count > MAX_TEST_HEADERS)
		abort();
	item->name = guarded_text(name);
	item->name_length = strlen(name);
	item->value = guarded_text(value);
	item->value_length = strlen(value);
	test->headers.items = test->items;
}

int
main(void)
{
	static void (*const tests[]) (void) = {
		test_hex_base64,
		test_headers,
		test_json_scan,
		test_media_type,
		test_signature,
		test_trigger_path,
		test_utf8,
		test_verdict,
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < COUNT_OF(tests); i++)
	{
		tests[i] ();
		guarded_release();
	}
	printf("unit: %d passed, %d failed\n", passed_count, failed_count);
	return failed_count == 0 ? 0 : 1;
}
