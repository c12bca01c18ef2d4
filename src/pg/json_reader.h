/*
 * json_reader.h
 *		Text becomes jsonb, as jsonb_in() would make it, in 0.7 (15) to 0.85
 *		(18) of its time.
 *
 * The server's own input function copies each name and each string byte by
 * byte while it lexes, and again into memory of its own. It is the largest cost
 * of a delivery. Most strings have no escape: there the text itself is the
 * string. The lexer, the numbers and the jsonb are the server's here too.
 */
#ifndef CPW_JSON_READER_H
#define CPW_JSON_READER_H

#include "postgres.h"

#include "utils/jsonb.h"

/*
 * Reads JSON (RFC 8259) of valid UTF-8 without NUL, which must outlive the
 * call only. NULL where it is none: jsonb_in() knows what to say of it. Raises
 * the server's errors of what is too deep or too large.
 */
extern Jsonb *cpw_json_read(const char *json, size_t length);

#endif							/* CPW_JSON_READER_H */
