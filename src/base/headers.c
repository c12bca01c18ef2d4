/*
 * headers.c
 *		Look-ups in the headers of a request.
 *
 * A request has some ten to twenty headers, in the order in which they came.
 * Comparing lengths first makes a pass over them cheaper than any index.
 */
#include "base/headers.h"

#include <string.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* A name with its length; measured by the compiler. */
typedef struct HeaderName
{
	const char *text;
	size_t		length;
} HeaderName;

#define HEADER_NAME(literal)	{literal, sizeof(literal) - 1}

#define COUNT_OF(array)			((int) (sizeof(array) / sizeof((array)[0])))

/* The sender's delivery id, in order of preference. */
static const HeaderName delivery_id_names[] = {
	HEADER_NAME("x-github-delivery"),
	HEADER_NAME("x-gitea-delivery"),
	HEADER_NAME("x-gogs-delivery"),
	HEADER_NAME("webhook-id"),
	HEADER_NAME("idempotency-key"),
	HEADER_NAME("x-request-id"),
};

/* The event's name, in order of preference. */
static const HeaderName event_names[] = {
	HEADER_NAME("x-github-event"),
	HEADER_NAME("x-gitea-event"),
	HEADER_NAME("x-gogs-event"),
	HEADER_NAME("x-gitlab-event"),
	HEADER_NAME("x-event-key"),
};

/* Headers whose value is a secret. */
static const HeaderName secret_names[] = {
	HEADER_NAME("authorization"),
	HEADER_NAME("proxy-authorization"),
	HEADER_NAME("cookie"),
	HEADER_NAME("x-gitlab-token"),
	HEADER_NAME("x-api-key"),
	HEADER_NAME("api-key"),
	HEADER_NAME("apikey"),
	HEADER_NAME("x-auth-token"),
	HEADER_NAME("x-access-token"),
};

static inline bool
has_name(const CpwHeader *header, const char *name, size_t length)
{
	return header->name_length == length &&
		memcmp(header->name, name, length) == 0;
}

/* The first header, not empty, of the first name that has one. */
static const CpwHeader *
find_preferred(const CpwHeaders *headers, const HeaderName *names, int count)
{
	for (int n = 0; n < count; n++)
	{
		for (int i = 0; i < headers->count; i++)
		{
			const CpwHeader *header = &headers->items[i];

			if (has_name(header, names[n].text, names[n].length) &&
				header->value_length > 0)
				return header;
		}
	}
	return NULL;
}

const CpwHeader *
cpw_headers_find(const CpwHeaders *headers, const char *name,
				 int *occurrences)
{
	const CpwHeader *first = NULL;
	size_t		length = strlen(name);
	int			count = 0;

	for (int i = 0; i < headers->count; i++)
	{
		const CpwHeader *header = &headers->items[i];

		if (!has_name(header, name, length))
			continue;
		if (count++ == 0)
			first = header;
		if (occurrences == NULL)
			break;
	}
	if (occurrences != NULL)
		*occurrences = count;
	return first;
}

const CpwHeader *
cpw_headers_delivery_id(const CpwHeaders *headers)
{
	return find_preferred(headers, delivery_id_names,
						  COUNT_OF(delivery_id_names));
}

const CpwHeader *
cpw_headers_event(const CpwHeaders *headers)
{
	return find_preferred(headers, event_names, COUNT_OF(event_names));
}

bool
cpw_headers_is_ping(const CpwHeaders *headers)
{
	/* The name that cpw_headers_event() prefers, so that the two agree. */
	const CpwHeader *event = find_preferred(headers, event_names, 1);

	return event != NULL && event->value_length == 4 &&
		memcmp(event->value, "ping", 4) == 0;
}

bool
cpw_header_is_secret(const CpwHeader *header)
{
	for (int n = 0; n < COUNT_OF(secret_names); n++)
	{
		if (has_name(header, secret_names[n].text, secret_names[n].length))
			return true;
	}
	return false;
}
