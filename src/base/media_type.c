/*
 * media_type.c
 *		Content-Type by the grammar of RFC 9110, 8.3.1 (what does not follow
 *		it is of no known type), and form fields as the URL standard has them.
 */
#include "base/media_type.h"

#include <string.h>

#include "base/hex_base64.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* What is left to read of a header's value. */
typedef struct Cursor
{
	const char *next;
	const char *end;
} Cursor;

/* A piece of text. */
typedef struct Span
{
	const char *text;
	size_t		length;
} Span;

static inline char
to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

static bool
equals_in_any_case(Span span, const char *lower)
{
	if (span.length != strlen(lower))
		return false;
	for (size_t i = 0; i < span.length; i++)
	{
		if (to_lower(span.text[i]) != lower[i])
			return false;
	}
	return true;
}

/* RFC 9110, 5.6.2 */
static bool
is_token_character(char c)
{
	return (c >= '0' && c <= '9') ||
		(to_lower(c) >= 'a' && to_lower(c) <= 'z') ||
		(c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void
skip_whitespace(Cursor *cursor)
{
	while (cursor->next < cursor->end &&
		   (*cursor->next == ' ' || *cursor->next == '\t'))
		cursor->next++;
}

/* Takes this character, or false. */
static bool
take(Cursor *cursor, char c)
{
	if (cursor->next == cursor->end || *cursor->next != c)
		return false;
	cursor->next++;
	return true;
}

/* Takes the token, which may be empty. */
static Span
take_token(Cursor *cursor)
{
	Span		token = {cursor->next, 0};

	while (cursor->next < cursor->end && is_token_character(*cursor->next))
		cursor->next++;
	token.length = (size_t) (cursor->next - token.text);
	return token;
}

/*
 * Takes the rest of a quoted string and keeps what fits of its content. False
 * when the closing quote is missing.
 */
static bool
take_quoted(Cursor *cursor, char *content, size_t capacity, size_t *length)
{
	*length = 0;
	while (cursor->next < cursor->end)
	{
		char		c = *cursor->next++;

		if (c == '"')
			return true;
		if (c == '\\')
		{
			if (cursor->next == cursor->end)
				return false;
			c = *cursor->next++;
		}
		if (*length < capacity)
			content[(*length)++] = c;
	}
	return false;
}

/* Takes name=value; false for bad form or a charset that is not UTF-8. */
static bool
take_parameter(Cursor *cursor)
{
	Span		name = take_token(cursor);
	Span		value;
	char		content[16];	/* longer than any charset that is taken */

	if (name.length == 0 || !take(cursor, '='))
		return false;
	if (take(cursor, '"'))
	{
		value.text = content;
		if (!take_quoted(cursor, content, sizeof(content), &value.length))
			return false;
	}
	else
	{
		value = take_token(cursor);
		if (value.length == 0)
			return false;
	}
	return !equals_in_any_case(name, "charset") ||
		equals_in_any_case(value, "utf-8") ||
		equals_in_any_case(value, "utf8") ||
		equals_in_any_case(value, "us-ascii");
}

CpwMediaType
cpw_media_type_parse(const char *value, size_t length)
{
	static const char suffix[] = "+json";
	const size_t suffix_length = sizeof(suffix) - 1;
	CpwMediaType media_type = CPW_MEDIA_TYPE_OTHER;
	Cursor		cursor;
	Span		type;
	Span		subtype;

	if (length == 0)
		return CPW_MEDIA_TYPE_OTHER;
	cursor = (Cursor) {value, value + length};

	skip_whitespace(&cursor);
	type = take_token(&cursor);
	if (type.length == 0 || !take(&cursor, '/'))
		return CPW_MEDIA_TYPE_OTHER;
	subtype = take_token(&cursor);

	if (equals_in_any_case(type, "application") &&
		equals_in_any_case(subtype, "json"))
		media_type = CPW_MEDIA_TYPE_JSON;
	else if (equals_in_any_case(type, "application") &&
			 equals_in_any_case(subtype, "x-www-form-urlencoded"))
		media_type = CPW_MEDIA_TYPE_FORM;
	else if (subtype.length > suffix_length)
	{
		Span		end = {
			subtype.text + subtype.length - suffix_length, suffix_length
		};

		if (equals_in_any_case(end, suffix))
			media_type = CPW_MEDIA_TYPE_JSON;
	}

	/* parameters = *( OWS ";" OWS [ parameter ] ) */
	skip_whitespace(&cursor);
	while (take(&cursor, ';'))
	{
		skip_whitespace(&cursor);
		if (cursor.next < cursor.end && *cursor.next != ';' &&
			!take_parameter(&cursor))
			return CPW_MEDIA_TYPE_OTHER;
		skip_whitespace(&cursor);
	}
	return cursor.next == cursor.end ? media_type : CPW_MEDIA_TYPE_OTHER;
}

bool
cpw_form_next(const char **text, size_t *length, CpwFormField *field)
{
	while (*length > 0)
	{
		const char *start = *text;
		const char *ampersand = memchr(start, '&', *length);
		size_t		field_length = ampersand != NULL ?
			(size_t) (ampersand - start) : *length;
		size_t		taken = field_length + (ampersand != NULL ? 1 : 0);
		const char *equals;

		*text += taken;
		*length -= taken;
		if (field_length == 0)
			continue;

		equals = memchr(start, '=', field_length);
		field->name = start;
		if (equals != NULL)
		{
			field->name_length = (size_t) (equals - start);
			field->value = equals + 1;
			field->value_length = field_length - field->name_length - 1;
		}
		else
		{
			field->name_length = field_length;
			field->value = start + field_length;
			field->value_length = 0;
		}
		return true;
	}
	return false;
}

bool
cpw_form_find(const char *text, size_t length, const char *name,
			  CpwFormField *field)
{
	while (cpw_form_next(&text, &length, field))
		if (field->name_length == strlen(name) &&
			memcmp(field->name, name, field->name_length) == 0)
			return true;
	return false;
}

long
cpw_form_decode(const char *text, size_t length, char *decoded)
{
	size_t		used = 0;

	for (size_t i = 0; i < length; i++)
	{
		char		c = text[i];

		if (c == '+')
			c = ' ';
		else if (c == '%')
		{
			uint8_t		byte;

			if (length - i < 3 ||
				cpw_hex_decode(text + i + 1, 2, &byte, 1) < 0)
				return -1;
			c = (char) byte;
			i += 2;
		}
		decoded[used++] = c;
	}
	return (long) used;
}
