/*
 * head.c
 *		A request's head, from libmicrohttpd to a CpwRequest.
 *
 * Up to 0.9 libmicrohttpd is lenient: it takes a bare LF for the end of a
 * line, joins (wrongly) what is folded, and cuts what contains a NUL, all
 * without a word. What another server on the way sees in the same bytes may
 * begin and end elsewhere. It hands out pointers into the bytes as they came,
 * though, with NULs in the place of what it took for separators: where each
 * piece begins right behind the one before there was nothing else.
 *
 * From 1.0 on it refuses all of that itself when it is asked to be strict.
 */
#include "net/head.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/framing.h"

#define LINE_END	2			/* CR LF */
#define VERSION		8			/* HTTP/1.1 */

bool
cpw_head_library_is_lenient(const char *version)
{
	return strncmp(version, "0.", 2) == 0;
}

CpwRequest *
cpw_head_begin(const char *uri)
{
	size_t		length = strlen(uri);
	CpwRequest *request = calloc(1, sizeof(CpwRequest) + length + 1);
	const char *query;

	if (request == NULL)
		return NULL;
	memcpy((char *) (request + 1), uri, length + 1);
	request->target = (char *) (request + 1);

	/*
	 * libmicrohttpd goes on to take the query apart, for us to look it up
	 * there. Nobody does, but where its parts are many 0.9.75 runs out of its
	 * memory, and then goes on as if nothing had happened, with an answer
	 * already queued and nothing ever sent. So it finds an empty query.
	 */
	query = strchr(uri, '?');
	if (query != NULL && query[1] != '\0')
		((char *) query)[1] = '\0';
	return request;
}

/* The bytes of a head, seen piece by piece. */
typedef struct Layout
{
	int			count;			/* of headers */
	size_t		bytes;			/* their names and values alone */
	const char *next;			/* where the next line must begin */
	bool		gapless;
} Layout;

static bool
measure_header(void *arg, const char *name, size_t name_length,
			   const char *value, size_t value_length)
{
	Layout	   *layout = arg;

	layout->count++;
	layout->bytes += name_length + value_length;
	if (name != layout->next || value <= name)
		layout->gapless = false;
	else
		layout->next = value + value_length + LINE_END;
	return true;
}

typedef struct Copy
{
	CpwHeader  *item;
	CpwHeader  *end;
	char	   *text;
} Copy;

static bool
copy_header(void *arg, const char *name, size_t name_length,
			const char *value, size_t value_length)
{
	Copy	   *copy = arg;

	if (copy->item == copy->end)
		return false;
	for (size_t i = 0; i < name_length; i++)
	{
		char		c = name[i];

		copy->text[i] = c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
	}
	copy->item->name = copy->text;
	copy->item->name_length = name_length;
	copy->text += name_length;
	if (value_length > 0)
		memcpy(copy->text, value, value_length);
	copy->item->value = copy->text;
	copy->item->value_length = value_length;
	copy->text += value_length;
	copy->item++;
	return true;
}

/* Copies the headers in lower case; false when memory is short. */
static bool
copy_headers(CpwRequest *request, const CpwHeadSource *source,
			 const Layout *layout)
{
	int			kept = layout->count <= CPW_MAX_HEADERS
		? layout->count : CPW_MAX_HEADERS;
	CpwHeader  *items = malloc((size_t) kept * sizeof(CpwHeader) +
							   layout->bytes + 1);
	Copy		copy = {items, items + kept, (char *) (items + kept)};

	if (items == NULL)
		return false;
	source->each_header(source->connection, copy_header, &copy);
	request->header_memory = items;
	request->headers.items = items;
	request->headers.count = kept;
	/* ": " and the line's end */
	request->header_size = layout->bytes + 4 * (size_t) layout->count;

	/* Too many is too large, whatever their size. */
	if (layout->count > CPW_MAX_HEADERS)
		request->header_size = SIZE_MAX;
	return true;
}

/*
 * White space behind a value is no part of it (RFC 9112, 5.5). libmicrohttpd
 * leaves it there up to 0.9, and goes by it: so the framing is checked before.
 */
static void
trim_values(CpwRequest *request)
{
	CpwHeader  *items = request->header_memory;

	for (int i = 0; i < request->headers.count; i++)
		while (items[i].value_length > 0 &&
			   (items[i].value[items[i].value_length - 1] == ' ' ||
				items[i].value[items[i].value_length - 1] == '\t'))
			items[i].value_length--;
}

/* Visible characters, and bytes of other character sets. */
static bool
is_target(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text <= ' ' || *text == 0x7F)
			return false;
	return true;
}

bool
cpw_head_take(CpwRequest *request, const CpwHeadSource *source)
{
	const char *method = source->method;
	const char *url = source->url;
	const char *version = source->version;
	Layout		layout = {.next = version + VERSION + LINE_END};

	layout.gapless = url == method + strlen(method) + 1 &&
		version == url + strlen(request->target) + 1;
	source->each_header(source->connection, measure_header, &layout);
	if (layout.next + LINE_END != method + source->size)
		layout.gapless = false;
	if (!copy_headers(request, source, &layout))
		return false;

	if ((source->is_lenient && !layout.gapless) ||
		!is_target(request->target))
		request->malformed = "a line has other separators than it must";
	else
		request->malformed = cpw_framing_complaint(&request->headers,
												   strcmp(version, "HTTP/1.0") == 0);
	trim_values(request);
	request->method = method;
	cpw_request_describe_body(request);

	/*
	 * Behind these nothing can be taken for a request: what is malformed may
	 * have its end elsewhere, and a CONNECT may be followed by what was meant
	 * for the tunnel's other end.
	 */
	if (request->malformed != NULL || strcmp(method, "CONNECT") == 0)
		request->closes = true;

	/*
	 * In the lines between chunks the lenient library takes a bare LF as well,
	 * and there it does not show.
	 */
	if (source->is_lenient && request->has_body && !request->length_known)
		request->closes = true;
	return true;
}
