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
 * Levels of arrays and objects. jsonb_in() must take what is stored, where a
 * dump of it is restored: on another version, under a query that has taken some
 * of the stack. It stops at some 13,000 on 15, with max_stack_depth as it comes.
 */
#define CPW_MAX_NESTING		5000

/*
 * Reads JSON (RFC 8259) of valid UTF-8 without NUL, which must outlive the
 * call only. NULL where it is none, or a scalar: jsonb_in() knows what to say
 * of it. *position is then where it ends to be JSON. Raises the server's errors
 * of what is too large, 54001 for more than CPW_MAX_NESTING levels, and 54000
 * where numbers with exponents, written out, have more than max_digits digits
 * together: ten bytes can stand for 131,072, and a text of jsonb that is longer
 * than a gigabyte can neither be read by a client nor dumped.
 */
extern Jsonb *cpw_json_read(const char *json, size_t length, size_t max_digits,
							size_t *position);

#endif							/* CPW_JSON_READER_H */
