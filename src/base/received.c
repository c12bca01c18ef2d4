/*
 * received.c
 *		The signatures that a request came with.
 */
#include "base/received.h"

#include <string.h>

#include "base/headers.h"
#include "base/keyed.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

bool
cpw_received_begins_with(const char *text, size_t length, const char *prefix,
			bool any_case)
{
	size_t		prefix_length = strlen(prefix);

	if (length < prefix_length)
		return false;
	if (!any_case)
		return memcmp(text, prefix, prefix_length) == 0;
	for (size_t i = 0; i < prefix_length; i++)
	{
		char		a = text[i];
		char		b = prefix[i];

		if (a >= 'A' && a <= 'Z')
			a = (char) (a - 'A' + 'a');
		if (b >= 'A' && b <= 'Z')
			b = (char) (b - 'A' + 'a');
		if (a != b)
			return false;
	}
	return true;
}

/* Reads one signature; false where it has not the way's form. */
static bool
read_candidate(const CpwWay *way, const char *text, size_t length,
			   CpwCandidate *candidate)
{
	size_t		prefix_length = strlen(way->prefix);
	size_t		digest_length = cpw_algorithm_length(way->algorithm);

	if (!cpw_received_begins_with(text, length, way->prefix, way->any_case))
		return false;
	candidate->text = text + prefix_length;
	candidate->length = length - prefix_length;
	if (way->algorithm == CPW_ALGORITHM_TOKEN)
		return candidate->length > 0;
	return cpw_encoding_decode(way->encoding, candidate->text,
							   candidate->length, candidate->digest,
							   digest_length) == (long) digest_length;
}

/* Takes one entry of the header: a signature, the timestamp, or another's. */
static bool
take_entry(const CpwWay *ways, int count, int first, const char *text,
		   size_t length, CpwSignatures *signatures)
{
	const char *mark = signatures->way->timestamp_prefix;

	if (mark != NULL && cpw_received_begins_with(text, length, mark, false))
	{
		signatures->timestamp = text + strlen(mark);
		signatures->timestamp_length = length - strlen(mark);
		signatures->timestamp_count++;
		return true;
	}
	for (int i = first; i < count &&
		 strcmp(ways[i].header, signatures->way->header) == 0; i++)
	{
		CpwCandidate	candidate = {.way = i};

		if (!read_candidate(&ways[i], text, length, &candidate))
			continue;
		if (signatures->count == CPW_MAX_CANDIDATES)
			return false;
		signatures->candidates[signatures->count++] = candidate;
		return true;
	}
	return true;
}

/* Takes the entries of a header apart. */
static bool
take_entries(const CpwWay *ways, int count, int first,
			 const CpwHeader *header, CpwSignatures *signatures)
{
	const char *text = header->value;
	size_t		rest = header->value_length;
	char		separator = ways[first].separator;

	while (separator != 0)
	{
		const char *end = memchr(text, separator, rest);
		size_t		length = end != NULL ? (size_t) (end - text) : rest;
		size_t		blanks = 0;

		while (blanks < length && text[blanks] == ' ')
			blanks++;
		while (length > blanks && text[length - 1] == ' ')
			length--;
		if (!take_entry(ways, count, first, text + blanks, length - blanks,
						signatures))
			return false;
		if (end == NULL)
			return true;
		text = end + 1;
		rest = (size_t) (header->value + header->value_length - text);
	}
	return take_entry(ways, count, first, text, rest, signatures);
}

CpwSignatureResult
cpw_received_read(const CpwWay *ways, int count, const CpwHeaders *headers,
				CpwSignatures *signatures)
{
	signatures->count = 0;
	signatures->timestamp = NULL;
	signatures->timestamp_count = 0;
	for (int i = 0; i < count; i++)
	{
		const CpwHeader *header;
		int			occurrences;

		if (ways[i].header == NULL)
			continue;
		header = cpw_headers_find(headers, ways[i].header, &occurrences);
		if (header == NULL)
			continue;
		if (occurrences > 1)
			return CPW_SIGNATURE_REPEATED;
		if (header->value_length == 0)
			return CPW_SIGNATURE_MISSING;
		signatures->way = &ways[i];
		if (!take_entries(ways, count, i, header, signatures) ||
			signatures->count == 0)
			return CPW_SIGNATURE_MALFORMED;
		return CPW_SIGNATURE_VALID;
	}
	return CPW_SIGNATURE_MISSING;
}
