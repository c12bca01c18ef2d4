/*
 * call.h
 *		One call on the AWS wire: signed by an access key, made as its role, in
 *		a transaction of its own.
 */
#ifndef CPW_CALL_H
#define CPW_CALL_H

#include "postgres.h"

#include "net/listener.h"
#include "pg/counters.h"

/* Larger requests are no pipeline and no webhook. */
#define CPW_MAX_CALL_SIZE	(1024 * 1024)

typedef struct CpwCall
{
	CpwRequest *request;
	int			operation;		/* its number in pg/wire; 0: unknown */

	/* The answer, once status is not 0. */
	int			status;
	const char *error;			/* an exception's name; NULL: it went well */
	const char *text;			/* an error's message, else the body */

	/* It is committed, but may be told only after cpw_transaction_flush(). */
	bool		has_written;
} CpwCall;

/* Whom failures are told to. Once a process. */
extern void cpw_call_init(CpwWorkerSlot *slot);

/*
 * What can be said before the body is read: status stays 0 where it may come.
 */
extern void cpw_call_admit(CpwCall *call);

/*
 * Makes the call of a request that is complete. Afterwards it has an answer, in
 * the current memory context; what it was to do is committed where that is 200
 * (see has_written). Never raises an error (but FATAL).
 */
extern void cpw_call_run(CpwCall *call);

/*
 * Whether the database can be worked with, and takes writes; *reason says why
 * not. Never raises an error.
 */
extern bool cpw_call_check_database(const char **reason);

#endif							/* CPW_CALL_H */
