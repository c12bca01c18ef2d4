/*
 * main.c
 *		Runs the unit tests of the code without PostgreSQL and counts them.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

/*
 * A check counts once, however many rows of a table, bits or splits it is put
 * to, and it has failed where any of them failed.
 */
typedef struct Site
{
	const char *file;
	int			line;
	bool		failed;
} Site;

static Site sites[4096];
static int	site_count;

/* What guarded_room() gave out, newest first. */
typedef struct Guarded
{
	struct Guarded *next;
	char	   *start;
	size_t		size;
} Guarded;

static Guarded *guarded_list;

static Site *
find_site(const char *file, int line)
{
	for (int i = site_count - 1; i >= 0; i--)
		if (sites[i].line == line && strcmp(sites[i].file, file) == 0)
			return &sites[i];
	if (site_count == COUNT_OF(sites))
		abort();
	sites[site_count].file = file;
	sites[site_count].line = line;
	return &sites[site_count++];
}

void
check_record(bool passed, const char *file, int line,
			 const char *what, const char *label)
{
	Site	   *site = find_site(file, line);

	if (passed)
		return;
	site->failed = true;
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
		test_browser,
		test_challenge,
		test_diagnosis,
		test_forwarded,
		test_framing,
		test_hex_base64,
		test_headers,
		test_instant,
		test_json_path,
		test_json_scan,
		test_media_type,
		test_peers,
		test_provider,
		test_scheme,
		test_seal,
		test_signature,
		test_sigv4,
		test_stream,
		test_template,
		test_trigger_path,
		test_utf8,
		test_verdict,
	};

	int			failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < COUNT_OF(tests); i++)
	{
		tests[i] ();
		guarded_release();
	}
	for (int i = 0; i < site_count; i++)
		failed += sites[i].failed;
	printf("unit: %d passed, %d failed\n", site_count - failed, failed);
	return failed == 0 ? 0 : 1;
}
