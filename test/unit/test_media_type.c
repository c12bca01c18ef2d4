/*
 * test_media_type.c
 *		Content-Type and form text.
 */
#include "base/media_type.h"
#include "check.h"

static void
test_content_type(void)
{
	static const struct
	{
		const char *value;
		CpwMediaType media_type;
	}			rows[] = {
		{"application/json", CPW_MEDIA_TYPE_JSON},
		{"Application/JSON", CPW_MEDIA_TYPE_JSON},
		{" application/json\t", CPW_MEDIA_TYPE_JSON},
		{"application/json;", CPW_MEDIA_TYPE_JSON},
		{"application/json ; ;; ", CPW_MEDIA_TYPE_JSON},
		{"application/json; charset=utf-8", CPW_MEDIA_TYPE_JSON},
		{"application/json;charset=UTF-8", CPW_MEDIA_TYPE_JSON},
		{"application/json; Charset=\"Utf-8\"", CPW_MEDIA_TYPE_JSON},
		{"application/json; charset=\"utf\\-8\"", CPW_MEDIA_TYPE_JSON},
		{"application/json; charset=utf8", CPW_MEDIA_TYPE_JSON},
		{"application/json; charset=\"UTF8\"", CPW_MEDIA_TYPE_JSON},
		{"application/json; charset=utf_8", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=utf80", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=us-ascii", CPW_MEDIA_TYPE_JSON},
		{"application/json; charset=US-ASCII", CPW_MEDIA_TYPE_JSON},
		{"application/json; v=1; charset=utf-8 ; b=\"x;\\\"y\"",
		CPW_MEDIA_TYPE_JSON},
		{"application/vnd.github+json", CPW_MEDIA_TYPE_JSON},
		{"application/cloudevents+JSON; charset=utf-8", CPW_MEDIA_TYPE_JSON},
		{"application/a+xml+json", CPW_MEDIA_TYPE_JSON},
		{"image/x+json", CPW_MEDIA_TYPE_JSON},
		{"application/x-www-form-urlencoded", CPW_MEDIA_TYPE_FORM},
		{"application/X-WWW-Form-Urlencoded; charset=utf-8",
		CPW_MEDIA_TYPE_FORM},
		{"application/x-www-form-urlencoded; charset=iso-8859-1",
		CPW_MEDIA_TYPE_OTHER},

		{"", CPW_MEDIA_TYPE_OTHER},
		{" ", CPW_MEDIA_TYPE_OTHER},
		{"/", CPW_MEDIA_TYPE_OTHER},
		{"application", CPW_MEDIA_TYPE_OTHER},
		{"application/", CPW_MEDIA_TYPE_OTHER},
		{"/json", CPW_MEDIA_TYPE_OTHER},
		{"json", CPW_MEDIA_TYPE_OTHER},
		{"+json", CPW_MEDIA_TYPE_OTHER},
		{"application/+json", CPW_MEDIA_TYPE_OTHER},
		{"application/jso", CPW_MEDIA_TYPE_OTHER},
		{"application/jsonp", CPW_MEDIA_TYPE_OTHER},
		{"application/json+xml", CPW_MEDIA_TYPE_OTHER},
		{"application/xjson", CPW_MEDIA_TYPE_OTHER},
		{"text/json", CPW_MEDIA_TYPE_OTHER},
		{"text/plain", CPW_MEDIA_TYPE_OTHER},
		{"multipart/form-data; boundary=x", CPW_MEDIA_TYPE_OTHER},
		{"application /json", CPW_MEDIA_TYPE_OTHER},
		{"application/ json", CPW_MEDIA_TYPE_OTHER},
		{"application/json x", CPW_MEDIA_TYPE_OTHER},
		{"application/json, application/json", CPW_MEDIA_TYPE_OTHER},
		{"application/json,", CPW_MEDIA_TYPE_OTHER},
		{"application/json charset=utf-8", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=", CPW_MEDIA_TYPE_OTHER},
		{"application/json; a=", CPW_MEDIA_TYPE_OTHER},
		{"application/json; a=;", CPW_MEDIA_TYPE_OTHER},
		{"application/json; =utf-8", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset =utf-8", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset= utf-8", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=\"\"", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=\"utf-8", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=\"utf-8\\", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=\"utf-8\"x", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset='utf-8'", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=utf-16", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=utf-8x", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=latin1", CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=\"utf-8 then much more text\"",
		CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=utf-8; charset=latin1",
		CPW_MEDIA_TYPE_OTHER},
		{"application/json; charset=latin1; charset=utf-8",
		CPW_MEDIA_TYPE_OTHER},
		{"application/json\x80", CPW_MEDIA_TYPE_OTHER},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const char *value = rows[i].value;

		CHECK_FOR(value, cpw_media_type_parse(guarded_text(value),
											  strlen(value)) ==
				  rows[i].media_type);
	}

	/* A NUL is no character of a token, though strchr() finds it. */
	CHECK(cpw_media_type_parse("application/json\0", 17) ==
		  CPW_MEDIA_TYPE_OTHER);
	CHECK(cpw_media_type_parse("application/\0+json", 18) ==
		  CPW_MEDIA_TYPE_OTHER);
	CHECK(cpw_media_type_parse(NULL, 0) == CPW_MEDIA_TYPE_OTHER);

	/* Cut anywhere: nothing is read behind the end. */
	{
		static const char whole[] =
			" application/json ; a=\"b\\c\" ; charset=\"utf-8\" ;";

		for (size_t length = 0; length < sizeof(whole); length++)
		{
			CpwMediaType media_type =
				cpw_media_type_parse(guarded_copy(whole, length), length);

			CHECK(media_type == CPW_MEDIA_TYPE_JSON ||
				  media_type == CPW_MEDIA_TYPE_OTHER);
		}
	}
}

static void
test_form_fields(void)
{
	/* Fields as "name>value|name>value|". */
	static const struct
	{
		const char *text;
		const char *fields;
	}			rows[] = {
		{"", ""},
		{"&", ""},
		{"&&&", ""},
		{"a", "a>|"},
		{"a=", "a>|"},
		{"=", ">|"},
		{"=b", ">b|"},
		{"a=b", "a>b|"},
		{"a=b&", "a>b|"},
		{"&a=b", "a>b|"},
		{"a=1&b=2", "a>1|b>2|"},
		{"a=1&&b=2", "a>1|b>2|"},
		{"a=1&b&c=3", "a>1|b>|c>3|"},
		{"a=b=c", "a>b=c|"},
		{"a==", "a>=|"},
		{"payload=%7B%7D&x+y=z", "payload>%7B%7D|x+y>z|"},
		{"a;b=c", "a;b>c|"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const char *text = guarded_text(rows[i].text);
		size_t		length = strlen(rows[i].text);
		const char *end = text + length;
		char		fields[100] = "";
		size_t		used = 0;
		CpwFormField field;

		while (cpw_form_next(&text, &length, &field))
		{
			CHECK_FOR(rows[i].text, field.value + field.value_length <= end);
			memcpy(fields + used, field.name, field.name_length);
			used += field.name_length;
			fields[used++] = '>';
			memcpy(fields + used, field.value, field.value_length);
			used += field.value_length;
			fields[used++] = '|';
		}
		CHECK_BYTES_FOR(rows[i].text, fields, used, rows[i].fields,
						strlen(rows[i].fields));
		CHECK_FOR(rows[i].text, length == 0 && text == end);
	}
}

static void
test_form_find(void)
{
	static const struct
	{
		const char *text;
		const char *value;		/* of "name"; NULL: there is none */
	}			rows[] = {
		{"", NULL},
		{"name", ""},
		{"name=1", "1"},
		{"a=2&name=1&name=3", "1"},
		{"Name=1", NULL},
		{"names=1&nam=2", NULL},
		{"n%61me=1", NULL},
		{"a=name", NULL},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		CpwFormField field = {0};
		bool		found = cpw_form_find(guarded_text(rows[i].text), strlen(rows[i].text),
										  "name", &field);

		CHECK_FOR(rows[i].text, found == (rows[i].value != NULL));
		if (found && rows[i].value != NULL)
			CHECK_BYTES_FOR(rows[i].text, field.value, field.value_length,
							rows[i].value, strlen(rows[i].value));
	}
}

static void
test_form_decode(void)
{
	static const struct
	{
		const char *text;
		const char *decoded;	/* NULL: refused */
	}			rows[] = {
		{"", ""},
		{"a", "a"},
		{"a+b", "a b"},
		{"%2B", "+"},
		{"%41%61", "Aa"},
		{"%4a%4A", "JJ"},
		{"%F0%9F%8E%89", "\xf0\x9f\x8e\x89"},
		{"%7B%22a%22%3A1%7D", "{\"a\":1}"},
		{"%25", "%"},
		{"%2541", "%41"},		/* once, not twice */
		{"\xc3\xa9", "\xc3\xa9"},
		{"%", NULL},
		{"a%", NULL},
		{"%4", NULL},
		{"%4g", NULL},
		{"%g4", NULL},
		{"%%41", NULL},
		{"% 41", NULL},
		{"%u0041", NULL},
		{"abc%0", NULL},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const char *text = rows[i].text;
		size_t		length = strlen(text);
		char	   *decoded = guarded_room(length);
		char	   *in_place = guarded_text(text);
		long		result = cpw_form_decode(guarded_text(text), length,
											 decoded);

		CHECK_FOR(text, (result < 0) == (rows[i].decoded == NULL));
		CHECK_FOR(text, cpw_form_decode(in_place, length, in_place) == result);
		if (result >= 0 && rows[i].decoded != NULL)
		{
			CHECK_BYTES_FOR(text, decoded, result, rows[i].decoded,
							strlen(rows[i].decoded));
			CHECK_BYTES_FOR(text, in_place, result, rows[i].decoded,
							strlen(rows[i].decoded));
		}
	}

	{
		char		decoded[3];

		CHECK(cpw_form_decode("%00", 3, decoded) == 1 && decoded[0] == '\0');
	}
}

void
test_media_type(void)
{
	test_content_type();
	test_form_fields();
	test_form_find();
	test_form_decode();
}
