/*
 * signed_form.h
 *		What is signed in the place of a body's bytes: the JSON in a form, as
 *		Gitea does; the fields of a form, or by a hash in the URL's query a body
 *		of another type, as Twilio does.
 */
#ifndef CPW_SIGNED_FORM_H
#define CPW_SIGNED_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* More fields than these are no form that anybody signs. */
#define CPW_MAX_FORM_FIELDS	1000

/*
 * The fields of a form as one text: name and value of each, sorted by name and
 * then by value, a pair that repeats once. OPENSSL_malloc'ed, *length bytes.
 * NULL for too many fields, an encoding that is broken, or no memory.
 */
extern char *cpw_signed_form_write(const char *body, size_t body_length,
								   size_t *length);

/*
 * The JSON in a form's field "payload", decoded; OPENSSL_malloc'ed, *length
 * bytes. NULL where there is none, its encoding is broken, or no memory.
 */
extern char *cpw_signed_form_payload(const char *body, size_t body_length,
									 size_t *length);

typedef enum CpwBodyHash
{
	CPW_BODY_HASH_NONE,			/* the query has none */
	CPW_BODY_HASH_RIGHT,
	CPW_BODY_HASH_WRONG
} CpwBodyHash;

/* Compares the query parameter bodySHA256 of a URL with a body's hash. */
extern CpwBodyHash cpw_signed_form_check_hash(const char *url,
											  const char *body,
											  size_t body_length);

/*
 * The same URL with its port left out, or, where it has none, with the usual
 * one of its scheme. OPENSSL_malloc'ed; NULL for no memory or no URL.
 */
extern char *cpw_signed_form_other_port(const char *url);

#endif							/* CPW_SIGNED_FORM_H */
