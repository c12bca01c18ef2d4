/*
 * payload.c
 *		Bytes of a request become jsonb.
 *
 * Nothing becomes text before it is known to be UTF-8 without NUL: the server
 * trusts what is inside it.
 */
#include "postgres.h"

#include "base/headers.h"
#include "base/media_type.h"
#include "base/signed_form.h"
#include "base/utf8.h"
#include "compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "pg/json_reader.h"
#include "pg/payload.h"
#include "pg/settings.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#define BYTE_ORDER_MARK	"\xEF\xBB\xBF"

/* Says where it is none. Neither DETAIL nor CONTEXT: they hold the body. */
static Jsonb *
parse_by_server(const char *body, size_t position)
{
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *volatile payload = NULL;

	PG_TRY();
	{
		payload = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
													 CStringGetDatum(body)));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			ReThrowError(error);
		ereport(ERROR,
				(errcode(error->sqlerrcode),
				 errmsg("%s at byte %zu%s", error->message, position + 1,
						strncmp(body, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0
						? ": it begins with a byte order mark" : "")));
	}
	PG_END_TRY();
	return payload;
}

Jsonb *
cpw_payload_parse(const char *body, size_t length)
{
	Jsonb	   *payload;
	size_t		position;

	if (memchr(body, '\0', length) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("body contains a NUL byte")));
	if (!pg_verify_mbstr(PG_UTF8, body, (int) length, true))
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("body is not UTF-8")));
	payload = cpw_json_read(body, length, (size_t) cpw_setting_max_body_size,
							&position);
	return payload != NULL ? payload : parse_by_server(body, position);
}

char *
cpw_payload_from_form(const char *body, size_t body_length, size_t *length)
{
	CpwFormField field;
	char	   *decoded;
	long		decoded_length;

	if (!cpw_form_find(body, body_length, "payload", &field))
		return NULL;
	decoded = MemoryContextAllocHuge(CurrentMemoryContext,
									 field.value_length + 1);
	decoded_length = cpw_form_decode(field.value, field.value_length, decoded);
	if (decoded_length < 0)
		return NULL;
	decoded[decoded_length] = '\0';
	*length = (size_t) decoded_length;
	return decoded;
}

/* A field of a form, decoded; both texts end in NUL. */
typedef struct Field
{
	char	   *name;
	char	   *value;
	bool		is_written;
} Field;

/* False for a broken encoding or a NUL. */
static bool
decode_text(const char *text, size_t length, char **decoded)
{
	long		decoded_length;

	*decoded = MemoryContextAllocHuge(CurrentMemoryContext, length + 1);
	decoded_length = cpw_form_decode(text, length, *decoded);
	if (decoded_length < 0 ||
		memchr(*decoded, '\0', (size_t) decoded_length) != NULL)
		return false;
	(*decoded)[decoded_length] = '\0';
	return true;
}

static int
decode_fields(const char *body, size_t length, Field *fields)
{
	CpwFormField field;
	int			count = 0;

	while (cpw_form_next(&body, &length, &field))
	{
		if (count == CPW_MAX_FORM_FIELDS ||
			!decode_text(field.name, field.name_length, &fields[count].name) ||
			!decode_text(field.value, field.value_length,
						 &fields[count].value))
			return -1;
		fields[count++].is_written = false;
	}
	return count;
}

/* Writes the values of all fields of the first one's name. */
static void
write_values(StringInfo json, Field *fields, int first, int count)
{
	bool		is_array = false;

	for (int i = first + 1; i < count && !is_array; i++)
		is_array = strcmp(fields[i].name, fields[first].name) == 0;
	escape_json(json, fields[first].name);
	appendStringInfoString(json, is_array ? ": [" : ": ");
	for (int i = first; i < count; i++)
	{
		if (strcmp(fields[i].name, fields[first].name) != 0)
			continue;
		if (i > first)
			appendStringInfoString(json, ", ");
		escape_json(json, fields[i].value);
		fields[i].is_written = true;
	}
	if (is_array)
		appendStringInfoChar(json, ']');
}

char *
cpw_payload_of_fields(const char *body, size_t body_length, size_t *length)
{
	Field	   *fields = palloc(sizeof(Field) * CPW_MAX_FORM_FIELDS);
	int			count = decode_fields(body, body_length, fields);
	StringInfoData json;

	if (count < 0)
		return NULL;
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < count; i++)
	{
		if (fields[i].is_written)
			continue;
		if (i > 0)
			appendStringInfoString(&json, ", ");
		write_values(&json, fields, i, count);
	}
	appendStringInfoChar(&json, '}');
	*length = (size_t) json.len;
	return json.data;
}

