/*
 * json_scan.c
 *		Counts structural bytes at the speed of memchr: strings, most of a
 *		webhook's body, are skipped from quote to quote, the rest goes through
 *		a table.
 *
 * A quote ends its string unless an odd number of backslashes stands before
 * it. Each of them is counted at one quote only, so the time stays linear.
 * Text that is no JSON gives some number; parsing finds out.
 */
#include "base/json_scan.h"

#include <stdint.h>
#include <string.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

static const uint8_t is_structural[256] = {
	[','] = 1,
	[':'] = 1,
	['['] = 1,
	['{'] = 1,
};

void
cpw_json_scan(CpwJsonScan *scan, const char *bytes, size_t length)
{
	size_t		position = 0;

	while (position < length)
	{
		if (!scan->in_string)
		{
			size_t		structural = 0;

			while (position < length && bytes[position] != '"')
				structural += is_structural[(unsigned char) bytes[position++]];
			scan->structural += structural;
			if (position < length)
			{
				scan->in_string = true;
				position++;
			}
		}
		else
		{
			const char *start = bytes + position;
			const char *quote = memchr(start, '"', length - position);
			const char *stop = quote != NULL ? quote : bytes + length;
			const char *run = stop;
			bool		escaped;

			/* The backslashes before stop, back into the bytes before. */
			while (run > start && run[-1] == '\\')
				run--;
			escaped = (stop - run) % 2 != 0;
			if (run == start && scan->escaped)
				escaped = !escaped;

			if (quote == NULL)
			{
				scan->escaped = escaped;
				return;
			}
			scan->escaped = false;
			scan->in_string = escaped;
			position = (size_t) (quote - bytes) + 1;
		}
	}
}
