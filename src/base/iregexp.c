/*
 * iregexp.c
 *		Regular expressions of JSONPath and of Java as PostgreSQL's.
 *
 * One pass: what is read is written at once. A class is collected as ranges of
 * code points and written as escapes, so that nothing in it has a meaning.
 */
#include "base/iregexp.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/iregexp_class.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* Groups in one another. */
#define MAX_DEPTH		30

/* Bound of a repetition in the server's regular expressions. */
#define MAX_REPETITION	255

/*
 * What compiling costs (measured: test/jsonpath/time): the copies of atoms that
 * all repetitions make, and the square of those that may be skipped.
 */
#define MAX_COPIES		500
#define MAX_SKIPS		40

#define LAST_CODE		CPW_REGEXP_LAST_CODE

/* Alphabets that a value's text may be made of, and the empty one. */
enum
{
	EMPTY = 1,
	NUMBER = 2,
	TRUE_ = 4,
	FALSE_ = 8
};

static const char *const alphabets[] = {"", "0123456789+-.eE", "true", "false"};

/* What is known of a part of the pattern. */
typedef struct Part
{
	unsigned	within;			/* alphabets that a match may be made of */
	bool		has_digit;		/* a match may hold a digit */
	int64_t		copies;
	int64_t		skips;
} Part;

typedef struct Parser
{
	CpwRegexp  *regexp;
	size_t		at;
	int			depth;
} Parser;

static bool parse_branches(Parser *parser, Part *part);

static bool
fail(Parser *parser, const char *reason)
{
	if (parser->regexp->reason == NULL)
		parser->regexp->reason = reason;
	return false;
}

static bool
write_bytes(Parser *parser, const char *bytes, size_t length)
{
	CpwRegexp  *regexp = parser->regexp;

	if (length > regexp->output_size - regexp->output_length)
		return fail(parser, "the pattern's translation is too long");
	memcpy(regexp->output + regexp->output_length, bytes, length);
	regexp->output_length += length;
	return true;
}

static bool
write_text(Parser *parser, const char *text)
{
	return write_bytes(parser, text, strlen(text));
}

static bool
at_end(const Parser *parser)
{
	return parser->at >= parser->regexp->length;
}

/* The next byte, or NUL at the end. */
static char
peek(const Parser *parser)
{
	return at_end(parser) ? '\0' : parser->regexp->pattern[parser->at];
}

static bool
take(Parser *parser, const char *token)
{
	size_t		length = strlen(token);

	if (parser->regexp->length - parser->at < length ||
		memcmp(parser->regexp->pattern + parser->at, token, length) != 0)
		return false;
	parser->at += length;
	return true;
}

/* The next character; malformed UTF-8 is refused. */
static bool
take_character(Parser *parser, uint32_t *code)
{
	const unsigned char *bytes = (const unsigned char *)
		parser->regexp->pattern + parser->at;
	size_t		left = parser->regexp->length - parser->at;
	size_t		length = 1;

	*code = bytes[0];
	if (bytes[0] >= 0xf0)
		length = 4;
	else if (bytes[0] >= 0xe0)
		length = 3;
	else if (bytes[0] >= 0xc0)
		length = 2;
	if (bytes[0] == 0 || (bytes[0] & 0xc0) == 0x80 || length > left)
		return fail(parser, "the pattern has a character that no string has");
	if (length > 1)
		*code &= 0xffu >> (length + 1);
	for (size_t i = 1; i < length; i++)
		*code = *code << 6 | (bytes[i] & 0x3f);
	if (*code > LAST_CODE)
		return fail(parser, "the pattern has a character that no string has");
	parser->at += length;
	return true;
}

/* ---- classes ---- */

static bool
add_range(Parser *parser, CpwRegexpClass *class, uint32_t from, uint32_t to)
{
	return cpw_regexp_class_add(class, from, to) ||
		fail(parser, "a class of the pattern is too large");
}

