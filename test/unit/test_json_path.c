/*
 * test_json_path.c
 *		The translation of JSONPath: texts, refusals, bounds of memory. What the
 *		translations select is tested on a server (test/sql/json_path.sql).
 */
#include "base/json_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static char output[CPW_JSON_PATH_OUTPUT];
static CpwJsonPathProblem problem;

/* Translates from and with memory that ends where it should. */
static CpwJsonPathStatus
translate_bytes(const char *text, size_t length, size_t output_size)
{
	void	   *memory = malloc(CPW_JSON_PATH_MEMORY(length));
	char	   *copy = guarded_copy(text, length);
	CpwJsonPathStatus status;

	memset(&problem, 0, sizeof(problem));
	status = cpw_json_path_translate(copy, length, memory, output,
									 output_size, &problem);
	free(memory);
	guarded_release();
	return status;
}

static CpwJsonPathStatus
translate(const char *text)
{
	return translate_bytes(text, strlen(text), sizeof(output));
}

/* A text of count times part between the others. */
static CpwJsonPathStatus
translate_repeated(const char *before, const char *part, size_t count,
				   const char *after)
{
	size_t		length = strlen(before) + strlen(part) * count + strlen(after);
	char	   *text = malloc(length + 1);
	CpwJsonPathStatus status;

	text[0] = '\0';
	snprintf(text, length + 1, "%s", before);
	for (size_t i = 0; i < count; i++)
		memcpy(text + strlen(before) + strlen(part) * i, part, strlen(part));
	memcpy(text + length - strlen(after), after, strlen(after) + 1);
	status = translate_bytes(text, length, sizeof(output));
	free(text);
	return status;
}

