/*
 * dry_run.h
 *		A delivery judged without being recorded: one that a request describes,
 *		or one that was recorded before.
 *
 * The judgement is the receivers' own (pg/judgement.h). What cannot be known
 * here is skipped: the signature where there are no bytes, the address where
 * none is given.
 */
#ifndef CPW_DRY_RUN_H
#define CPW_DRY_RUN_H

#include "postgres.h"

#include "pg/errors.h"
#include "pg/json.h"
#include "pg/judgement.h"
#include "store/recorded.h"

typedef struct CpwDryRun
{
	CpwWebhook *webhook;
	CpwPost		post;
	struct sockaddr_storage peer;	/* where post.peer points */
	Jsonb	   *headers;		/* as they would be stored */
	Jsonb	   *payload;		/* NULL: not known */
	const CpwRecorded *recorded;	/* NULL: the request describes it */

	/* The judgement. */
	CpwVerdict	verdict;
	const char *reason;			/* NULL: none */
	char	   *execution;		/* a duplicate's; NULL: none */
	const char *id;				/* the sender's; NULL: none is known */
	CpwVerdict	source_verdict; /* by what the payload tells of itself */
	const char *source_reason;
	CpwVerdict	parse_verdict;	/* PENDING: the payload is known, or the post
								 * was refused before */
	const char *parse_reason;
	double		milliseconds;	/* what parsing and filtering took */
} CpwDryRun;

/* Compiles a webhook for as long as the current context lives. */
extern CpwWebhook *cpw_dry_run_compile(const CpwRoute *route);

/*
 * Takes the delivery that a request (its members headers, body, query and
 * sourceAddress) describes. Collects what is wrong with the address.
 */
extern void cpw_dry_run_describe(CpwDryRun *run, JsonbContainer *request,
								 CpwProblems *problems);

/*
 * Takes a recorded delivery, with that query (NULL: none), which is not
 * recorded.
 */
extern void cpw_dry_run_recall(CpwDryRun *run, const CpwRecorded *recorded,
							   const char *query);

/*
 * Judges it by its webhook, which is set. Writes nothing. Raises what cancels
 * the statement, and nothing else.
 */
extern void cpw_dry_run_judge(CpwDryRun *run);

/* The word for a verdict: an outcome of deliveries, or unavailable. */
extern const char *cpw_dry_run_outcome(CpwVerdict verdict);

#endif							/* CPW_DRY_RUN_H */
