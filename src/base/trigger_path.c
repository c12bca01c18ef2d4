/*
 * trigger_path.c
 *		Splits a request target: kind, token, query.
 */
#include "base/trigger_path.h"

#include <string.h>
#include <strings.h>

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

/*
 * Takes scheme and authority off an absolute-form target: what stays begins
 * with the path. Servers must take that form (RFC 9112, 3.2.2); whom it names
 * is of no more interest than Host is.
 */
static void
skip_authority(const char **text, size_t *length)
{
	static const char *const schemes[] = {"http://", "https://"};
	const char *path;

	for (size_t n = 0; n < sizeof(schemes) / sizeof(schemes[0]); n++)
	{
		const size_t scheme_length = strlen(schemes[n]);

		if (*length <= scheme_length ||
			strncasecmp(*text, schemes[n], scheme_length) != 0)
			continue;
		path = memchr(*text + scheme_length, '/', *length - scheme_length);
		/* Without an authority it is no such target. */
		if (path == NULL || path == *text + scheme_length ||
			memchr(*text, '?', (size_t) (path - *text)) != NULL)
			return;
		*length -= (size_t) (path - *text);
		*text = path;
		return;
	}
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

	skip_authority(&text, &length);
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
