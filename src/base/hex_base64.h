/*
 * hex_base64.h
 *		Hexadecimal and base64 both ways, and the one comparison for secrets.
 *
 * Plain C over the caller's buffers; nothing is allocated.
 */
#ifndef CPW_HEX_BASE64_H
#define CPW_HEX_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 4648: section 4 (with padding) and section 5 (URL-safe, without). */
typedef enum CpwBase64Alphabet
{
	CPW_BASE64_STANDARD,
	CPW_BASE64_URL
} CpwBase64Alphabet;

/* Room that length bytes need as base64, the terminating NUL included. */
#define CPW_BASE64_SIZE(length)		((((length) + 2) / 3) * 4 + 1)

/*
 * Decodes length hex digits of either case into at most capacity bytes.
 * Returns the number of bytes, or -1 for an odd length, another character or
 * too little room.
 */
extern long cpw_hex_decode(const char *text, size_t length,
						   uint8_t *bytes, size_t capacity);

/* Writes 2 * length lower-case digits and a NUL to text. */
extern void cpw_hex_encode(const uint8_t *bytes, size_t length, char *text);

/*
 * Decodes base64. STANDARD wants canonical padding; URL takes the text with or
 * without it. Bits that no byte uses must be zero, so that each value has one
 * spelling. Returns the number of bytes, or -1 for what is not base64 or too
 * little room.
 */
extern long cpw_base64_decode(CpwBase64Alphabet alphabet,
							  const char *text, size_t length,
							  uint8_t *bytes, size_t capacity);

/*
 * Writes the base64 of bytes (URL: without padding) and a NUL to text, which
 * has CPW_BASE64_SIZE(length) bytes. Returns the text's length.
 */
extern size_t cpw_base64_encode(CpwBase64Alphabet alphabet,
								const uint8_t *bytes, size_t length,
								char *text);

/* Compares in a time that depends on length alone. */
extern bool cpw_equal_in_constant_time(const void *a, const void *b,
									   size_t length);

#endif							/* CPW_HEX_BASE64_H */
