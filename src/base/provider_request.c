/*
 * provider_request.c
 *		What is sent to a provider: its URL, headers and body, made of the
 *		provider's row.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/provider.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define COUNT_OF(array)		((int) (sizeof(array) / sizeof((array)[0])))

/* What is in no need of an escape in a path (RFC 3986, 2.3). */
#define UNRESERVED \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

/* Text into a caller's room; once it is too long it stays so. */
typedef struct Writer
{
	char	   *data;
	size_t		size;
	size_t		length;
	bool		is_full;
} Writer;

static void
put(Writer *writer, const char *text, size_t length)
{
	if (writer->is_full || length >= writer->size - writer->length)
	{
		writer->is_full = true;
		return;
	}
	memcpy(writer->data + writer->length, text, length);
	writer->length += length;
	writer->data[writer->length] = '\0';
}

static void
put_text(Writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

/* A string of JSON (RFC 8259, 7). */
static void
put_json(Writer *writer, const char *text)
{
	put_text(writer, "\"");
	for (; *text != '\0'; text++)
	{
		char		escape[8];

		if (*text == '"' || *text == '\\')
		{
			escape[0] = '\\';
			escape[1] = *text;
			put(writer, escape, 2);
		}
		else if ((unsigned char) *text < 0x20)
			put(writer, escape, (size_t) snprintf(escape, sizeof(escape),
												  "\\u%04x", *text));
		else
			put(writer, text, 1);
	}
	put_text(writer, "\"");
}

/* Text as one segment of a path (RFC 3986, 2.3). */
static void
put_segment(Writer *writer, const char *text)
{
	for (; *text != '\0'; text++)
	{
		char		escape[4];

		if (strchr(UNRESERVED, *text) != NULL)
			put(writer, text, 1);
		else
			put(writer, escape, (size_t) snprintf(escape, sizeof(escape), "%%%02X",
												  (unsigned char) *text));
	}
}

static bool
wants(const CpwProvider *provider, const CpwProviderHook *hook,
	  const char *event)
{
	for (int i = 0; i < hook->event_count; i++)
		if (strcasecmp(hook->events[i], event) == 0)
			return true;
	return hook->event_count == 0 &&
		strcmp(provider->default_event, event) == 0;
}

static void
put_events(Writer *writer, const CpwProvider *provider,
		   const CpwProviderHook *hook)
{
	if (provider->event_members != NULL)
	{
		for (int i = 0; provider->event_members[i][0] != NULL; i++)
		{
			put_text(writer, ",\"");
			put_text(writer, provider->event_members[i][1]);
			put_text(writer, wants(provider, hook,
								   provider->event_members[i][0])
					 ? "\":true" : "\":false");
		}
		return;
	}
	if (hook->event_count == 0)
		put_json(writer, provider->default_event);
	for (int i = 0; i < hook->event_count; i++)
	{
		if (i > 0)
			put_text(writer, ",");
		put_json(writer, hook->events[i]);
	}
}

static void
put_secret(Writer *writer, const CpwProvider *provider, const char *secret)
{
	const char *mark = strstr(provider->secret, "%s");

	if (secret == NULL)
	{
		put_text(writer, provider->no_secret);
		return;
	}
	put(writer, provider->secret, (size_t) (mark - provider->secret));
	put_json(writer, secret);
	put_text(writer, mark + 2);
}

static void
put_body(Writer *writer, const char *pattern, const CpwProvider *provider,
		 const CpwProviderHook *hook)
{
	while (*pattern != '\0')
	{
		size_t		plain = strcspn(pattern, "{");
		const char *mark = pattern + plain;

		put(writer, pattern, plain);
		pattern = mark;
		if (strncmp(mark, "{url}", 5) == 0)
			put_json(writer, hook->url);
		else if (strncmp(mark, "{events}", 8) == 0)
			put_events(writer, provider, hook);
		else if (strncmp(mark, "{secret}", 8) == 0)
			put_secret(writer, provider, hook->secret);
		else if (strncmp(mark, "{description}", 13) == 0)
			put_json(writer, hook->description);
		else if (*mark != '\0')
		{
			put(writer, mark, 1);
			pattern++;
			continue;
		}
		pattern += strcspn(pattern, "}");
		pattern += *pattern == '}';
	}
}

size_t
cpw_provider_describe(const CpwProvider *provider, const CpwProviderHook *hook,
					  char body[CPW_PROVIDER_MAX_BODY])
{
	Writer		writer = {body, CPW_PROVIDER_MAX_BODY, 0, false};

	put_body(&writer, provider->create_body, provider, hook);
	return writer.is_full ? 0 : writer.length;
}

/* A header may hold no line's end, nor any other control character. */
static bool
add_header(CpwProviderRequest *request, const char *format, const char *value)
{
	char	   *header = request->headers[request->header_count];
	const char *mark = strstr(format, "%s");
	Writer		writer = {header, sizeof(request->headers[0]), 0, false};

	put(&writer, format, mark != NULL ? (size_t) (mark - format) : strlen(format));
	if (mark != NULL)
	{
		put_text(&writer, value);
		put_text(&writer, mark + 2);
	}
	for (const char *c = header; *c != '\0'; c++)
		if ((unsigned char) *c < 0x20 || *c == 0x7f)
			return false;
	request->header_count++;
	return !writer.is_full;
}

static void
put_url(Writer *writer, const CpwProvider *provider, const char *api_url,
		const char *repository)
{
	const char *mark = strstr(provider->hooks_path, "%s");
	size_t		length = strlen(api_url);

	while (length > 0 && api_url[length - 1] == '/')
		length--;
	put(writer, api_url, length);
	put(writer, provider->hooks_path, (size_t) (mark - provider->hooks_path));
	if (provider->is_one_segment)
		put_segment(writer, repository);
	else
		put_text(writer, repository);
	put_text(writer, mark + 2);
}

bool
cpw_provider_write(const CpwProvider *provider, CpwProviderCall call,
				   const char *api_url, const char *repository,
				   const char *token, const char *hook_id, int page,
				   const CpwProviderHook *hook, CpwProviderRequest *request)
{
	Writer		url = {request->url, sizeof(request->url), 0, false};
	Writer		body = {request->body, sizeof(request->body), 0, false};
	bool		is_fine;
	char		number[16];

	memset(request, 0, sizeof(*request));
	put_url(&url, provider, api_url, repository);
	if (call == CPW_CALL_LIST)
	{
		snprintf(number, sizeof(number), "%d", page);
		put_text(&url, provider->page_query);
		put_text(&url, number);
	}
	if (call == CPW_CALL_UPDATE || call == CPW_CALL_DELETE)
	{
		put_text(&url, "/");
		put_segment(&url, hook_id);
	}
	request->method = call == CPW_CALL_LIST ? "GET" :
		call == CPW_CALL_CREATE ? "POST" :
		call == CPW_CALL_DELETE ? "DELETE" : provider->update_method;
	if (call == CPW_CALL_CREATE)
		put_body(&body, provider->create_body, provider, hook);
	if (call == CPW_CALL_UPDATE)
		put_body(&body, provider->update_body, provider, hook);
	is_fine = add_header(request, provider->authorization, token);
	for (int i = 0; i < COUNT_OF(provider->headers); i++)
		if (provider->headers[i] != NULL)
			is_fine = add_header(request, provider->headers[i], NULL) && is_fine;
	if (request->body[0] != '\0')
		is_fine = add_header(request, "Content-Type: application/json", NULL) &&
			is_fine;
	return is_fine && !url.is_full && !body.is_full;
}
