/*
 * console.h
 *		What the console asks the database: one statement a question, from one
 *		object of parameters to one JSON text, made as the session's role.
 *
 * Each is bounded: a page by a limit, a search by the rows that it looks at, so
 * that it costs the same beside millions of deliveries.
 */
#ifndef CPW_CONSOLE_H
#define CPW_CONSOLE_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/uuid.h"

/* A question's number by its name; -1: there is none. */
extern int	cpw_console_find(const char *name, size_t length);

/* Whether it changes something, and so is asked by POST. */
extern bool cpw_console_changes(int question);

/* Its name, for the log. */
extern const char *cpw_console_name(int question);

/*
 * The answer, in that context; NULL: what is asked for is not there. Raises
 * what the statement raises, 42501 for what the role may not.
 */
extern char *cpw_console_ask(int question, Jsonb *parameters,
							 MemoryContext context);

/* The newest delivery, as whoever runs; false: there is none. */
extern bool cpw_console_newest(pg_uuid_t *id);

#endif							/* CPW_CONSOLE_H */
