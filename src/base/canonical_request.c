/*
 * canonical_request.c
 *		The canonical form of a request, hashed piece by piece as it is made.
 *
 *	POST\n
 *	/path\n
 *	a=1&b=2\n
 *	host:example.com\nx-amz-date:20150830T123600Z\n\n
 *	host;x-amz-date\n
 *	<hash of the body in hexadecimal>
 */
#include "base/canonical_request.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex_base64.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* More than these make a request that has no canonical form. */
#define MAX_PARAMETERS	128
#define MAX_SEGMENTS	64

typedef struct Piece
{
	const char *text;
	size_t		length;
} Piece;

typedef struct Parameter
{
	Piece		name;
	Piece		value;
} Parameter;

/* The hash under construction; failed stays set. */
typedef struct Hash
{
	EVP_MD_CTX *context;
	bool		failed;
} Hash;

static void
add(Hash *hash, const char *text, size_t length)
{
	if (length > 0 && EVP_DigestUpdate(hash->context, text, length) != 1)
		hash->failed = true;
}

static void
add_text(Hash *hash, const char *text)
{
	add(hash, text, strlen(text));
}

/* ---- percent-encoding ---- */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Takes one byte off the piece, decoded where it is encoded. */
static unsigned char
take_decoded(Piece *piece)
{
	unsigned char c = (unsigned char) piece->text[0];
	size_t		taken = 1;

	if (c == '%' && piece->length >= 3 && hex_value(piece->text[1]) >= 0 &&
		hex_value(piece->text[2]) >= 0)
	{
		c = (unsigned char) (hex_value(piece->text[1]) * 16 +
							 hex_value(piece->text[2]));
		taken = 3;
	}
	piece->text += taken;
	piece->length -= taken;
	return c;
}

/* Writes a byte's one encoded form (RFC 3986, 2.3) and returns its length. */
static size_t
encode(unsigned char c, char text[3])
{
	static const char digit[] = "0123456789ABCDEF";

	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		(c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~')
	{
		text[0] = (char) c;
		return 1;
	}
	text[0] = '%';
	text[1] = digit[c >> 4];
	text[2] = digit[c & 0x0F];
	return 3;
}

/* ---- the path ---- */

/* Encoded once more: whatever was sent encoded has its % encoded. */
static void
add_segment(Hash *hash, const Piece *segment)
{
	for (size_t i = 0; i < segment->length; i++)
	{
		char		text[3];

		add(hash, text, encode((unsigned char) segment->text[i], text));
	}
}

/* Without empty segments, "." and "..", as all services but S3 have it. */
static void
add_path(Hash *hash, const char *path, size_t length)
{
	Piece		segments[MAX_SEGMENTS];
	int			count = 0;
	bool		ends_in_slash = length > 0 && path[length - 1] == '/';

	for (size_t at = 0; at < length; at++)
	{
		const char *slash = memchr(path + at, '/', length - at);
		Piece		segment = {path + at, 0};

		segment.length = slash != NULL ? (size_t) (slash - segment.text)
			: length - at;
		at += segment.length;
		if (segment.length == 0 ||
			(segment.length == 1 && segment.text[0] == '.'))
			continue;
		if (segment.length == 2 && memcmp(segment.text, "..", 2) == 0)
		{
			count -= count > 0;
			continue;
		}
		if (count == MAX_SEGMENTS)
		{
			hash->failed = true;
			return;
		}
		segments[count++] = segment;
	}
	for (int i = 0; i < count; i++)
	{
		add_text(hash, "/");
		add_segment(hash, &segments[i]);
	}
	if (count == 0 || ends_in_slash)
		add_text(hash, "/");
}

/* ---- the query ---- */

/* Takes the next name=value off a query; false when there is none. */
static bool
take_parameter(Piece *query, Parameter *parameter)
{
	while (query->length > 0)
	{
		const char *end = memchr(query->text, '&', query->length);
		size_t		length = end != NULL ? (size_t) (end - query->text)
			: query->length;
		const char *equals = memchr(query->text, '=', length);
		const char *text = query->text;

		query->text += length + (end != NULL);
		query->length -= length + (end != NULL);
		if (length == 0)
			continue;
		parameter->name = (Piece) {text, equals != NULL
			? (size_t) (equals - text) : length};
		parameter->value = (Piece) {text + length, 0};
		if (equals != NULL)
			parameter->value = (Piece) {equals + 1,
				(size_t) (text + length - equals - 1)};
		return true;
	}
	return false;
}

static Piece
query_of(const char *target, size_t length)
{
	const char *mark = length > 0 ? memchr(target, '?', length) : NULL;

	if (mark == NULL)
		return (Piece) {target + length, 0};
	return (Piece) {mark + 1, (size_t) (target + length - mark - 1)};
}

static bool
is_named(Piece name, const char *text)
{
	while (name.length > 0)
		if (*text == '\0' || take_decoded(&name) != (unsigned char) *text++)
			return false;
	return *text == '\0';
}

long
cpw_query_find(const char *target, size_t length, const char *name,
			   char *value, size_t capacity, int *count)
{
	Piece		query = query_of(target, length);
	Parameter	parameter;
	long		result = -1;

	*count = 0;
	while (take_parameter(&query, &parameter))
	{
		size_t		used = 0;

		if (!is_named(parameter.name, name) || ++*count > 1)
			continue;
		while (parameter.value.length > 0 && used + 1 < capacity)
			value[used++] = (char) take_decoded(&parameter.value);
		value[used] = '\0';
		if (parameter.value.length == 0 && strlen(value) == used)
			result = (long) used;
	}
	return result;
}

/* By the bytes of their encoded forms. */
static int
compare_pieces(Piece one, Piece other)
{
	while (one.length > 0 && other.length > 0)
	{
		char		a[3];
		char		b[3];
		size_t		a_length = encode(take_decoded(&one), a);
		size_t		b_length = encode(take_decoded(&other), b);
		int			order = memcmp(a, b, a_length < b_length ? a_length
								   : b_length);

		if (order != 0)
			return order;
	}
	return (one.length > 0) - (other.length > 0);
}

static int
compare_parameters(const void *one, const void *other)
{
	const Parameter *a = one;
	const Parameter *b = other;
	int			order = compare_pieces(a->name, b->name);

	return order != 0 ? order : compare_pieces(a->value, b->value);
}

static void
add_encoded(Hash *hash, Piece piece)
{
	while (piece.length > 0)
	{
		char		text[3];

		add(hash, text, encode(take_decoded(&piece), text));
	}
}

static void
add_query(Hash *hash, Piece query)
{
	Parameter	parameters[MAX_PARAMETERS];
	Parameter	parameter;
	int			count = 0;

	while (take_parameter(&query, &parameter))
	{
		if (is_named(parameter.name, CPW_SIGNATURE_PARAMETER))
			continue;
		if (count == MAX_PARAMETERS)
		{
			hash->failed = true;
			return;
		}
		parameters[count++] = parameter;
	}
	qsort(parameters, (size_t) count, sizeof(Parameter), compare_parameters);
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			add_text(hash, "&");
		add_encoded(hash, parameters[i].name);
		add_text(hash, "=");
		add_encoded(hash, parameters[i].value);
	}
}

