/*
 * trigger_path.c
 *		Splits a request target: kind, token, query.
 */
#include "base/trigger_path.h"

#include <string.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define HEALTHZ_PATH	"/healthz"

static bool
is_token(const char *text, size_t length)
{
	if (length != CPW_TOKEN_LENGTH)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		char		c = text[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			  (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

void
cpw_target_parse(const char *text, size_t length, CpwTarget *target)
{
	const size_t prefix_length = sizeof(CPW_TRIGGER_PREFIX) - 1;
	const char *mark;
	size_t		path_length;

	*target = (CpwTarget) {.kind = CPW_TARGET_OTHER};
	if (length == 0 || memchr(text, '#', length) != NULL)
		return;

	mark = memchr(text, '?', length);
	path_length = mark != NULL ? (size_t) (mark - text) : length;

	if (path_length > prefix_length &&
		memcmp(text, CPW_TRIGGER_PREFIX, prefix_length) == 0 &&
		is_token(text + prefix_length, path_length - prefix_length))
	{
		target->kind = CPW_TARGET_TRIGGER;
		target->token = text + prefix_length;
	}
	else if (path_length == sizeof(HEALTHZ_PATH) - 1 &&
			 memcmp(text, HEALTHZ_PATH, path_length) == 0)
		target->kind = CPW_TARGET_HEALTHZ;
	else
		return;

	if (mark != NULL)
	{
		target->query = mark + 1;
		target->query_length = length - path_length - 1;
	}
}
