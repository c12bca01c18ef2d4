/*
 * pipelines.h
 *		The tables pipeline_definitions and pipeline_versions.
 */
#ifndef CPW_PIPELINES_H
#define CPW_PIPELINES_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef struct CpwPipeline
{
	char	   *name;
	int			version;
	char	   *execution_mode;
	TimestampTz created_at;
	TimestampTz updated_at;
	char	   *type;			/* pipelineType; NULL: not declared */
} CpwPipeline;

typedef enum CpwPipelineLock
{
	CPW_PIPELINE_READ,			/* none */
	CPW_PIPELINE_SHARE,			/* against changes, until the end */
	CPW_PIPELINE_CHANGE			/* for a change */
} CpwPipelineLock;

/*
 * Finds a pipeline, and locks it until the transaction ends. Returns false
 * when there is none; pipeline may be NULL. The type is not read.
 */
extern bool cpw_pipelines_find(const char *name, CpwPipelineLock lock,
							   CpwPipeline *pipeline);

/*
 * Finds a pipeline and the declaration of one of its versions, 0 for the
 * current one, with its secrets; the declaration is NULL where there is no such
 * version. Returns false when there is no pipeline. The type is not read.
 */
extern bool cpw_pipelines_read(const char *name, int version,
							   CpwPipeline *pipeline, Jsonb **declaration);

/* The declaration of a version with its secrets; NULL when there is none. */
extern Jsonb *cpw_pipelines_declaration(const char *name, int version);

/* Stores version 1 of a new pipeline; false when the name is in use. */
extern bool cpw_pipelines_insert(const char *name, const char *execution_mode,
								 Jsonb *declaration);

/* Stores the next version of a pipeline that is locked for a change. */
extern void cpw_pipelines_update(const char *name, int version,
								 const char *execution_mode,
								 Jsonb *declaration);

/*
 * Seals the secrets of every version by the key that seals now, where another
 * one does. Returns how many versions; raises an error where one does not open.
 */
extern int64 cpw_pipelines_reseal(void);

/* Deletes a pipeline and its versions; false when there is none. */
extern bool cpw_pipelines_delete(const char *name);

/* At most limit pipelines after a name, in the order of names. */
extern int	cpw_pipelines_list(const char *after, int limit,
							   CpwPipeline **pipelines);

#endif							/* CPW_PIPELINES_H */
