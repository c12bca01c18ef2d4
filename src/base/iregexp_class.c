/*
 * iregexp_class.c
 *		A class of characters of a regular expression, as ranges.
 */
#include "base/iregexp_class.h"

#include <stdio.h>
#include <string.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

bool
cpw_regexp_class_add(CpwRegexpClass *class, uint32_t from, uint32_t to)
{
	if (class->count == CPW_REGEXP_RANGES)
		return false;
	class->ranges[class->count].from = from;
	class->ranges[class->count++].to = to;
	return true;
}

bool
cpw_regexp_class_add_other_case(CpwRegexpClass *class)
{
	int			count = class->count;

	for (int i = 0; i < count; i++)
	{
		for (uint32_t first = 'A'; first <= 'a'; first += 'a' - 'A')
		{
			uint32_t	from = class->ranges[i].from;
			uint32_t	to = class->ranges[i].to;

			if (from < first)
				from = first;
			if (to > first + 25)
				to = first + 25;
			if (from <= to &&
				!cpw_regexp_class_add(class, from ^ 0x20, to ^ 0x20))
				return false;
		}
	}
	return true;
}

bool
cpw_regexp_class_add_java(CpwRegexpClass *class, char letter)
{
	/* Pairs of first and last characters, in their order. */
	static const char digits[] = "09";
	static const char words[] = "09AZ__az";
	static const char spaces[] = "\t\r  ";
	char		lower = (char) (letter | 0x20);
	const char *pairs = lower == 'd' ? digits : lower == 'w' ? words : spaces;
	uint32_t	next = 1;

	for (; *pairs != '\0'; pairs += 2)
	{
		uint32_t	from = (unsigned char) pairs[0];
		uint32_t	to = (unsigned char) pairs[1];

		if (letter == lower ? !cpw_regexp_class_add(class, from, to)
			: !cpw_regexp_class_add(class, next, from - 1))
			return false;
		next = to + 1;
	}
	return letter == lower ||
		cpw_regexp_class_add(class, next, CPW_REGEXP_LAST_CODE);
}

bool
cpw_regexp_class_has(const CpwRegexpClass *class, uint32_t code)
{
	for (int i = 0; i < class->count; i++)
		if (class->ranges[i].from <= code && code <= class->ranges[i].to)
			return !class->negated;
	return class->negated;
}

/* A single character: as it is where it has no meaning. */
static void
print_character(uint32_t code, char *text)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ /_-#@:,;";

	if (code > 0 && code < 0x80 && strchr(plain, (int) code) != NULL)
		snprintf(text, CPW_REGEXP_CLASS_SIZE, "%c", (char) code);
	else if (code > 0x20 && code < 0x7f)
		snprintf(text, CPW_REGEXP_CLASS_SIZE, "\\%c", (char) code);
	else
		snprintf(text, CPW_REGEXP_CLASS_SIZE, "\\U%08x", (unsigned) code);
}

void
cpw_regexp_class_print(const CpwRegexpClass *class, char *text)
{
	int			used;

	if (class->count == 1 && !class->negated &&
		class->ranges[0].from == class->ranges[0].to)
	{
		print_character(class->ranges[0].from, text);
		return;
	}
	used = snprintf(text, CPW_REGEXP_CLASS_SIZE, class->negated ? "[^" : "[");
	for (int i = 0; i < class->count; i++)
	{
		unsigned	from = class->ranges[i].from;
		unsigned	to = class->ranges[i].to;

		used += snprintf(text + used, CPW_REGEXP_CLASS_SIZE - (size_t) used,
						 from == to ? "\\U%08x" : "\\U%08x-\\U%08x",
						 from, to);
	}
	snprintf(text + used, CPW_REGEXP_CLASS_SIZE - (size_t) used, "]");
}
