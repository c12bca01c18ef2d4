/*
 * signed_form.c
 *		What Twilio signs beside the URL.
 */
#include "base/signed_form.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/hex_base64.h"
#include "base/media_type.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define HASH_PARAMETER	"bodySHA256"
#define HASH_LENGTH		32

/* A field, decoded. */
typedef struct Field
{
	char	   *name;
	size_t		name_length;
	char	   *value;
	size_t		value_length;
} Field;

static int
compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t		shorter = a_length < b_length ? a_length : b_length;
	int			difference = shorter > 0 ? memcmp(a, b, shorter) : 0;

	if (difference != 0)
		return difference;
	return (a_length > b_length) - (a_length < b_length);
}

static int
compare_fields(const void *a, const void *b)
{
	const Field *left = a;
	const Field *right = b;
	int			difference = compare_bytes(left->name, left->name_length,
										   right->name, right->name_length);

	if (difference != 0)
		return difference;
	return compare_bytes(left->value, left->value_length,
						 right->value, right->value_length);
}

/* Decodes the fields into room, which is as long as the body; their number. */
static int
read_fields(const char *body, size_t length, char *room, Field *fields)
{
	CpwFormField field;
	int			count = 0;

	while (cpw_form_next(&body, &length, &field))
	{
		long		name_length;
		long		value_length;

		if (count == CPW_MAX_FORM_FIELDS)
			return -1;
		name_length = cpw_form_decode(field.name, field.name_length, room);
		if (name_length < 0)
			return -1;
		value_length = cpw_form_decode(field.value, field.value_length,
									   room + name_length);
		if (value_length < 0)
			return -1;
		fields[count++] = (Field)
		{
			room, (size_t) name_length, room + name_length,
				(size_t) value_length
		};
		room += name_length + value_length;
	}
	return count;
}

/* Writes the sorted fields one behind the other; how many bytes. */
static size_t
write_fields(const Field *fields, int count, char *text)
{
	size_t		length = 0;

	for (int i = 0; i < count; i++)
	{
		if (i > 0 && compare_fields(&fields[i - 1], &fields[i]) == 0)
			continue;
		memcpy(text + length, fields[i].name, fields[i].name_length);
		length += fields[i].name_length;
		memcpy(text + length, fields[i].value, fields[i].value_length);
		length += fields[i].value_length;
	}
	return length;
}

char *
cpw_signed_form_write(const char *body, size_t body_length, size_t *length)
{
	Field	   *fields = OPENSSL_malloc(sizeof(Field) * CPW_MAX_FORM_FIELDS);
	char	   *room = OPENSSL_malloc(body_length + 1);
	char	   *text = OPENSSL_malloc(body_length + 1);
	int			count = -1;

	if (fields != NULL && room != NULL && text != NULL)
		count = read_fields(body, body_length, room, fields);
	if (count >= 0)
	{
		qsort(fields, (size_t) count, sizeof(Field), compare_fields);
		*length = write_fields(fields, count, text);
	}
	else
	{
		OPENSSL_free(text);
		text = NULL;
	}
	OPENSSL_free(room);
	OPENSSL_free(fields);
	return text;
}

CpwBodyHash
cpw_signed_form_check_hash(const char *url, const char *body,
						   size_t body_length)
{
	const char *query = strchr(url, '?');
	CpwFormField field;
	uint8_t		received[HASH_LENGTH];
	uint8_t		computed[EVP_MAX_MD_SIZE];
	unsigned int computed_length = 0;

	if (query == NULL ||
		!cpw_form_find(query + 1, strlen(query + 1), HASH_PARAMETER, &field))
		return CPW_BODY_HASH_NONE;
	if (cpw_hex_decode(field.value, field.value_length, received,
					   HASH_LENGTH) != HASH_LENGTH ||
		EVP_Digest(body, body_length, computed, &computed_length,
				   EVP_sha256(), NULL) != 1 ||
		!cpw_equal_in_constant_time(received, computed, HASH_LENGTH))
		return CPW_BODY_HASH_WRONG;
	return CPW_BODY_HASH_RIGHT;
}

char *
cpw_signed_form_other_port(const char *url)
{
	bool		is_https = strncmp(url, "https://", 8) == 0;
	const char *port = is_https ? ":443" : ":80";
	const char *authority = strstr(url, "://");
	const char *end;
	const char *colon;
	size_t		length = strlen(url);
	size_t		before;
	size_t		port_length;
	char	   *other;

	if (authority == NULL)
		return NULL;
	authority += 3;
	end = authority + strcspn(authority, "/?");
	colon = end;
	while (colon > authority && colon[-1] >= '0' && colon[-1] <= '9')
		colon--;
	if (colon > authority && colon < end && colon[-1] == ':')
	{
		colon--;
		port = "";
	}
	else
		colon = end;
	before = (size_t) (colon - url);
	port_length = strlen(port);
	other = OPENSSL_malloc(length + port_length + 1);
	if (other == NULL)
		return NULL;
	memcpy(other, url, before);
	memcpy(other + before, port, port_length);
	memcpy(other + before + port_length, end, strlen(end) + 1);
	return other;
}

char *
cpw_signed_form_payload(const char *body, size_t body_length, size_t *length)
{
	CpwFormField field;
	char	   *decoded;
	long		decoded_length;

	if (!cpw_form_find(body, body_length, "payload", &field))
		return NULL;
	decoded = OPENSSL_malloc(field.value_length + 1);
	if (decoded == NULL)
		return NULL;
	decoded_length = cpw_form_decode(field.value, field.value_length, decoded);
	if (decoded_length < 0)
	{
		OPENSSL_free(decoded);
		return NULL;
	}
	*length = (size_t) decoded_length;
	return decoded;
}
