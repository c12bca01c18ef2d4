/*
 * json_path_token.c
 *		The smallest parts of a JSONPath: blanks, strings, names, numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* RFC 9535: the integers that JSON implementations agree on. */
#define LARGEST_INTEGER		INT64_C(9007199254740991)

/* The server's numbers go further, but no double does. */
#define LARGEST_EXPONENT	300

#define NUMBER_LENGTH		100

void
cpw_path_skip_blanks(CpwPathState *state)
{
	while (state->at < state->length &&
		   memchr(" \t\n\r", state->text[state->at], 4) != NULL)
		state->at++;
}

char
cpw_path_peek(const CpwPathState *state)
{
	return state->at < state->length ? state->text[state->at] : '\0';
}

bool
cpw_path_take(CpwPathState *state, const char *token)
{
	size_t		length = strlen(token);

	if (state->length - state->at < length ||
		memcmp(state->text + state->at, token, length) != 0)
		return false;
	state->at += length;
	return true;
}

bool
cpw_path_text_is(const CpwPathText *text, const char *wanted)
{
	return text->length == strlen(wanted) &&
		memcmp(text->bytes, wanted, text->length) == 0;
}

bool
cpw_path_texts_equal(const CpwPathText *a, const CpwPathText *b)
{
	return a->length == b->length &&
		(a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9535's name-first, and for Java JsonPath a hyphen behind it. */
bool
cpw_path_parse_name(CpwPathState *state, CpwPathText *text)
{
	size_t		start = state->at;

	while (state->at < state->length)
	{
		char		c = state->text[state->at];
		bool		is_first = state->at == start;

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
			  (unsigned char) c >= 0x80 ||
			  (!is_first && (is_digit(c) || c == '-'))))
			break;
		state->at++;
	}
	text->bytes = state->text + start;
	text->length = state->at - start;
	return text->length > 0;
}

/* ---- strings ---- */

