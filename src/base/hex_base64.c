/*
 * hex_base64.c
 *		Hexadecimal and base64 (RFC 4648), strict: what an encoder would not
 *		have written is refused, so that each value has one spelling (but for
 *		the case of hex digits).
 *
 * Decoding branches on the text. That is harmless for signatures, which their
 * senders know; secrets are only ever compared, and as bytes.
 */
#include "base/hex_base64.h"

#include <openssl/crypto.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* The value of a hex digit, or -1. */
static inline int
hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

long
cpw_hex_decode(const char *text, size_t length,
			   uint8_t *bytes, size_t capacity)
{
	if (length % 2 != 0 || length / 2 > capacity)
		return -1;
	for (size_t i = 0; i < length / 2; i++)
	{
		int			high = hex_value((unsigned char) text[2 * i]);
		int			low = hex_value((unsigned char) text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = (uint8_t) (high << 4 | low);
	}
	return (long) (length / 2);
}

void
cpw_hex_encode(const uint8_t *bytes, size_t length, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++)
	{
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 0x0F];
	}
	*text = '\0';
}

/* The value of a base64 digit, or -1. */
static inline int
base64_value(CpwBase64Alphabet alphabet, unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (alphabet == CPW_BASE64_URL ? '-' : '+'))
		return 62;
	if (c == (alphabet == CPW_BASE64_URL ? '_' : '/'))
		return 63;
	return -1;
}

long
cpw_base64_decode(CpwBase64Alphabet alphabet,
				  const char *text, size_t length,
				  uint8_t *bytes, size_t capacity)
{
	size_t		used = 0;
	uint32_t	bits = 0;
	int			bit_count = 0;

	if (alphabet == CPW_BASE64_STANDARD && length % 4 != 0)
		return -1;

	/* Padding only fills up the last group of four. */
	if (length > 0 && length % 4 == 0 && text[length - 1] == '=')
	{
		length--;
		if (text[length - 1] == '=')
			length--;
	}
	/* One digit left over is less than a byte. */
	if (length % 4 == 1 || length / 4 * 3 + length % 4 * 3 / 4 > capacity)
		return -1;

	for (size_t i = 0; i < length; i++)
	{
		int			value = base64_value(alphabet, (unsigned char) text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t) value;
		bit_count += 6;
		if (bit_count >= 8)
		{
			bit_count -= 8;
			bytes[used++] = (uint8_t) (bits >> bit_count);
			bits &= (1U << bit_count) - 1;
		}
	}
	if (bits != 0)
		return -1;
	return (long) used;
}

size_t
cpw_base64_encode(CpwBase64Alphabet alphabet,
				  const uint8_t *bytes, size_t length, char *text)
{
	static const char digits[2][65] = {
		[CPW_BASE64_STANDARD] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		[CPW_BASE64_URL] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
	};
	const char *digit = digits[alphabet];
	char	   *end = text;

	for (size_t i = 0; i < length; i += 3)
	{
		size_t		left = length - i;
		uint32_t	group = (uint32_t) bytes[i] << 16;

		if (left > 1)
			group |= (uint32_t) bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];

		*end++ = digit[group >> 18];
		*end++ = digit[group >> 12 & 0x3F];
		if (left > 1)
			*end++ = digit[group >> 6 & 0x3F];
		else if (alphabet == CPW_BASE64_STANDARD)
			*end++ = '=';
		if (left > 2)
			*end++ = digit[group & 0x3F];
		else if (alphabet == CPW_BASE64_STANDARD)
			*end++ = '=';
	}
	*end = '\0';
	return (size_t) (end - text);
}

bool
cpw_equal_in_constant_time(const void *a, const void *b, size_t length)
{
	return CRYPTO_memcmp(a, b, length) == 0;
}