/* Writes a class and says what a match of it may be made of. */
static bool
write_class(Parser *parser, CpwRegexpClass *class, Part *part)
{
	char		text[CPW_REGEXP_CLASS_SIZE];

	if (parser->regexp->ignores_case &&
		!cpw_regexp_class_add_other_case(class))
		return fail(parser, "a class of the pattern is too large");
	part->copies = 1;
	part->skips = 0;
	part->within = 0;
	part->has_digit = false;
	for (uint32_t digit = '0'; digit <= '9'; digit++)
		part->has_digit |= cpw_regexp_class_has(class, digit);
	for (unsigned i = 1; i < sizeof(alphabets) / sizeof(alphabets[0]); i++)
		for (const char *c = alphabets[i]; *c != '\0'; c++)
			if (cpw_regexp_class_has(class, (unsigned char) *c))
				part->within |= 1u << i;
	cpw_regexp_class_print(class, text);
	return write_text(parser, text);
}

/* What a backslash and a letter of Java stand for; false: nothing known. */
static bool
add_java_class(Parser *parser, CpwRegexpClass *class, char letter, bool *known)
{
	*known = letter != '\0' && strchr("dDwWsS", letter) != NULL;
	return !*known || cpw_regexp_class_add_java(class, letter) ||
		fail(parser, "a class of the pattern is too large");
}

