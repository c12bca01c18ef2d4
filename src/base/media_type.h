/*
 * media_type.h
 *		Content-Type, and bodies and queries in form style.
 */
#ifndef CPW_MEDIA_TYPE_H
#define CPW_MEDIA_TYPE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum CpwMediaType
{
	CPW_MEDIA_TYPE_OTHER,
	CPW_MEDIA_TYPE_JSON,		/* application/json, and any +json */
	CPW_MEDIA_TYPE_FORM			/* application/x-www-form-urlencoded */
} CpwMediaType;

/*
 * The kind of a Content-Type value: type and subtype in any case, parameters
 * after ";" allowed (RFC 9110, 8.3.1). A charset parameter other than utf-8 or
 * us-ascii (quoted or not, any case) makes it OTHER.
 */
extern CpwMediaType cpw_media_type_parse(const char *value, size_t length);

/* One step through application/x-www-form-urlencoded text. */
typedef struct CpwFormField
{
	const char *name;			/* still encoded */
	size_t		name_length;
	const char *value;			/* still encoded; empty without "=" */
	size_t		value_length;
} CpwFormField;

/*
 * Takes the next field from *text, *length, and moves both past it. False at
 * the end. Empty fields ("a=1&&b=2") are skipped.
 */
extern bool cpw_form_next(const char **text, size_t *length,
						  CpwFormField *field);

/* The first field whose name, as it is encoded, is that one; false: none is. */
extern bool cpw_form_find(const char *text, size_t length, const char *name,
						  CpwFormField *field);

/*
 * Decodes "%XX" and "+" into decoded, which has at least length bytes (the
 * result is never longer). Returns the number of bytes, or -1 for a "%" that
 * two hex digits do not follow.
 */
extern long cpw_form_decode(const char *text, size_t length, char *decoded);

#endif							/* CPW_MEDIA_TYPE_H */
