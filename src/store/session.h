/*
 * session.h
 *		The server programming interface opened and closed around the
 *		statements of a worker's transaction.
 */
#ifndef CPW_SESSION_H
#define CPW_SESSION_H

/* Inside a transaction; both raise on misuse. */
extern void cpw_session_open(void);
extern void cpw_session_close(void);

#endif							/* CPW_SESSION_H */
