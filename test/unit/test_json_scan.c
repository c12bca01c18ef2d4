/*
 * test_json_scan.c
 *		Structural bytes, whatever the split.
 */
#include "base/json_scan.h"
#include "check.h"

typedef struct Row
{
	const char *text;
	size_t		structural;
	bool		in_string;		/* at the end */
	bool		escaped;
} Row;

static const Row rows[] = {
	{"", 0, false, false},
	{"1", 0, false, false},
	{"[]", 1, false, false},
	{"{}", 1, false, false},
	{"[1,2,3]", 3, false, false},
	{"{\"a\":1}", 2, false, false},
	{"{\"a\":[],\"b\":{}}", 6, false, false},
	{"[[],[],[]]", 6, false, false},
	{" [ 1 , 2 ] \n", 2, false, false},
	{"\"[{,:\"", 0, false, false},
	{"[\"[{,:\"]", 1, false, false},
	{"[\"\\\"[\"]", 1, false, false},
	{"[\"\\\\\",1]", 2, false, false},	/* \\ and the closing quote */
	{"[\"\\\\\\\",1]", 1, true, false}, /* \\ and \" */
	{"[\"\\\\\\\\\",1]", 2, false, false},
	{"[\"a\\u005b\\\"b\\\\\",\"\\\\\"]", 2, false, false},
	{"[\"\",\"\"]", 2, false, false},
	{"[\"\\", 1, true, true},
	{"[\"\\\\", 1, true, false},
	{"[\"\\\\\\", 1, true, true},
	{"\"", 0, true, false},
	{"\\\"[", 0, true, false},	/* a backslash outside means nothing */
	{"\\\\\"[\"[", 1, false, false},
	{"[\"\xf0\x9f\x8e\x89\",\"\xc3\xa9\"]", 2, false, false},
	{"]}]}", 0, false, false},
};

static bool
matches(const CpwJsonScan *scan, const Row *row)
{
	return scan->structural == row->structural &&
		scan->in_string == row->in_string && scan->escaped == row->escaped;
}

static void
test_rows(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const Row  *row = &rows[i];
		size_t		length = strlen(row->text);
		CpwJsonScan by_byte = {0};

		for (size_t first = 0; first <= length; first++)
		{
			for (size_t second = first; second <= length; second++)
			{
				CpwJsonScan scan = {0};

				cpw_json_scan(&scan, guarded_copy(row->text, first), first);
				cpw_json_scan(&scan,
							  guarded_copy(row->text + first, second - first),
							  second - first);
				cpw_json_scan(&scan,
							  guarded_copy(row->text + second,
										   length - second),
							  length - second);
				CHECK_FOR(row->text, matches(&scan, row));
			}
		}
		guarded_release();

		for (size_t n = 0; n < length; n++)
			cpw_json_scan(&by_byte, guarded_copy(row->text + n, 1), 1);
		CHECK_FOR(row->text, matches(&by_byte, row));
		guarded_release();
	}
}

/* Every byte value, outside and inside a string. */
static void
test_bytes(void)
{
	for (int c = 0; c < 256; c++)
	{
		char		outside = (char) c;
		char		inside[4] = {'"', (char) c, '"', '['};
		CpwJsonScan scan = {0};

		if (c == '"' || c == '\\')
			continue;
		cpw_json_scan(&scan, &outside, 1);
		CHECK(scan.structural == (c != 0 && strchr(",:[{", c) != NULL));
		CHECK(!scan.in_string);

		scan = (CpwJsonScan) {0};
		cpw_json_scan(&scan, inside, 4);
		CHECK(scan.structural == 1 && !scan.in_string);
	}
}

/* Text of the alphabet that matters, against the plainest implementation. */
static void
test_against_plain(void)
{
	static const char alphabet[] = "\"\"\\\\[a,";
	unsigned int seed = 1;

	for (int round = 0; round < 2000; round++)
	{
		char		text[48];
		bool		in_string = false;
		bool		escaped = false;
		size_t		structural = 0;
		size_t		split;
		CpwJsonScan scan = {0};

		for (size_t i = 0; i < sizeof(text); i++)
		{
			char		c;

			seed = seed * 1103515245U + 12345U;
			c = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
			text[i] = c;
			if (!in_string)
			{
				in_string = c == '"';
				structural += c == '[' || c == ',';
			}
			else if (escaped)
				escaped = false;
			else if (c == '\\')
				escaped = true;
			else if (c == '"')
				in_string = false;
		}
		split = (seed >> 8) % sizeof(text);
		cpw_json_scan(&scan, text, split);
		cpw_json_scan(&scan, text + split, sizeof(text) - split);
		CHECK(scan.structural == structural && scan.in_string == in_string &&
			  scan.escaped == escaped);
	}
}

void
test_json_scan(void)
{
	test_rows();
	test_bytes();
	test_against_plain();
}
