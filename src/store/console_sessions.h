/*
 * console_sessions.h
 *		The table console_sessions: links to the console that were not used yet,
 *		and the sessions of those that were.
 *
 * A hash is that of the secret in the link or the cookie, in hex: the secret
 * itself is nowhere here.
 */
#ifndef CPW_CONSOLE_SESSIONS_H
#define CPW_CONSOLE_SESSIONS_H

#include "postgres.h"

/* Adds a link of a role that can be used for so many seconds. */
extern void cpw_console_sessions_add_link(const char *hash, Oid role,
										  int seconds);

/*
 * Makes a session of a link, for so many minutes, and spends the link: of two
 * that use it at once one gets nothing. Returns its role, InvalidOid for a
 * link that was used, has expired or never was.
 */
extern Oid	cpw_console_sessions_open(const char *link_hash,
									  const char *session_hash, int minutes);

/* The role of a session; InvalidOid: there is none, or it is over. */
extern Oid	cpw_console_sessions_find(const char *hash);

/* Ends one session. */
extern void cpw_console_sessions_end(const char *hash);

/* The roles that have links or sessions; returns how many. Palloc'd. */
extern int	cpw_console_sessions_roles(Oid **roles);

/* Ends all links and sessions of a role; returns how many there were. */
extern int64 cpw_console_sessions_end_of_role(Oid role);

#endif							/* CPW_CONSOLE_SESSIONS_H */
