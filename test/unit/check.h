/*
 * check.h
 *		What the unit program is made of: checks that count and go on, and
 *		memory that ends at a page which cannot be touched.
 *
 * Each test_*.c has one function that runs its tables; main.c calls them all.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "cp_webhook.h"

/* Counts a check; a failed one prints its place, text and label. */
extern void check_record(bool passed, const char *file, int line,
						 const char *what, const char *label);

/* A condition; label (may be NULL) says which row of a table it is. */
#define CHECK_FOR(label, condition) \
	check_record((condition), __FILE__, __LINE__, #condition, (label))
#define CHECK(condition) CHECK_FOR(NULL, condition)

/* Exactly these bytes. */
#define CHECK_BYTES_FOR(label, bytes, length, expected, expected_length) \
	CHECK_FOR(label, (size_t) (length) == (size_t) (expected_length) && \
			  memcmp((bytes), (expected), (expected_length)) == 0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Memory of this size whose end is the end of what may be touched: reading or
 * writing one byte more faults. It lives until guarded_release() (a size of 0
 * gives a pointer that may not be used at all).
 */
extern char *guarded_room(size_t size);

/* A copy of bytes in such memory; of a text without its NUL. */
extern char *guarded_copy(const void *bytes, size_t length);
extern char *guarded_text(const char *text);

/* Frees all of it. */
extern void guarded_release(void);

/* The headers of a request, in guarded memory. */
#define MAX_TEST_HEADERS 24

typedef struct TestHeaders
{
	CpwHeader	items[MAX_TEST_HEADERS];
	CpwHeaders	headers;
} TestHeaders;

extern void add_header(TestHeaders *test, const char *name, const char *value);

extern void test_browser(void);
extern void test_challenge(void);
extern void test_diagnosis(void);
extern void test_forwarded(void);
extern void test_hex_base64(void);
extern void test_framing(void);
extern void test_headers(void);
extern void test_instant(void);
extern void test_json_path(void);
extern void test_json_scan(void);
extern void test_media_type(void);
extern void test_peers(void);
extern void test_provider(void);
extern void test_scheme(void);
extern void test_seal(void);
extern void test_signature(void);
extern void test_sigv4(void);
extern void test_stream(void);
extern void test_template(void);
extern void test_trigger_path(void);
extern void test_utf8(void);
extern void test_verdict(void);

#endif							/* CHECK_H */
