/*
 * framing.c
 *		The rules of RFC 9112 for the head of a request.
 */
#include "base/framing.h"

#include <string.h>

#include "base/headers.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

static bool
is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9');
}

/* Letters, digits, and these. */
static bool
consists_of(const char *text, size_t length, const char *others)
{
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(text[i]) &&
			(text[i] == '\0' || strchr(others, text[i]) == NULL))
			return false;
	return true;
}

/* A blank before the colon is no part of a name either (RFC 9112, 5.1). */
static const char *
check_lines(const CpwHeaders *headers)
{
	for (int i = 0; i < headers->count; i++)
	{
		const CpwHeader *header = &headers->items[i];

		if (header->name_length == 0 ||
			!consists_of(header->name, header->name_length,
						 "!#$%&'*+-.^_`|~"))
			return "a header's name has other characters than a token";
		if (header->value_length == 0)
			continue;
		if (memchr(header->value, '\0', header->value_length) != NULL)
			return "a header contains a NUL byte";
		if (memchr(header->value, '\r', header->value_length) != NULL ||
			memchr(header->value, '\n', header->value_length) != NULL)
			return "a header contains the end of a line";
	}
	return NULL;
}

static bool
is_chunked(const CpwHeader *header)
{
	static const char chunked[] = "chunked";

	if (header->value_length != sizeof(chunked) - 1)
		return false;
	for (size_t i = 0; i < sizeof(chunked) - 1; i++)
		if ((header->value[i] | 0x20) != chunked[i])
			return false;
	return true;
}

/* Its length is announced once, and in one way (RFC 9112, 6.1 and 6.3). */
static const char *
check_body(const CpwHeaders *headers, bool is_http_1_0)
{
	int			lengths;
	int			codings;
	const CpwHeader *coding;

	(void) cpw_headers_find(headers, "content-length", &lengths);
	coding = cpw_headers_find(headers, "transfer-encoding", &codings);
	if (lengths > 1)
		return "more than one Content-Length";
	if (codings == 0)
		return NULL;
	if (codings > 1 || !is_chunked(coding))
		return "Transfer-Encoding is not chunked";
	if (lengths > 0)
		return "both Transfer-Encoding and Content-Length";
	if (is_http_1_0)
		return "Transfer-Encoding in HTTP/1.0";
	return NULL;
}

static const char *
check_host(const CpwHeaders *headers, bool is_http_1_0)
{
	int			hosts;
	const CpwHeader *host = cpw_headers_find(headers, "host", &hosts);
	size_t		length;

	if (hosts == 0)
		return is_http_1_0 ? NULL : "no Host";
	if (hosts > 1)
		return "more than one Host";
	length = host->value_length;
	while (length > 0 && (host->value[length - 1] == ' ' ||
						  host->value[length - 1] == '\t'))
		length--;
	return consists_of(host->value, length, "-._~%!$&'()*+,;=:[]")
		? NULL : "Host is not a host";
}

const char *
cpw_framing_complaint(const CpwHeaders *headers, bool is_http_1_0)
{
	const char *complaint = check_lines(headers);

	if (complaint == NULL)
		complaint = check_body(headers, is_http_1_0);
	if (complaint == NULL)
		complaint = check_host(headers, is_http_1_0);
	return complaint;
}
