/*
 * canonical_request.h
 *		The canonical form of a request, which Signature Version 4 signs.
 */
#ifndef CPW_CANONICAL_REQUEST_H
#define CPW_CANONICAL_REQUEST_H

#include "cp_webhook.h"

#define CPW_SHA256_SIZE		32

/* What arrived. The target is path and query, as they were sent. */
typedef struct CpwSigv4Request
{
	const char *method;
	const char *target;
	size_t		target_length;
	const CpwHeaders *headers;
} CpwSigv4Request;

/* The parameter of a query that is no part of what it signs. */
#define CPW_SIGNATURE_PARAMETER		"X-Amz-Signature"

/*
 * Finds a parameter in the query of a target, and decodes its (first) value
 * into value, NUL-terminated. *count is how often it is there. Returns the
 * value's length, or -1 when there is none, it holds a NUL or is too long.
 */
extern long cpw_query_find(const char *target, size_t length,
						   const char *name, char *value, size_t capacity,
						   int *count);

/*
 * The hash of the request's canonical form, of which the headers named in
 * signed_headers (a;b;c) and the body's hash are a part; false when it has too
 * many parts, a signed header is not there, or the library fails.
 */
extern bool cpw_canonical_request_hash(const CpwSigv4Request *request,
									   const char *signed_headers,
									   const uint8_t body_hash[CPW_SHA256_SIZE],
									   uint8_t hash[CPW_SHA256_SIZE]);

#endif							/* CPW_CANONICAL_REQUEST_H */
