/*
 * transaction.h
 *		A worker's transactions: begun as the owner of the extension's tables,
 *		bounded in time, ended one way or the other.
 */
#ifndef CPW_TRANSACTION_H
#define CPW_TRANSACTION_H

#include "postgres.h"

/* Whether the database can be worked with. */
typedef enum CpwReadiness
{
	CPW_READY,
	CPW_NO_EXTENSION			/* not created here, or dropped */
} CpwReadiness;

/*
 * Prepares the session once: signal handlers, and the settings that must not
 * depend on what the database or the role says.
 */
extern void cpw_transaction_prepare_session(void);

/* The role that a transaction works as. */
typedef enum CpwActor
{
	CPW_AS_RECORDER,			/* cp_webhook.role, else the owner */
	CPW_AS_OWNER				/* of the extension's tables: makes and drops */
} CpwActor;

/*
 * The three below leave the current memory context as it is; it must not be one
 * of a transaction.
 *
 * Begins a transaction with SPI and a snapshot, as that role. It is cancelled
 * after timeout ms. activity is what pg_stat_activity shows. Raises 42704 when
 * cp_webhook.role does not exist. With CPW_NO_EXTENSION nothing of the
 * extension may be touched.
 */
extern CpwReadiness cpw_transaction_begin(const char *activity, int timeout,
										  CpwActor actor);

/*
 * Commits. False when the outcome is not certain: a cancel came while the
 * commit waited for a synchronous standby; it is committed here.
 */
extern bool cpw_transaction_commit(void);

/*
 * Ends what is left of a transaction after an error that was caught, and
 * clears the error.
 */
extern void cpw_transaction_abort(void);

/*
 * Runs work in a transaction of its own. Returns the error that ended it, in
 * the current context, or NULL. *is_done says whether work was run and has
 * committed for certain: not so without the extension.
 */
extern ErrorData *cpw_transaction_run(const char *activity, int timeout,
									  CpwActor actor,
									  void (*work) (void *arg), void *arg,
									  bool *is_done);

/*
 * Makes what comes next in the transaction another role's, as SET LOCAL SESSION
 * AUTHORIZATION does: current_user and session_user. Until the transaction's
 * end, and nothing that runs inside can leave the role before. Raises 42704 for
 * a role that is not there.
 */
extern void cpw_transaction_become(Oid role);

/*
 * Inside a transaction that may as well be lost in a crash: its commit waits
 * neither for the disk nor for a standby, so it holds its locks no longer than
 * its work takes.
 */
extern void cpw_transaction_relax(void);

/*
 * Inside a transaction: its commit does not wait for the disk, so that several
 * can share one wait: nobody may be told of it before cpw_transaction_flush().
 * With a synchronous standby to wait for, the commit waits as ever.
 */
extern void cpw_transaction_share_flush(void);

/* Where the log of the last transaction that wrote anything ends. */
extern uint64 cpw_transaction_last_commit(void);

/* Waits until all that was committed is on disk. */
extern void cpw_transaction_flush(void);

/*
 * Bounds what comes next to timeout ms (and never longer than the
 * transaction); cpw_transaction_restore_timeout() goes back to its own bound.
 */
extern void cpw_transaction_set_timeout(int timeout);
extern void cpw_transaction_restore_timeout(void);

#endif							/* CPW_TRANSACTION_H */
