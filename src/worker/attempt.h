/*
 * attempt.h
 *		One attempt at a registration, step by step.
 *
 * A step is a call to the third party. What is to be done first, and after each
 * answer, is decided inside a transaction (attempt.c knows no network); an
 * attempt whose decision could not be committed is decided again.
 *
 * Registered is wished:
 *	hook known		update it; where it is gone, list
 *	none known		list; take the one whose URL is ours, or create
 * Deregistered is wished:
 *	hook known		delete it; where it is gone, list to be sure
 *	none known		nothing was ever made: done
 * A creation that may have happened without an answer is looked for, until so
 * much time has passed that it can no longer come.
 */
#ifndef CPW_ATTEMPT_H
#define CPW_ATTEMPT_H

#include "postgres.h"

#include "net/http_client.h"
#include "nodes/pg_list.h"
#include "pg/third_party.h"
#include "store/registrations.h"

typedef struct CpwAttempt
{
	MemoryContext context;		/* of all that it has */
	CpwRegistration row;
	const CpwProvider *provider;

	/* Where registered is wished. */
	CpwProviderHook hook;
	char	   *public_url;
	char	   *fingerprint;

	/* The step that is being done, or was. */
	CpwProviderCall call;
	char	   *hook_id;		/* what it acts on, or NULL */
	int			page;

	/* What has been found out; List of ids that are to be deleted. */
	bool		has_listed;
	TimestampTz listed_at;		/* when the list was begun */
	List	   *found;
	List	   *surplus;
	char	   *known_id;		/* the hook that is there, NULL: none */
	TimestampTz doubt;			/* a creation in doubt, before ours */
	bool		is_creating;	/* ours was noted */
	bool		is_quiet;		/* the notification queue is full */
} CpwAttempt;

/*
 * Both of what follows only replace what the attempt has, so that an attempt
 * which was copied before can be put back.
 *
 * Decides the first step of a row that was taken. True: the call is to be made;
 * false: the attempt has ended, and that was noted. Inside a transaction, with
 * the attempt's context current.
 */
extern bool cpw_attempt_begin(CpwAttempt *attempt);

/* The same for the next step, after an answer. */
extern bool cpw_attempt_go_on(CpwAttempt *attempt, const CpwHttpAnswer *answer);

/* Writes the step's request; false when it cannot be written. */
extern bool cpw_attempt_write(const CpwAttempt *attempt,
							  CpwProviderRequest *request);

#endif							/* CPW_ATTEMPT_H */
