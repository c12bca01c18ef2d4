/*
 * utf8.c
 *		Well-formed UTF-8 out of any bytes.
 */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

static inline bool
is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

/*
 * How many bytes the well-formed character at text has, or 0. Which second
 * bytes a lead byte takes rules out the overlong, surrogates and what is over
 * U+10FFFF (Unicode, table 3-7).
 */
static size_t
character_length(const unsigned char *text, size_t left)
{
	unsigned char lead = text[0];
	unsigned char lowest = 0x80;
	unsigned char highest = 0xBF;
	size_t		length;

	if (lead < 0x80)
		return 1;
	if (lead < 0xC2 || lead > 0xF4)
		return 0;

	length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
	if (length > left)
		return 0;

	if (lead == 0xE0)
		lowest = 0xA0;
	else if (lead == 0xED)
		highest = 0x9F;
	else if (lead == 0xF0)
		lowest = 0x90;
	else if (lead == 0xF4)
		highest = 0x8F;
	if (text[1] < lowest || text[1] > highest)
		return 0;
	for (size_t i = 2; i < length; i++)
	{
		if (!is_continuation(text[i]))
			return 0;
	}
	return length;
}

size_t
cpw_utf8_repair(const char *text, size_t length, char *repaired)
{
	static const char replacement[3] = {'\xEF', '\xBF', '\xBD'};
	char	   *end = repaired;
	size_t		position = 0;

	while (position < length)
	{
		size_t		good = position;
		size_t		step;

		/* All that is well-formed in one copy. */
		while (good < length &&
			   (step = character_length((const unsigned char *) text + good,
										length - good)) > 0)
			good += step;
		if (good > position)
		{
			memcpy(end, text + position, good - position);
			end += good - position;
			position = good;
		}
		if (position < length)
		{
			memcpy(end, replacement, sizeof(replacement));
			end += sizeof(replacement);
			position++;
		}
	}
	return (size_t) (end - repaired);
}
