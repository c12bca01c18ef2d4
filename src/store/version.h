/*
 * version.h
 *		Whether the extension in this database is of this library's version.
 *
 * Tables and functions of another version may not be what the library takes
 * them for: it was installed and ALTER EXTENSION not yet run, or it was run and
 * the server not yet restarted.
 */
#ifndef CPW_STORE_VERSION_H
#define CPW_STORE_VERSION_H

#include "postgres.h"

/*
 * The extension's version, palloc'd; NULL: it is not in this database. Inside
 * a transaction.
 */
extern char *cpw_version_of_extension(void);

/* What to do about an extension of that version, in a sentence, palloc'd. */
extern char *cpw_version_advice(const char *version);

/*
 * Raises object_not_in_prerequisite_state (55000) where there is an extension
 * and it is of another version. Inside a transaction; cheap when called again.
 */
extern void cpw_version_require(void);

#endif							/* CPW_STORE_VERSION_H */
