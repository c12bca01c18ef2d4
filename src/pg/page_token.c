/*
 * page_token.c
 *		NextToken: where the next page of a list begins.
 */
#include "postgres.h"

#include "base/hex_base64.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "pg/errors.h"
#include "pg/json.h"
#include "pg/page_token.h"
#include "port/pg_crc32c.h"

#define TOKEN_VERSION	1
#define HEADER_LENGTH	5		/* the version and a checksum of 4 bytes */
#define MAX_ITEM		1024

/* Of the scope with its NUL and the item, so that no two spell the same. */
static void
write_header(uint8_t *header, const char *scope, const char *item,
			 size_t length)
{
	pg_crc32c	checksum;

	INIT_CRC32C(checksum);
	COMP_CRC32C(checksum, scope, strlen(scope) + 1);
	COMP_CRC32C(checksum, item, length);
	FIN_CRC32C(checksum);
	header[0] = TOKEN_VERSION;
	for (int i = 0; i < 4; i++)
		header[1 + i] = (uint8_t) (checksum >> (24 - 8 * i));
}

char *
cpw_page_token_make(const char *scope, const char *last)
{
	size_t		length = strlen(last);
	uint8_t    *bytes = palloc(HEADER_LENGTH + length);
	char	   *token = palloc(CPW_BASE64_SIZE(HEADER_LENGTH + length));

	write_header(bytes, scope, last, length);
	memcpy(bytes + HEADER_LENGTH, last, length);
	cpw_base64_encode(CPW_BASE64_URL, bytes, HEADER_LENGTH + length, token);
	return token;
}

_Noreturn static void
raise_invalid(const char *member)
{
	cpw_errors_raise(CPW_INVALID_NEXT_TOKEN,
					 psprintf("The value at '%s' was not given out by this list.", member),
					 "Pass the token of the page before as it came, or leave it out to begin with the first page.",
					 "the token is not valid");
}

char *
cpw_page_token_read(JsonbContainer *request, const char *member,
					const char *scope)
{
	char	   *token = cpw_json_get_text(request, member);
	uint8_t		bytes[HEADER_LENGTH + MAX_ITEM];
	uint8_t		header[HEADER_LENGTH];
	long		length;

	if (token == NULL)
		return pstrdup("");
	length = cpw_base64_decode(CPW_BASE64_URL, token, strlen(token),
							   bytes, sizeof(bytes));
	if (length > HEADER_LENGTH)
	{
		const char *item = (const char *) bytes + HEADER_LENGTH;

		length -= HEADER_LENGTH;
		write_header(header, scope, item, (size_t) length);
		if (memcmp(header, bytes, HEADER_LENGTH) == 0 &&
			pg_verify_mbstr(PG_UTF8, item, (int) length, true))
			return pnstrdup(item, (Size) length);
	}
	raise_invalid(member);
}

/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower-case hex digits. */
static bool
is_uuid(const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(text) != strlen(shape))
		return false;
	for (size_t i = 0; i < strlen(shape); i++)
		if (strchr(shape[i] == '-' ? "-" : "0123456789abcdef",
				   text[i]) == NULL)
			return false;
	return true;
}

char *
cpw_page_token_read_id(JsonbContainer *request, const char *member,
					   const char *scope)
{
	char	   *item = cpw_page_token_read(request, member, scope);

	if (*item != '\0' && !is_uuid(item))
		raise_invalid(member);
	return item;
}