/* ---- the headers ---- */

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without blanks at the ends, and with one space where there are any within. */
static void
add_value(Hash *hash, const CpwHeader *header)
{
	const char *at = header->value;
	const char *end = at + header->value_length;
	bool		first = true;

	while (at < end)
	{
		const char *word;

		while (at < end && is_space(*at))
			at++;
		word = at;
		while (at < end && !is_space(*at))
			at++;
		if (at == word)
			break;
		if (!first)
			add_text(hash, " ");
		first = false;
		add(hash, word, (size_t) (at - word));
	}
}

/* One line a name: the values of all headers of that name. */
static void
add_headers(Hash *hash, const CpwHeaders *headers, const char *names)
{
	for (;;)
	{
		size_t		length = strcspn(names, ";");
		int			found = 0;

		add(hash, names, length);
		for (int i = 0; i < headers->count; i++)
		{
			const CpwHeader *header = &headers->items[i];

			if (header->name_length != length ||
				memcmp(header->name, names, length) != 0)
				continue;
			add_text(hash, found++ == 0 ? ":" : ",");
			add_value(hash, header);
		}
		if (found == 0)
			hash->failed = true;
		add_text(hash, "\n");
		if (names[length] == '\0')
			return;
		names += length + 1;
	}
}

bool
cpw_canonical_request_hash(const CpwSigv4Request *request,
						   const char *signed_headers,
						   const uint8_t body_hash[CPW_SHA256_SIZE],
						   uint8_t hash[CPW_SHA256_SIZE])
{
	Hash		making = {EVP_MD_CTX_new(), false};
	Piece		query = query_of(request->target, request->target_length);
	size_t		path_length = request->target_length - query.length;
	char		hex[2 * CPW_SHA256_SIZE + 1];

	if (path_length > 0 && request->target[path_length - 1] == '?')
		path_length--;
	if (making.context == NULL ||
		EVP_DigestInit_ex(making.context, EVP_sha256(), NULL) != 1)
		making.failed = true;
	else
	{
		add_text(&making, request->method);
		add_text(&making, "\n");
		add_path(&making, request->target, path_length);
		add_text(&making, "\n");
		add_query(&making, query);
		add_text(&making, "\n");
		add_headers(&making, request->headers, signed_headers);
		add_text(&making, "\n");
		add_text(&making, signed_headers);
		add_text(&making, "\n");
		cpw_hex_encode(body_hash, CPW_SHA256_SIZE, hex);
		add_text(&making, hex);
		if (EVP_DigestFinal_ex(making.context, hash, NULL) != 1)
			making.failed = true;
	}
	EVP_MD_CTX_free(making.context);
	return !making.failed;
}
