/*
 * json_reader.c
 *		Text becomes jsonb.
 *
 * Tokens come from the server's lexer, which is told to leave escapes alone; a
 * string that has one is lexed once more, with them.
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "compat.h"
#include "miscadmin.h"
#include "pg/json_reader.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* A text above this is read in a context of its own: its tree may be huge. */
#define LARGE_TEXT	(64 * 1024)

typedef struct Reader
{
	JsonLexContext *lexer;
	JsonbParseState *state;
	JsonbValue *result;
	int			depth;
	size_t		left;			/* digits that numbers may still have */
} Reader;

static bool read_value(Reader *reader, JsonbIteratorToken place);

static bool
advance(Reader *reader)
{
	return json_lex(reader->lexer) == JSON_SUCCESS;
}

static JsonTokenType
current(const Reader *reader)
{
	return reader->lexer->token_type;
}

static void
push(Reader *reader, JsonbIteratorToken token, JsonbValue *value)
{
	reader->result = pushJsonbValue(&reader->state, token, value);
}

/* ---- scalars ---- */

/* A string in its quotes, with escapes. */
static bool
unescape(const char *text, size_t length, JsonbValue *value)
{
	JsonLexContext *lexer = cpw_compat_json_lexer(text, length, true);
	bool		is_string = json_lex(lexer) == JSON_SUCCESS;

	if (is_string)
	{
		value->val.string.val = pnstrdup(lexer->strval->data,
										 lexer->strval->len);
		value->val.string.len = lexer->strval->len;
	}
	/* Its buffer is a kilobyte, of which a body may want a million. */
	cpw_compat_json_lexer_free(lexer);
	return is_string;
}

/* The current token is a string, in its quotes. */
static bool
take_string(const Reader *reader, JsonbValue *value)
{
	const char *text = reader->lexer->token_start;
	size_t		length = (size_t) (reader->lexer->token_terminator - text);

	value->type = jbvString;
	if (memchr(text, '\\', length) != NULL)
	{
		if (!unescape(text, length, value))
			return false;
	}
	else
	{
		value->val.string.val = unconstify(char *, text + 1);
		value->val.string.len = (int) length - 2;
	}
	return value->val.string.len <= JENTRY_OFFLENMASK;
}

/* Only an exponent makes a number longer than its text. */
static void
count_digits(Reader *reader, const char *text, Numeric number)
{
	char	   *written;
	size_t		length;

	if (strpbrk(text, "eE") == NULL)
		return;
	written = DatumGetCString(DirectFunctionCall1(numeric_out,
												  NumericGetDatum(number)));
	length = strlen(written);
	if (length > reader->left)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the numbers of the body are too long when they are written out")));
	reader->left -= length;
	pfree(written);
}

static void
take_number(Reader *reader, JsonbValue *value)
{
	const char *text = reader->lexer->token_start;
	char	   *digits = pnstrdup(text, reader->lexer->token_terminator - text);

	value->type = jbvNumeric;
	value->val.numeric =
		DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
											ObjectIdGetDatum(InvalidOid),
											Int32GetDatum(-1)));
	count_digits(reader, digits, value->val.numeric);
}

static bool
take_scalar(Reader *reader, JsonbValue *value)
{
	switch (current(reader))
	{
		case JSON_TOKEN_STRING:
			return take_string(reader, value);
		case JSON_TOKEN_NUMBER:
			take_number(reader, value);
			return true;
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
			value->type = jbvBool;
			value->val.boolean = current(reader) == JSON_TOKEN_TRUE;
			return true;
		case JSON_TOKEN_NULL:
			value->type = jbvNull;
			return true;
		default:
			return false;
	}
}

/* ---- structure ---- */

/* A name, a colon and a value. */
static bool
read_member(Reader *reader)
{
	JsonbValue	name;

	if (current(reader) != JSON_TOKEN_STRING || !take_string(reader, &name))
		return false;
	push(reader, WJB_KEY, &name);
	return advance(reader) && current(reader) == JSON_TOKEN_COLON &&
		advance(reader) && read_value(reader, WJB_VALUE);
}

static bool
read_element(Reader *reader)
{
	return read_value(reader, WJB_ELEM);
}

/* What is between two brackets. */
static bool
read_list(Reader *reader, JsonTokenType end, bool (*read_item) (Reader *reader))
{
	if (!advance(reader))
		return false;
	if (current(reader) == end)
		return advance(reader);
	while (read_item(reader))
	{
		CHECK_FOR_INTERRUPTS();
		if (current(reader) == end)
			return advance(reader);
		if (current(reader) != JSON_TOKEN_COMMA || !advance(reader))
			break;
	}
	return false;
}

static void
enter(Reader *reader)
{
	check_stack_depth();
	if (++reader->depth > CPW_MAX_NESTING)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("the body is nested more than %d levels deep",
						CPW_MAX_NESTING)));
}

/* Leaves the token after the value current. */
static bool
read_value(Reader *reader, JsonbIteratorToken place)
{
	JsonbValue	value;

	switch (current(reader))
	{
		case JSON_TOKEN_OBJECT_START:
			enter(reader);
			push(reader, WJB_BEGIN_OBJECT, NULL);
			if (!read_list(reader, JSON_TOKEN_OBJECT_END, read_member))
				return false;
			push(reader, WJB_END_OBJECT, NULL);
			reader->depth--;
			return true;
		case JSON_TOKEN_ARRAY_START:
			enter(reader);
			push(reader, WJB_BEGIN_ARRAY, NULL);
			if (!read_list(reader, JSON_TOKEN_ARRAY_END, read_element))
				return false;
			push(reader, WJB_END_ARRAY, NULL);
			reader->depth--;
			return true;
		default:
			if (!take_scalar(reader, &value))
				return false;
			push(reader, place, &value);
			return advance(reader);
	}
}

static bool
read_text(Reader *reader, const char *json, size_t length)
{
	JsonbValue	value;

	reader->lexer = cpw_compat_json_lexer(json, length, false);
	if (!advance(reader))
		return false;

	/* A scalar by itself is no payload that comes often. */
	if (current(reader) != JSON_TOKEN_OBJECT_START &&
		current(reader) != JSON_TOKEN_ARRAY_START)
	{
		(void) (take_scalar(reader, &value) && advance(reader));
		return false;
	}
	return read_value(reader, WJB_ELEM) &&
		current(reader) == JSON_TOKEN_END;
}

Jsonb *
cpw_json_read(const char *json, size_t length, size_t max_digits,
			  size_t *position)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = NULL;
	Reader		reader = {.left = max_digits};
	Jsonb	   *jsonb = NULL;
	bool		is_read;

	if (length > LARGE_TEXT)
	{
		own = AllocSetContextCreate(caller, "cp_webhook json",
									ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(own);
	}
	is_read = read_text(&reader, json, length);
	MemoryContextSwitchTo(caller);
	if (is_read)
		jsonb = JsonbValueToJsonb(reader.result);
	/* At the end there is no token. */
	*position = reader.lexer->token_start != NULL
		? (size_t) (reader.lexer->token_start - json) : length;
	/* Else jsonb_in() makes another tree beside this one. */
	if (own != NULL)
		MemoryContextDelete(own);
	return jsonb;
}
