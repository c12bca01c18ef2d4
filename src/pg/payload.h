/*
 * payload.h
 *		Bytes of a request become jsonb.
 */
#ifndef CPW_PAYLOAD_H
#define CPW_PAYLOAD_H

#include "postgres.h"

#include "cp_webhook.h"
#include "utils/jsonb.h"

/*
 * Parses a body of length bytes, followed by a NUL, in the current context.
 * Raises what the server raises for JSON that is none (class 22) with its place,
 * class 54 for what is nested too deeply or too large (cpw_json_read), and 22021
 * for bytes that are not UTF-8 or hold a NUL: call it under a guard.
 */
extern Jsonb *cpw_payload_parse(const char *body, size_t length);

/*
 * The JSON inside a form's field "payload" (GitHub's form style), decoded,
 * palloc'd, NUL-terminated; *length is its length. NULL when there is no such
 * field or its encoding is broken.
 */
extern char *cpw_payload_from_form(const char *body, size_t body_length,
								   size_t *length);

/*
 * The JSON text of an object of a form's fields: strings, and arrays of them
 * where a name repeats. Palloc'd, NUL-terminated; *length is its length. NULL
 * for a broken encoding, a NUL, or more than CPW_MAX_FORM_FIELDS fields.
 */
extern char *cpw_payload_of_fields(const char *body, size_t body_length,
								   size_t *length);

/*
 * The headers as an object: names in lower case, values of a repeated header
 * joined by ", ", secrets as "****", bytes that are not UTF-8 as U+FFFD.
 * secret_header (lower case, may be NULL) is another one that holds a secret.
 */
extern Jsonb *cpw_payload_headers(const CpwHeaders *headers,
								  const char *secret_header);

/*
 * A query as an object of strings; of a repeated name the last value counts.
 * What cannot be decoded is left as it came.
 */
extern Jsonb *cpw_payload_query(const char *query, size_t length);

/* {"headers": headers, "query": query}: the variables of filters. */
extern Jsonb *cpw_payload_variables(Jsonb *headers, Jsonb *query);

/* A header's value as text, palloc'd. */
extern char *cpw_payload_text(const char *value, size_t length);

#endif							/* CPW_PAYLOAD_H */
