/*
 * executions.h
 *		The table executions, as the API's operations use it.
 */
#ifndef CPW_EXECUTIONS_H
#define CPW_EXECUTIONS_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct CpwExecution
{
	char	   *id;
	char	   *pipeline;
	int			version;
	char	   *status;
	char	   *reason;			/* NULL: none */
	char	   *trigger_type;
	char	   *trigger_detail; /* NULL: none */
	TimestampTz created_at;
	TimestampTz updated_at;
	char	   *execution_mode;
	Jsonb	   *variables;		/* ResolvedPipelineVariable list, or NULL */
	Jsonb	   *source_revisions;	/* SourceRevision list, or NULL */
} CpwExecution;

/* An execution that start_pipeline_execution starts. */
typedef struct CpwExecutionStart
{
	const char *pipeline;
	int			version;
	const char *trigger_detail;
	const char *client_request_token;	/* NULL: none */
	Jsonb	   *request;		/* what else the request said; NULL: nothing */
} CpwExecutionStart;

/*
 * Starts an execution, and notifies whoever listens when the transaction
 * commits. Returns its id; NULL when the token has started one before.
 */
extern char *cpw_executions_start(const CpwExecutionStart *start);

/* The id of the execution that a client's request token has started. */
extern char *cpw_executions_find_by_token(const char *pipeline,
										  const char *token);

/* An execution of a pipeline; NULL when there is none. */
extern CpwExecution *cpw_executions_find(const char *pipeline,
										 const char *id);

/* Where a page of a pipeline's executions begins, and what is on it. */
typedef struct CpwExecutionPage
{
	const char *pipeline;
	const char *before;			/* an id; "": the newest */
	int			limit;
	const char *succeeded_in_stage; /* NULL: all */
} CpwExecutionPage;

/* The page, newest first. Returns the number of executions. */
extern int	cpw_executions_list(const CpwExecutionPage *page,
								CpwExecution **executions);

/*
 * Locks an execution until the transaction ends. Returns false when the
 * pipeline has none of that id, else its status and whether it is claimed.
 */
extern bool cpw_executions_lock(const char *pipeline, const char *id,
								char **status, bool *is_claimed);

/*
 * Sets a locked execution's status to Stopped, which ends it, or to Stopping,
 * which asks its worker to end it. A NULL reason leaves the one before.
 */
extern void cpw_executions_stop(const char *pipeline, const char *id,
								bool at_once, const char *reason);

#endif							/* CPW_EXECUTIONS_H */