static void
test_translations(void)
{
	static const struct
	{
		const char *path;
		const char *translation;
	}			cases[] = {
		{"$", "strict $"},
		{"$.a", "strict $.**{0}.\"a\""},
		{"$['a\\'\"\\u00e9\\t']", "strict $.**{0}.\"a'\\\"\xc3\xa9\\u0009\""},
		{"$[\"\\ud83d\\ude00\"]", "strict $.**{0}.\"\xf0\x9f\x98\x80\""},
		{"$..a", "strict $.**.\"a\""},
		{"$[*]", "strict $.**{1}"},
		{"$..*", "strict $.**{1 to last}"},
		{"$[0,-1,1:-1]", "strict $.**{0}[0, last, 1 to last - 1]"},
		{"$[0:5:2]", "strict $.**{0}[0, 2, 4]"},
		{"$[?@.a]", "strict $.**{1} ? (exists(@.\"a\"))"},
		{"$[?!@.a]", "strict $.**{1} ? (!(exists(@.\"a\")))"},
		{"$[?@.a == 1.50]", "strict $.**{1} ? (@.\"a\" == 1.50)"},
		{"$[?1 < @.a]", "strict $.**{1} ? (@.\"a\" > 1)"},
		{"$[?@.a || @.b && @.c]", "strict $.**{1} ? ((exists(@.\"a\")) || ((exists(@.\"b\")) && (exists(@.\"c\"))))"},
		{"$[?match(@, 'a.c')]", "strict $.**{1} ? (@ like_regex \"^(?:a[^\\\\U0000000a\\\\U0000000d]c)$\" flag \"s\")"},
		{"$[?(@.a in ['x', true])]", "strict $.**{1} ? (@.\"a\" == \"x\" || @.\"a\" == true)"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
	{
		CHECK_FOR(cases[i].path, translate(cases[i].path) == CPW_JSON_PATH_OK);
		CHECK_FOR(output, strcmp(output, cases[i].translation) == 0);
	}
}

static void
test_problems(void)
{
	static const struct
	{
		const char *path;
		CpwJsonPathStatus status;
		size_t		position;
	}			cases[] = {
		{"", CPW_JSON_PATH_INVALID, 1},
		{"a", CPW_JSON_PATH_INVALID, 1},
		{"$.\xc3\xa9.", CPW_JSON_PATH_INVALID, 5},
		{"$['a", CPW_JSON_PATH_INVALID, 3},
		{"$['\\", CPW_JSON_PATH_INVALID, 4},
		{"$['\\u00", CPW_JSON_PATH_INVALID, 8},
		{"$['\\ud800\\u0041']", CPW_JSON_PATH_INVALID, 4},
		{"$[0", CPW_JSON_PATH_INVALID, 4},
		{"$[-", CPW_JSON_PATH_INVALID, 4},
		{"$[?@.a =~ /\\", CPW_JSON_PATH_INVALID, 11},
		{"$[?@.a =~ /a/]", CPW_JSON_PATH_OK, 0},
		{"$[?length(@", CPW_JSON_PATH_INVALID, 12},
		{"$ ", CPW_JSON_PATH_INVALID, 2},
		{"$[::2]", CPW_JSON_PATH_REFUSED, 3},
		{"$[0,'a']", CPW_JSON_PATH_REFUSED, 3},
		{"$['\\u0000']", CPW_JSON_PATH_REFUSED, 4},
		{"$[?count(@..a) == 2]", CPW_JSON_PATH_REFUSED, 4},
		/* No JSONPath at its end, whatever stands before. */
		{"$[::2].", CPW_JSON_PATH_INVALID, 8},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
	{
		CHECK_FOR(cases[i].path, translate(cases[i].path) == cases[i].status);
		CHECK_FOR(cases[i].path, problem.position == cases[i].position);
		CHECK_FOR(cases[i].path, (problem.reason == NULL) ==
				  (cases[i].status == CPW_JSON_PATH_OK));
	}
}

static void
test_bounds(void)
{
	/* Length. */
	CHECK(translate_repeated("$.", "a", CPW_JSON_PATH_LENGTH - 2, "") ==
		  CPW_JSON_PATH_OK);
	CHECK(translate_repeated("$.", "a", CPW_JSON_PATH_LENGTH - 1, "") ==
		  CPW_JSON_PATH_REFUSED);

	/* Depth, of each thing that nests. */
	CHECK(translate_repeated("$[?", "(", 99, "@") == CPW_JSON_PATH_INVALID);
	CHECK(problem.position == 104);
	CHECK(translate_repeated("$[?", "(", 100, "@") == CPW_JSON_PATH_REFUSED);
	CHECK(translate_repeated("$", "[?@", 100, "") == CPW_JSON_PATH_INVALID);
	CHECK(translate_repeated("$", "[?@", 101, "") == CPW_JSON_PATH_REFUSED);
	CHECK(translate_repeated("$[?", "length(", 150, "") ==
		  CPW_JSON_PATH_REFUSED);
	CHECK(translate_repeated("$[?", "!(", 150, "") == CPW_JSON_PATH_REFUSED);
	CHECK(translate_repeated("$[?match(@,'", "(", 30, "") ==
		  CPW_JSON_PATH_INVALID);

	/* Memory for as many nodes as a text can have. */
	CHECK(translate_repeated("$", "[0]", 3000, "") == CPW_JSON_PATH_OK);
	CHECK(translate_repeated("$[0", ",0", 4900, "]") == CPW_JSON_PATH_OK);
	CHECK(translate_repeated("$[?@", "||@", 3000, "]") == CPW_JSON_PATH_OK);
	CHECK(translate_repeated("$[?@", "&&@", 3000, "]") == CPW_JSON_PATH_OK);
	CHECK(translate_repeated("$[?(1 in [0", ",0", 1000, "])]") ==
		  CPW_JSON_PATH_REFUSED);
	CHECK(translate_repeated("$[?@ in [0", ",0", 1000, "]]") ==
		  CPW_JSON_PATH_OK);
	CHECK(translate_repeated("$", ".a", 4900, "") == CPW_JSON_PATH_OK);

	/* Output: one byte too few, and more than there ever is. */
	CHECK(translate_bytes("$.a", 3, strlen("strict $.**{0}.\"a\"") + 1) ==
		  CPW_JSON_PATH_OK);
	CHECK(translate_bytes("$.a", 3, strlen("strict $.**{0}.\"a\"")) ==
		  CPW_JSON_PATH_REFUSED);
	CHECK(translate_repeated("$[?@", "||@.a==@.b", 400, "]") ==
		  CPW_JSON_PATH_REFUSED);
}

void
test_json_path(void)
{
	test_translations();
	test_problems();
	test_bounds();
}
