/*
 * session.h
 *		The server programming interface opened and closed around the
 *		statements of a worker's transaction.
 */
#ifndef CPW_SESSION_H
#define CPW_SESSION_H

#include "postgres.h"

#include "utils/jsonb.h"

/*
 * Inside a transaction; both raise on misuse. Opening makes a context current
 * that lives until the session is closed. Raises what cpw_version_require()
 * does.
 */
extern void cpw_session_open(void);
extern void cpw_session_close(void);

/* The same whatever the extension's version; for who looks at that itself. */
extern void cpw_session_open_any(void);

/* Fires the triggers that wait for the transaction's end. */
extern void cpw_session_fire_deferred(void);

/* A copy that outlives the session, in the context that was current before. */
extern Jsonb *cpw_session_keep_jsonb(Jsonb *jsonb);

#endif							/* CPW_SESSION_H */
