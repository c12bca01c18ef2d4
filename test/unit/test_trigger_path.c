/*
 * test_trigger_path.c
 *		Request targets.
 */
#include "base/trigger_path.h"
#include "check.h"

/* 43 characters, with both ends of every range of the alphabet. */
#define TOKEN "AZaz09-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAz"

static void
test_rows(void)
{
	static const struct
	{
		const char *text;
		CpwTargetKind kind;
		const char *query;
	}			rows[] = {
		{"/trigger/" TOKEN, CPW_TARGET_TRIGGER, ""},
		{"/trigger/" TOKEN "?", CPW_TARGET_TRIGGER, ""},
		{"/trigger/" TOKEN "?a=1&b=%20", CPW_TARGET_TRIGGER, "a=1&b=%20"},
		{"/trigger/" TOKEN "?a=/?b", CPW_TARGET_TRIGGER, "a=/?b"},
		{"http://localhost/trigger/" TOKEN, CPW_TARGET_TRIGGER, ""},
		{"HTTPS://[::1]:8787/trigger/" TOKEN "?a", CPW_TARGET_TRIGGER, "a"},
		{"http://x/healthz", CPW_TARGET_HEALTHZ, ""},
		{"/healthz", CPW_TARGET_HEALTHZ, ""},
		{"/healthz?x", CPW_TARGET_HEALTHZ, "x"},

		{"", CPW_TARGET_OTHER, ""},
		{"/", CPW_TARGET_OTHER, ""},
		{"?", CPW_TARGET_OTHER, ""},
		{"*", CPW_TARGET_OTHER, ""},
		{"/trigger", CPW_TARGET_OTHER, ""},
		{"/trigger/", CPW_TARGET_OTHER, ""},
		{"/trigger/?" TOKEN, CPW_TARGET_OTHER, ""},
		{"/trigger/" TOKEN "x", CPW_TARGET_OTHER, ""},
		{"/trigger/" TOKEN "/", CPW_TARGET_OTHER, ""},
		{"/trigger/" TOKEN "/x", CPW_TARGET_OTHER, ""},
		{"/trigger/" TOKEN "=", CPW_TARGET_OTHER, ""},
		{"/trigger/" TOKEN "#x", CPW_TARGET_OTHER, ""},
		{"/trigger/" TOKEN "?a#x", CPW_TARGET_OTHER, ""},
		{"/trigger//" TOKEN, CPW_TARGET_OTHER, ""},
		{"//trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"/Trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"/x/../trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"/trigger%2F" TOKEN, CPW_TARGET_OTHER, ""},
		{"http://localhost", CPW_TARGET_OTHER, ""},
		{"http://", CPW_TARGET_OTHER, ""},
		{"http:///trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"http:/trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"ftp://localhost/trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"http://localhost?/trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"http://http://localhost/trigger/" TOKEN, CPW_TARGET_OTHER, ""},
		{"/healthz/", CPW_TARGET_OTHER, ""},
		{"/health", CPW_TARGET_OTHER, ""},
		{"/healthzz", CPW_TARGET_OTHER, ""},
		{"/healthz#", CPW_TARGET_OTHER, ""},
		{"healthz", CPW_TARGET_OTHER, ""},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		const char *text = guarded_text(rows[i].text);
		size_t		length = strlen(rows[i].text);
		CpwTarget	target;

		memset(&target, 0xFF, sizeof(target));
		cpw_target_parse(text, length, &target);
		CHECK_FOR(rows[i].text, target.kind == rows[i].kind);
		CHECK_FOR(rows[i].text,
				  target.token == (rows[i].kind == CPW_TARGET_TRIGGER ?
								   text + (strstr(rows[i].text, TOKEN) -
										   rows[i].text) : NULL));
		CHECK_FOR(rows[i].text,
				  target.query_length == strlen(rows[i].query));
		if (target.query_length > 0)
			CHECK_FOR(rows[i].text,
					  target.query == text + length - target.query_length);
	}
}

/* One character of the token replaced by each byte. */
static void
test_alphabet(void)
{
	static const char prefix[] = CPW_TRIGGER_PREFIX;
	char		text[] = CPW_TRIGGER_PREFIX TOKEN;

	for (size_t at = 0; at < CPW_TOKEN_LENGTH; at += CPW_TOKEN_LENGTH - 1)
	{
		for (int c = 0; c < 256; c++)
		{
			bool		in_alphabet = (c >= 'A' && c <= 'Z') ||
				(c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
				c == '-' || c == '_';
			char		saved = text[sizeof(prefix) - 1 + at];
			CpwTarget	target;

			text[sizeof(prefix) - 1 + at] = (char) c;
			cpw_target_parse(text, sizeof(text) - 1, &target);
			CHECK((target.kind == CPW_TARGET_TRIGGER) == in_alphabet);
			text[sizeof(prefix) - 1 + at] = saved;
		}
	}

	/* Shorter ones, each flush against its end. */
	for (size_t length = 0; length < sizeof(text) - 1; length++)
	{
		CpwTarget	target;

		cpw_target_parse(guarded_copy(text, length), length, &target);
		CHECK(target.kind == CPW_TARGET_OTHER);
	}
	CHECK(sizeof(text) - 1 == sizeof(prefix) - 1 + CPW_TOKEN_LENGTH);
}

void
test_trigger_path(void)
{
	test_rows();
	test_alphabet();
}
