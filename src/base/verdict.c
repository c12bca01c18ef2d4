/*
 * verdict.c
 *		The table of verdicts, and the answers made of it.
 */
#include "base/verdict.h"

#include <string.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

static const CpwVerdictMeaning meanings[CPW_VERDICT_COUNT] = {
	/* Never answered but by mistake: then nothing was recorded. */
	[CPW_VERDICT_PENDING] = {
		503, NULL, "unavailable",
		"The request was not decided; try again"
	},
	[CPW_VERDICT_TRIGGERED] = {200, "triggered", NULL, "triggered"},
	[CPW_VERDICT_IGNORED] = {200, "ignored", NULL, "ignored"},
	[CPW_VERDICT_DUPLICATE] = {200, "duplicate", NULL, "duplicate"},
	[CPW_VERDICT_PONG] = {200, "pong", NULL, "pong"},
	[CPW_VERDICT_HEALTHY] = {200, NULL, NULL, "ok"},
	[CPW_VERDICT_BAD_REQUEST] = {
		400, "rejected", "bad_request",
		"The request is malformed"
	},
	[CPW_VERDICT_BAD_JSON] = {
		400, "rejected", "bad_json",
		"The body is not valid JSON in UTF-8"
	},
	[CPW_VERDICT_BAD_SIGNATURE] = {
		401, "rejected", "bad_signature",
		"The signature is missing, or is not that of this body"
	},
	[CPW_VERDICT_ADDRESS_DENIED] = {
		403, "rejected", "address_denied",
		"The webhook takes no requests from this address"
	},
	[CPW_VERDICT_NOT_FOUND] = {
		404, NULL, "not_found",
		"There is no webhook at this URL"
	},
	[CPW_VERDICT_METHOD_NOT_ALLOWED] = {
		405, NULL, "method_not_allowed",
		"This URL does not take this method; see Allow"
	},
	[CPW_VERDICT_TIMEOUT] = {
		408, NULL, "timeout",
		"The request did not arrive in time"
	},
	[CPW_VERDICT_BODY_TOO_LARGE] = {
		413, "rejected", "body_too_large",
		"The body has more bytes or more JSON values than are taken"
	},
	[CPW_VERDICT_UNSUPPORTED_MEDIA_TYPE] = {
		415, "rejected", "unsupported_media_type",
		"Send application/json, or application/x-www-form-urlencoded with "
		"the JSON in the field payload, in UTF-8, not compressed"
	},
	[CPW_VERDICT_HEADERS_TOO_LARGE] = {
		431, "rejected", "headers_too_large",
		"The headers have more bytes than are taken"
	},
	[CPW_VERDICT_UNAVAILABLE] = {
		503, NULL, "unavailable",
		"The request cannot be taken now; try again"
	},
};

/* An answer under construction; room for what closes it is kept free. */
typedef struct Answer
{
	char	   *text;
	size_t		length;
} Answer;

static const char closing[] = "\"}";

#define ANSWER_LIMIT	(CPW_ANSWER_SIZE - sizeof(closing))

/* Text of the table, which always fits. */
static void
append(Answer *answer, const char *text)
{
	size_t		length = strlen(text);

	memcpy(answer->text + answer->length, text, length);
	answer->length += length;
}

/* How many bytes the UTF-8 character at text has. */
static size_t
character_length(const char *text)
{
	size_t		length = 1;

	while (length < 4 && (text[length] & 0xC0) == 0x80)
		length++;
	return length;
}

/* The inside of a JSON string, as many whole characters as fit. */
static void
append_escaped(Answer *answer, const char *text)
{
	static const char digits[] = "0123456789abcdef";

	while (*text != '\0')
	{
		unsigned char c = (unsigned char) *text;
		size_t		taken = 1;
		char		escape[6] = {'\\', (char) c};
		const char *written = escape;
		size_t		length = 2;

		if (c < 0x20)
		{
			memcpy(escape, "\\u00", 4);
			escape[4] = digits[c >> 4];
			escape[5] = digits[c & 0x0F];
			length = 6;
		}
		else if (c != '"' && c != '\\')
		{
			taken = character_length(text);
			written = text;
			length = taken;
		}

		if (answer->length + length > ANSWER_LIMIT)
			return;
		memcpy(answer->text + answer->length, written, length);
		answer->length += length;
		text += taken;
	}
}

const CpwVerdictMeaning *
cpw_verdict_meaning(CpwVerdict verdict)
{
	if ((unsigned int) verdict >= CPW_VERDICT_COUNT)
		verdict = CPW_VERDICT_PENDING;
	return &meanings[verdict];
}

size_t
cpw_verdict_body(CpwVerdict verdict, const char *execution_id,
				 const char *detail, char body[CPW_ANSWER_SIZE])
{
	const CpwVerdictMeaning *meaning = cpw_verdict_meaning(verdict);
	Answer		answer = {body, 0};

	if (meaning->error != NULL)
	{
		append(&answer, "{\"error\":\"");
		append(&answer, meaning->error);
		append(&answer, "\",\"message\":\"");
		append_escaped(&answer, detail != NULL ? detail : meaning->message);
	}
	else
	{
		append(&answer, "{\"status\":\"");
		append(&answer, meaning->message);
		if (execution_id != NULL && (verdict == CPW_VERDICT_TRIGGERED ||
									 verdict == CPW_VERDICT_DUPLICATE))
		{
			append(&answer, "\",\"pipelineExecutionId\":\"");
			append_escaped(&answer, execution_id);
		}
	}
	append(&answer, closing);
	answer.text[answer.length] = '\0';
	return answer.length;
}
