/*
 * iregexp.h
 *		Regular expressions of JSONPath (I-Regexp, RFC 9485) and of Java
 *		(java.util.regex, what is the same everywhere) written as PostgreSQL's.
 *
 * The translation matches the same strings under the flags of like_regex "s".
 * Only literals, classes, groups, alternatives and quantifiers are taken; what
 * depends on a version of Unicode (\p), on captures or on a position inside a
 * match is refused, and so is what the server would take long to compile.
 */
#ifndef CPW_IREGEXP_H
#define CPW_IREGEXP_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that the translation of a pattern may need. */
#define CPW_REGEXP_SIZE(length)	((length) * 100 + 64)

typedef struct CpwRegexp
{
	const char *pattern;		/* UTF-8 */
	size_t		length;
	bool		is_java;
	bool		whole;			/* the string as a whole, not a part of it */
	bool		ignores_case;	/* of ASCII letters, as Java does */
	bool		dot_is_all;		/* . is a line break, too */

	char	   *output;
	size_t		output_size;
	size_t		output_length;

	/*
	 * Whether a match may be empty; may consist of the characters of numbers,
	 * of "true", of "false" alone. Never false where such a match exists.
	 */
	bool		can_be_empty;
	bool		can_be_number;
	bool		can_be_true;
	bool		can_be_false;

	const char *reason;			/* why not; static */
} CpwRegexp;

/* Writes output (no NUL is added), or returns false with the reason. */
extern bool cpw_regexp_translate(CpwRegexp *regexp);

#endif							/* CPW_IREGEXP_H */
