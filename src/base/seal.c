/*
 * seal.c
 *		Secrets as text that only a key opens.
 *
 * A sealed text is "cpw1:", the key's name, ":", and in base64 the nonce, the
 * ciphertext and the tag.
 */
#include "base/seal.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/hex_base64.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define PREFIX			"cpw1:"
#define PREFIX_LENGTH	(sizeof(PREFIX) - 1)
#define NONCE_LENGTH	12
#define TAG_LENGTH		16

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

const char *
cpw_seal_parse_key(const char *line, size_t length, CpwSealKey *key)
{
	static const char name_characters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t		name_length = 0;

	memset(key, 0, sizeof(CpwSealKey));
	while (length > 0 && is_blank(line[length - 1]))
		length--;
	while (name_length < length && !is_blank(line[name_length]))
	{
		if (memchr(name_characters, line[name_length],
				   sizeof(name_characters) - 1) == NULL)
			return "a key's name consists of letters, digits, \"_\", \".\" and \"-\"";
		name_length++;
	}
	if (name_length == 0 || name_length > CPW_SEAL_NAME_LENGTH)
		return "a key's name has 1 to 32 characters";
	memcpy(key->name, line, name_length);
	line += name_length;
	length -= name_length;
	while (length > 0 && is_blank(*line))
	{
		line++;
		length--;
	}
	if (cpw_base64_decode(CPW_BASE64_STANDARD, line, length, key->bytes,
						  sizeof(key->bytes)) != CPW_SEAL_KEY_LENGTH)
		return "behind its name a key is 32 bytes as base64";
	return NULL;
}

/* Encrypts or decrypts; the tag stands behind what comes out, or went in. */
static bool
run_cipher(bool encrypt, const CpwSealKey *key, const char *context,
		   const uint8_t *nonce, const uint8_t *in, size_t length,
		   uint8_t *out, uint8_t *tag)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int			written = 0;
	int			rest = 0;
	bool		done;

	done = cipher != NULL && length < INT32_MAX &&
		EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->bytes, nonce,
						  encrypt) == 1 &&
		(encrypt || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG,
										TAG_LENGTH, tag) == 1) &&
		EVP_CipherUpdate(cipher, NULL, &written,
						 (const unsigned char *) context,
						 (int) strlen(context)) == 1 &&
		EVP_CipherUpdate(cipher, out, &written, in, (int) length) == 1 &&
		EVP_CipherFinal_ex(cipher, out + written, &rest) == 1 &&
		(!encrypt || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG,
										 TAG_LENGTH, tag) == 1);
	EVP_CIPHER_CTX_free(cipher);	/* wipes it */
	if (!done)
		ERR_clear_error();
	return done;
}

long
cpw_seal(const CpwSealKey *key, const char *secret, size_t length,
		 const char *context, char *text)
{
	size_t		head;
	size_t		packed_length = NONCE_LENGTH + length + TAG_LENGTH;
	uint8_t    *packed;
	long		text_length = -1;

	if (key == NULL)
	{
		bool		looks_sealed = length >= PREFIX_LENGTH &&
			memcmp(secret, PREFIX, PREFIX_LENGTH) == 0;

		head = looks_sealed ? PREFIX_LENGTH + 1 : 0;
		memcpy(text, PREFIX ":", head);
		memcpy(text + head, secret, length);
		text[head + length] = '\0';
		return (long) (head + length);
	}
	packed = OPENSSL_malloc(packed_length);
	if (packed != NULL && RAND_bytes(packed, NONCE_LENGTH) == 1 &&
		run_cipher(true, key, context, packed, (const uint8_t *) secret,
				   length, packed + NONCE_LENGTH,
				   packed + NONCE_LENGTH + length))
	{
		memcpy(text, PREFIX, PREFIX_LENGTH);
		head = PREFIX_LENGTH + strlen(key->name);
		memcpy(text + PREFIX_LENGTH, key->name, strlen(key->name));
		text[head++] = ':';
		text_length = (long) head +
			(long) cpw_base64_encode(CPW_BASE64_STANDARD, packed,
									 packed_length, text + head);
	}
	ERR_clear_error();
	OPENSSL_clear_free(packed, packed_length);
	return text_length;
}

const char *
cpw_seal_key_name(const char *text, size_t length, size_t *name_length)
{
	const char *end;

	if (length < PREFIX_LENGTH || memcmp(text, PREFIX, PREFIX_LENGTH) != 0)
		return NULL;
	end = memchr(text + PREFIX_LENGTH, ':', length - PREFIX_LENGTH);
	if (end == NULL || end == text + PREFIX_LENGTH)
		return NULL;
	*name_length = (size_t) (end - text) - PREFIX_LENGTH;
	return text + PREFIX_LENGTH;
}

long
cpw_seal_open(const CpwSealKey *key, const char *text, size_t length,
			  const char *context, char *secret)
{
	size_t		name_length;
	const char *name = cpw_seal_key_name(text, length, &name_length);
	size_t		head = PREFIX_LENGTH + 1;
	uint8_t    *packed;
	long		packed_length;
	long		secret_length = -1;

	if (name == NULL)
	{
		/* The empty key name of a secret that looks sealed. */
		if (length < head || memcmp(text, PREFIX ":", head) != 0)
			head = 0;
		memcpy(secret, text + head, length - head);
		secret[length - head] = '\0';
		return (long) (length - head);
	}
	if (key == NULL || strlen(key->name) != name_length ||
		memcmp(key->name, name, name_length) != 0)
		return -1;
	head += name_length;
	packed = OPENSSL_malloc(length + 1);
	if (packed == NULL)
		return -1;
	packed_length = cpw_base64_decode(CPW_BASE64_STANDARD, text + head,
									  length - head, packed, length + 1);
	if (packed_length >= NONCE_LENGTH + TAG_LENGTH)
	{
		secret_length = packed_length - NONCE_LENGTH - TAG_LENGTH;
		if (!run_cipher(false, key, context, packed, packed + NONCE_LENGTH,
						(size_t) secret_length, (uint8_t *) secret,
						packed + NONCE_LENGTH + secret_length))
		{
			OPENSSL_cleanse(secret, (size_t) secret_length);
			secret_length = -1;
		}
		else
			secret[secret_length] = '\0';
	}
	OPENSSL_clear_free(packed, length + 1);
	return secret_length;
}
