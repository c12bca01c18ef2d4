/*
 * iregexp_class.h
 *		A class of characters of a regular expression, as ranges.
 */
#ifndef CPW_IREGEXP_CLASS_H
#define CPW_IREGEXP_CLASS_H

#include <stdbool.h>
#include <stdint.h>

#define CPW_REGEXP_RANGES		64
#define CPW_REGEXP_LAST_CODE	0x10ffff

/* Room for any class as text: two escapes of ten bytes and a hyphen a range. */
#define CPW_REGEXP_CLASS_SIZE	(CPW_REGEXP_RANGES * 21 + 8)

/* Begin with {0}. */
typedef struct CpwRegexpClass
{
	struct
	{
		uint32_t	from;
		uint32_t	to;
	}			ranges[CPW_REGEXP_RANGES];
	int			count;
	bool		negated;
} CpwRegexpClass;

/* Each returns false when there is no room for more ranges. */
extern bool cpw_regexp_class_add(CpwRegexpClass *class, uint32_t from,
								 uint32_t to);

/* The ASCII letters of the other case. */
extern bool cpw_regexp_class_add_other_case(CpwRegexpClass *class);

/* What \d, \D, \w, \W, \s or \S is in Java; letter is one of these. */
extern bool cpw_regexp_class_add_java(CpwRegexpClass *class, char letter);

extern bool cpw_regexp_class_has(const CpwRegexpClass *class, uint32_t code);

/* As PostgreSQL writes it, in CPW_REGEXP_CLASS_SIZE bytes with a NUL. */
extern void cpw_regexp_class_print(const CpwRegexpClass *class, char *text);

#endif							/* CPW_IREGEXP_CLASS_H */