/* The four digits behind \u. */
static bool
parse_hex(CpwPathState *state, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++)
	{
		char		c = cpw_path_peek(state);

		if (is_digit(c))
			*value = *value * 16 + (uint32_t) (c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value * 16 + (uint32_t) (c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			*value = *value * 16 + (uint32_t) (c - 'A') + 10;
		else
			return cpw_path_invalid(state, state->at,
									"\\u needs four hexadecimal digits");
		state->at++;
	}
	return true;
}

static size_t
encode_utf8(uint32_t code, char *bytes)
{
	if (code < 0x80)
	{
		bytes[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		bytes[0] = (char) (0xc0 | code >> 6);
		bytes[1] = (char) (0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000)
	{
		bytes[0] = (char) (0xe0 | code >> 12);
		bytes[1] = (char) (0x80 | (code >> 6 & 0x3f));
		bytes[2] = (char) (0x80 | (code & 0x3f));
		return 3;
	}
	bytes[0] = (char) (0xf0 | code >> 18);
	bytes[1] = (char) (0x80 | (code >> 12 & 0x3f));
	bytes[2] = (char) (0x80 | (code >> 6 & 0x3f));
	bytes[3] = (char) (0x80 | (code & 0x3f));
	return 4;
}

/* \u is taken; two halves of a pair make one character. */
static bool
parse_unicode(CpwPathState *state, char *bytes, size_t *length)
{
	size_t		start = state->at - 2;
	uint32_t	code;
	uint32_t	low;

	if (!parse_hex(state, &code))
		return false;
	if (code >= 0xdc00 && code <= 0xdfff)
		return cpw_path_invalid(state, start,
								"a low surrogate without a high one");
	if (code >= 0xd800 && code <= 0xdbff)
	{
		if (!cpw_path_take(state, "\\u"))
			return cpw_path_invalid(state, start,
									"a high surrogate without a low one");
		if (!parse_hex(state, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return cpw_path_invalid(state, start,
									"a high surrogate without a low one");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	if (code == 0)
		return cpw_path_refuse(state, start,
							   "no string of a jsonb value has \\u0000", NULL);
	*length += encode_utf8(code, bytes + *length);
	return true;
}

/* A backslash is taken. */
static bool
parse_escape(CpwPathState *state, char quote, char *bytes, size_t *length)
{
	static const char escapes[] = "bfnrt/\\";
	static const char meanings[] = "\b\f\n\r\t/\\";
	char		c = cpw_path_peek(state);
	const char *found = c != '\0' ? strchr(escapes, c) : NULL;

	if (c == 'u')
	{
		state->at++;
		return parse_unicode(state, bytes, length);
	}
	if (c == quote)
		bytes[(*length)++] = quote;
	else if (found != NULL)
		bytes[(*length)++] = meanings[found - escapes];
	else
		return cpw_path_invalid(state, state->at - 1,
								"no escape of a JSONPath");
	state->at++;
	return true;
}

bool
cpw_path_parse_string(CpwPathState *state, CpwPathText *text)
{
	size_t		start = state->at;
	char		quote = state->text[state->at++];
	size_t		end = state->at;
	size_t		length = 0;
	char	   *bytes;

	/* No escape is shorter than what it stands for. */
	while (end < state->length && state->text[end] != quote)
		end += state->text[end] == '\\' ? 2 : 1;
	bytes = cpw_path_alloc(state, end - start);
	if (bytes == NULL)
		return false;
	for (;;)
	{
		char		c = cpw_path_peek(state);

		if (state->at >= state->length)
			return cpw_path_invalid(state, start, "the string has no end");
		if ((unsigned char) c < 0x20)
			return cpw_path_invalid(state, state->at,
									"a control character in a string");
		state->at++;
		if (c == quote)
			break;
		if (c != '\\')
			bytes[length++] = c;
		else if (!parse_escape(state, quote, bytes, &length))
			return false;
	}
	text->bytes = bytes;
	text->length = length;
	return true;
}

/* ---- numbers ---- */

bool
cpw_path_parse_integer(CpwPathState *state, int64_t *value)
{
	size_t		start = state->at;
	bool		is_negative = cpw_path_take(state, "-");
	size_t		digits = state->at;

	*value = 0;
	while (is_digit(cpw_path_peek(state)))
	{
		*value = *value * 10 + (cpw_path_peek(state) - '0');
		if (*value > LARGEST_INTEGER)
			return cpw_path_invalid(state, start, "an index beyond 2^53 - 1");
		state->at++;
	}
	if (state->at == digits)
		return cpw_path_invalid(state, state->at, "a number should stand here");
	if (state->text[digits] == '0' && (state->at > digits + 1 || is_negative))
		return cpw_path_invalid(state, start,
								"an index has no leading zeros, nor is it -0");
	if (is_negative)
		*value = -*value;
	return true;
}

static size_t
skip_digits(CpwPathState *state)
{
	size_t		start = state->at;

	while (is_digit(cpw_path_peek(state)))
		state->at++;
	return state->at - start;
}

bool
cpw_path_parse_number(CpwPathState *state, CpwPathOperand *operand)
{
	static const char malformed[] = "no number of JSON";
	size_t		start = state->at;
	size_t		digits;
	char		number[NUMBER_LENGTH + 1];
	long		exponent = 0;

	cpw_path_take(state, "-");
	digits = state->at;
	if (skip_digits(state) == 0 ||
		(state->text[digits] == '0' && state->at > digits + 1))
		return cpw_path_invalid(state, start, malformed);
	if (cpw_path_take(state, ".") && skip_digits(state) == 0)
		return cpw_path_invalid(state, start, malformed);
	if (cpw_path_take(state, "e") || cpw_path_take(state, "E"))
	{
		size_t		count;

		if (!cpw_path_take(state, "+"))
			cpw_path_take(state, "-");
		count = skip_digits(state);
		if (count == 0)
			return cpw_path_invalid(state, start, malformed);
		exponent = LARGEST_EXPONENT + 1;
		if (count <= 8)
		{
			memcpy(number, state->text + state->at - count, count);
			number[count] = '\0';
			exponent = strtol(number, NULL, 10);
		}
	}
	operand->text.bytes = state->text + start;
	operand->text.length = state->at - start;
	if (operand->text.length > NUMBER_LENGTH || exponent > LARGEST_EXPONENT)
		return cpw_path_refuse(state, start,
							   "a number beyond the range of JSON's", NULL);
	memcpy(number, operand->text.bytes, operand->text.length);
	number[operand->text.length] = '\0';
	operand->kind = CPW_OPERAND_NUMBER;
	operand->number = strtod(number, NULL);
	return true;
}
