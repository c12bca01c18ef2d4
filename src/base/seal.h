/*
 * seal.h
 *		Secrets as text that only a key opens: AES-256-GCM.
 *
 * A key has a name, which is written before what it seals, so that several
 * keys can be in use while one replaces the other. What is sealed is bound to
 * a context (where it is stored): moved elsewhere it does not open.
 *
 * Text that is not sealed is stored as it is; where it happens to begin as a
 * sealed one does it gets an empty key name, so that reading is never a guess.
 * https://csrc.nist.gov/pubs/sp/800/38/d/final (GCM; 96 bit nonces by 8.2.2)
 */
#ifndef CPW_SEAL_H
#define CPW_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPW_SEAL_KEY_LENGTH		32
#define CPW_SEAL_NAME_LENGTH	32	/* of a key's name, at most */

typedef struct CpwSealKey
{
	char		name[CPW_SEAL_NAME_LENGTH + 1];
	uint8_t		bytes[CPW_SEAL_KEY_LENGTH];
} CpwSealKey;

/* Room for length bytes of a secret as text, sealed or not, with its NUL. */
#define CPW_SEAL_SIZE(length) \
	(64 + CPW_SEAL_NAME_LENGTH + (((length) + 28 + 2) / 3) * 4 + (length))

/*
 * Reads a line of a key file: a name of [A-Za-z0-9_.-], blanks, 32 bytes as
 * base64. Returns what is wrong with it, or NULL. Blank lines and those that
 * begin with # are the caller's.
 */
extern const char *cpw_seal_parse_key(const char *line, size_t length,
									  CpwSealKey *key);

/*
 * Writes the secret to text (CPW_SEAL_SIZE(length) bytes): sealed with the
 * key, or as it is for a NULL key. Returns the text's length, or -1 when the
 * library fails.
 */
extern long cpw_seal(const CpwSealKey *key, const char *secret, size_t length,
					 const char *context, char *text);

/*
 * The name of the key that sealed a text, not terminated, and its length;
 * NULL for text that is not sealed.
 */
extern const char *cpw_seal_key_name(const char *text, size_t length,
									 size_t *name_length);

/*
 * Opens a text into secret, which has length + 1 bytes; a NUL is added. key is
 * the one of its name, NULL for text that is not sealed. Returns the secret's
 * length, or -1: it was not sealed with this key, for this context, or has
 * been altered.
 */
extern long cpw_seal_open(const CpwSealKey *key, const char *text,
						  size_t length, const char *context, char *secret);

#endif							/* CPW_SEAL_H */