/* A backslash is taken; one character, or (in Java) a class. */
static bool
parse_escape(Parser *parser, CpwRegexpClass *class, uint32_t *code, bool *is_class)
{
	char		c = peek(parser);

	*is_class = false;
	if (at_end(parser))
		return fail(parser, "the pattern ends with a backslash");
	parser->at++;
	if (c == 'p' || c == 'P')
		return fail(parser, "\\p in a pattern cannot be expressed");
	if (c == 'n' || c == 'r' || c == 't')
	{
		*code = c == 'n' ? '\n' : c == 'r' ? '\r' : '\t';
		return true;
	}
	if (parser->regexp->is_java)
	{
		if (!add_java_class(parser, class, c, is_class) || *is_class)
			return *is_class && parser->regexp->reason == NULL;
		if (c == 'f')
		{
			*code = '\f';
			return true;
		}
		if (c > ' ' && c < 0x7f && strchr("_", c) == NULL &&
			!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9'))
		{
			*code = (unsigned char) c;
			return true;
		}
		return fail(parser, "an escape of the pattern cannot be expressed");
	}
	/* RFC 9485's SingleCharEsc */
	if (c == '\0' || strchr("()*+-.?[\\]^{|}", c) == NULL)
		return fail(parser, "no escape of an I-Regexp");
	*code = (unsigned char) c;
	return true;
}

/* A character of a class, or an escape in it that is a class. */
static bool
parse_class_character(Parser *parser, CpwRegexpClass *class, uint32_t *code,
					  bool *is_class)
{
	bool		is_java = parser->regexp->is_java;
	char		c = peek(parser);

	*is_class = false;
	if (at_end(parser))
		return fail(parser, "a class of the pattern has no end");
	if (take(parser, "\\"))
		return parse_escape(parser, class, code, is_class);
	if (c == '[' || (is_java && c == '&'))
		return fail(parser, "a class of the pattern cannot be expressed");
	return take_character(parser, code);
}

/* The opening bracket is taken. */
static bool
parse_class(Parser *parser, Part *part)
{
	CpwRegexpClass class = {.negated = take(parser, "^")};
	bool		is_first = true;

	while (is_first || peek(parser) != ']')
	{
		uint32_t	from;
		uint32_t	to;
		bool		is_class;
		bool		is_hyphen = peek(parser) == '-';

		if (is_first && peek(parser) == ']')
			return fail(parser, "a class of the pattern is empty");
		if (!parse_class_character(parser, &class, &from, &is_class))
			return false;
		/* An unescaped hyphen stands for itself first and last alone. */
		if (is_hyphen && !is_first && peek(parser) != ']')
			return fail(parser, "a hyphen in a class of the pattern is misplaced");
		is_first = false;
		if (is_class)
			continue;
		to = from;
		if (!is_hyphen && peek(parser) == '-' &&
			parser->at + 1 < parser->regexp->length &&
			parser->regexp->pattern[parser->at + 1] != ']')
		{
			parser->at++;
			if (peek(parser) == '-')
				return fail(parser, "a hyphen in a class of the pattern is misplaced");
			if (!parse_class_character(parser, &class, &to, &is_class))
				return false;
			if (is_class || to < from)
				return fail(parser, "a range in a class of the pattern is malformed");
		}
		if (!add_range(parser, &class, from, to))
			return false;
	}
	parser->at++;
	return write_class(parser, &class, part);
}

/* RFC 9485, 5.3: all but \n and \r; Java has three line breaks more. */
static bool
write_dot(Parser *parser, Part *part)
{
	CpwRegexpClass class = {.negated = true};

	if (!parser->regexp->dot_is_all)
	{
		if (!add_range(parser, &class, '\n', '\n') ||
			!add_range(parser, &class, '\r', '\r') ||
			(parser->regexp->is_java &&
			 (!add_range(parser, &class, 0x85, 0x85) ||
			  !add_range(parser, &class, 0x2028, 0x2029))))
			return false;
		return write_class(parser, &class, part);
	}
	part->copies = 1;
	part->skips = 0;
	part->within = NUMBER | TRUE_ | FALSE_;
	part->has_digit = true;
	return write_text(parser, ".");
}

/* ---- atoms, quantifiers, branches ---- */

static bool
parse_group(Parser *parser, Part *part)
{
	if (parser->regexp->is_java)
		take(parser, "?:");
	if (peek(parser) == '?')
		return fail(parser, "a group of the pattern cannot be expressed");
	if (++parser->depth > MAX_DEPTH)
		return fail(parser, "the pattern is nested too deeply");
	if (!write_text(parser, "(?:") || !parse_branches(parser, part))
		return false;
	if (!take(parser, ")"))
		return fail(parser, "a group of the pattern has no end");
	parser->depth--;
	return write_text(parser, ")");
}

static bool
parse_atom(Parser *parser, Part *part)
{
	CpwRegexpClass class = {0};
	uint32_t	code;
	bool		is_class = false;
	char		c = peek(parser);

	if (take(parser, "("))
		return parse_group(parser, part);
	if (take(parser, "["))
		return parse_class(parser, part);
	if (take(parser, "."))
		return write_dot(parser, part);
	if (take(parser, "\\"))
	{
		if (!parse_escape(parser, &class, &code, &is_class))
			return false;
	}
	else if (c == '*' || c == '+' || c == '?' || c == '{')
		return fail(parser, "a quantifier of the pattern has nothing to repeat");
	else if (!parser->regexp->is_java && (c == ']' || c == '}'))
		return fail(parser, "an unescaped ] or } in the pattern");
	else if (c == '^' || c == '$')
		return fail(parser, "^ and $ inside a pattern cannot be expressed");
	else if (!take_character(parser, &code))
		return false;
	if (!is_class && !add_range(parser, &class, code, code))
		return false;
	return write_class(parser, &class, part);
}

/* A number of a quantifier; -1: none. */
static bool
parse_count(Parser *parser, int *count)
{
	*count = -1;
	while (peek(parser) >= '0' && peek(parser) <= '9')
	{
		*count = (*count < 0 ? 0 : *count) * 10 + (peek(parser) - '0');
		if (*count > MAX_REPETITION)
			return fail(parser, "a repetition beyond 255 in a pattern cannot be expressed");
		parser->at++;
	}
	return true;
}

/* {n}, {n,} or {n,m}; the brace is taken. */
static bool
parse_braces(Parser *parser, int *least, int *most)
{
	if (!parse_count(parser, least))
		return false;
	*most = *least;
	if (take(parser, ",") && !parse_count(parser, most))
		return false;
	if (*least < 0 || !take(parser, "}"))
		return fail(parser, "a quantifier of the pattern is malformed");
	if (*most >= 0 && *most < *least)
		return fail(parser, "a quantifier of the pattern is malformed");
	return true;
}

static bool
check_cost(Parser *parser, const Part *part)
{
	return (part->copies <= MAX_COPIES && part->skips <= MAX_SKIPS) ||
		fail(parser, "the repetitions of a pattern are too many");
}

static bool
parse_quantifier(Parser *parser, Part *part)
{
	char		text[32];
	int			least = 0;
	int			most = -1;
	int			times;

	if (take(parser, "*"))
		snprintf(text, sizeof(text), "*");
	else if (take(parser, "+"))
	{
		least = 1;
		snprintf(text, sizeof(text), "+");
	}
	else if (take(parser, "?"))
	{
		most = 1;
		snprintf(text, sizeof(text), "?");
	}
	else if (take(parser, "{"))
	{
		if (!parse_braces(parser, &least, &most))
			return false;
		if (most < 0)
			snprintf(text, sizeof(text), "{%d,}", least);
		else
			snprintf(text, sizeof(text), "{%d,%d}", least, most);
	}
	else
		return true;
	/* Whether a lazy one matches is the same question as for a greedy one. */
	if (parser->regexp->is_java && !take(parser, "?") && peek(parser) == '+')
		return fail(parser, "a possessive quantifier cannot be expressed");
	times = most > least ? most : least + 1;
	/* A loop around what may be empty doubles the ways through it. */
	if ((part->within & EMPTY) != 0)
	{
		if (part->skips == 0)
			part->skips = 1;
		if (most < 0 && times < 2)
			times = 2;
	}
	part->copies *= times;
	part->skips *= times;
	if (least == 0)
	{
		part->within = EMPTY | NUMBER | TRUE_ | FALSE_;
		part->skips++;
	}
	return check_cost(parser, part) && write_text(parser, text);
}

static bool
ends_branch(const Parser *parser, size_t at)
{
	return at >= parser->regexp->length ||
		parser->regexp->pattern[at] == '|' || parser->regexp->pattern[at] == ')';
}

/*
 * A sequence matches within an alphabet where all of its pieces do. ^ before
 * and $ behind it are the string's start and end: so they are to all who use
 * the grammar of RFC 9485, which has them for characters like others.
 */
static bool
parse_branch(Parser *parser, Part *part)
{
	part->within = EMPTY | NUMBER | TRUE_ | FALSE_;
	part->copies = 0;
	part->skips = 0;
	part->has_digit = false;
	if (parser->depth == 0 && take(parser, "^") && !write_text(parser, "^"))
		return false;
	while (!ends_branch(parser, parser->at))
	{
		Part		piece;

		if (parser->depth == 0 && peek(parser) == '$' &&
			ends_branch(parser, parser->at + 1))
		{
			parser->at++;
			return write_text(parser, "$");
		}
		if (!parse_atom(parser, &piece) || !parse_quantifier(parser, &piece))
			return false;
		part->within &= piece.within;
		part->has_digit |= piece.has_digit;
		part->copies += piece.copies;
		part->skips += piece.skips;
	}
	return check_cost(parser, part);
}

static bool
parse_branches(Parser *parser, Part *part)
{
	Part		branch;

	if (!parse_branch(parser, part))
		return false;
	while (take(parser, "|"))
	{
		if (!write_text(parser, "|") || !parse_branch(parser, &branch))
			return false;
		part->within |= branch.within;
		part->has_digit |= branch.has_digit;
		part->copies += branch.copies;
		part->skips += branch.skips;
	}
	if ((part->within & EMPTY) != 0 && part->skips == 0)
		part->skips = 1;
	return check_cost(parser, part);
}

bool
cpw_regexp_translate(CpwRegexp *regexp)
{
	Parser		parser = {.regexp = regexp};
	Part		part;

	regexp->output_length = 0;
	regexp->reason = NULL;
	if (!write_text(&parser, regexp->whole ? "^(?:" : "(?:") ||
		!parse_branches(&parser, &part) ||
		!write_text(&parser, regexp->whole ? ")$" : ")"))
		return false;
	if (!at_end(&parser))
		return fail(&parser, "a ) of the pattern has no (");
	regexp->can_be_empty = (part.within & EMPTY) != 0;
	regexp->can_be_number = (part.within & NUMBER) != 0 && part.has_digit;
	regexp->can_be_true = (part.within & TRUE_) != 0;
	regexp->can_be_false = (part.within & FALSE_) != 0;
	return true;
}