/* Text of unknown bytes: not UTF-8 becomes U+FFFD, NUL a blank. */
static char *
repair(const char *value, size_t length, size_t *repaired_length)
{
	char	   *text = palloc(CPW_UTF8_REPAIRED_SIZE(length) + 1);
	size_t		n = cpw_utf8_repair(value, length, text);

	for (char *nul = memchr(text, '\0', n); nul != NULL;
		 nul = memchr(nul, '\0', n - (size_t) (nul - text)))
		*nul = ' ';
	text[n] = '\0';
	*repaired_length = n;
	return text;
}

char *
cpw_payload_text(const char *value, size_t length)
{
	size_t		n;

	return repair(value, length, &n);
}

static void
set_string(JsonbValue *value, const char *text, size_t length)
{
	/* Plain ASCII, nearly always, needs no copy. */
	for (size_t i = 0; i < length; i++)
	{
		/* NUL wraps around to the largest. */
		if ((unsigned char) (text[i] - 1) >= 0x7f)
		{
			text = repair(text, length, &length);
			break;
		}
	}
	value->type = jbvString;
	value->val.string.val = unconstify(char *, text);
	value->val.string.len = (int) length;
}

/* The values of all headers of that name from first on, joined. */
static void
set_joined(JsonbValue *value, const CpwHeaders *headers, int first)
{
	const CpwHeader *name = &headers->items[first];
	StringInfoData joined;

	initStringInfo(&joined);
	for (int i = first; i < headers->count; i++)
	{
		const CpwHeader *header = &headers->items[i];

		if (header->name_length != name->name_length ||
			memcmp(header->name, name->name, name->name_length) != 0)
			continue;
		if (i > first)
			appendStringInfoString(&joined, ", ");
		appendBinaryStringInfo(&joined, header->value,
							   (int) header->value_length);
	}
	set_string(value, joined.data, (size_t) joined.len);
}

/*
 * Whether the header's name came before (-1), comes again (1), or neither (0).
 * The headers are few: CPW_MAX_HEADERS at most.
 */
static int
find_twin(const CpwHeaders *headers, int index)
{
	const CpwHeader *header = &headers->items[index];
	int			twin = 0;

	for (int i = 0; i < headers->count; i++)
	{
		const CpwHeader *other = &headers->items[i];

		if (i == index || other->name_length != header->name_length ||
			memcmp(other->name, header->name, header->name_length) != 0)
			continue;
		if (i < index)
			return -1;
		twin = 1;
	}
	return twin;
}

Jsonb *
cpw_payload_headers(const CpwHeaders *headers, const char *secret_header)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < headers->count; i++)
	{
		const CpwHeader *header = &headers->items[i];
		int			twin = find_twin(headers, i);
		JsonbValue	key;
		JsonbValue	value;

		if (twin < 0)
			continue;
		set_string(&key, header->name, header->name_length);
		if (cpw_header_is_secret(header) ||
			(secret_header != NULL &&
			 header->name_length == strlen(secret_header) &&
			 memcmp(header->name, secret_header, header->name_length) == 0))
			set_string(&value, "****", 4);
		else if (twin > 0)
			set_joined(&value, headers, i);
		else
			set_string(&value, header->value, header->value_length);
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(object);
}

static void
set_decoded(JsonbValue *value, const char *text, size_t length)
{
	char	   *decoded = palloc(length + 1);
	long		decoded_length = cpw_form_decode(text, length, decoded);

	if (decoded_length < 0)
		set_string(value, text, length);
	else
		set_string(value, decoded, (size_t) decoded_length);
}

Jsonb *
cpw_payload_query(const char *query, size_t length)
{
	JsonbParseState *state = NULL;
	CpwFormField field;
	JsonbValue *object;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while (cpw_form_next(&query, &length, &field))
	{
		JsonbValue	key;
		JsonbValue	value;

		set_decoded(&key, field.name, field.name_length);
		set_decoded(&value, field.value, field.value_length);
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(object);
}

static void
push_member(JsonbParseState **state, const char *name, Jsonb *object)
{
	JsonbValue	key;
	JsonbValue	value;

	set_string(&key, name, strlen(name));
	value.type = jbvBinary;
	value.val.binary.data = &object->root;
	value.val.binary.len = (int) (VARSIZE_ANY_EXHDR(object));
	pushJsonbValue(state, WJB_KEY, &key);
	pushJsonbValue(state, WJB_VALUE, &value);
}

Jsonb *
cpw_payload_variables(Jsonb *headers, Jsonb *query)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_member(&state, "headers", headers);
	push_member(&state, "query", query);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
