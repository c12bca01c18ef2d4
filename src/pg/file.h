/*
 * file.h
 *		Small files of the server that hold keys and certificates.
 */
#ifndef CPW_FILE_H
#define CPW_FILE_H

#include "postgres.h"

/* More than any chain or key takes. */
#define CPW_FILE_MAX_SIZE	(1024 * 1024)

/*
 * Reads a whole file of 1 to CPW_FILE_MAX_SIZE - 1 bytes into memory of the
 * current context, with a NUL behind it: *content and *length. Returns NULL, or
 * what is wrong in words (palloc'd or static). Raises an error only where
 * memory or descriptors are short.
 */
extern const char *cpw_file_read(const char *name, char **content,
								 size_t *length);

/* Wipes what was read and frees it; NULL is nothing. */
extern void cpw_file_forget(char *content);

/*
 * Whether only the server's own user (or root, for its group) may read a file,
 * as the server wants it of its own key. It tells the log itself.
 */
extern bool cpw_file_is_private(const char *name);

#endif							/* CPW_FILE_H */
