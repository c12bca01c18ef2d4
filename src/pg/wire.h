/*
 * wire.h
 *		The operations of the AWS wire, and its requests as the SQL functions
 *		take them.
 *
 * The wire is more lenient than SQL: a client may know members that this
 * version does not, and may write null for what it does not say.
 */
#ifndef CPW_WIRE_H
#define CPW_WIRE_H

#include "postgres.h"

#include "pg/shape.h"
#include "utils/jsonb.h"

#define CPW_WIRE_SERVICE	"codepipeline"

typedef struct CpwOperation
{
	const char *name;			/* PutWebhook */
	const char *function;		/* put_webhook, in the extension's schema */
	const CpwShape *request;
} CpwOperation;

/*
 * The operations; the first has no name and stands for unknown ones. One is on
 * the wire where its function exists.
 */
extern const CpwOperation cpw_wire_operations[];
extern const int cpw_wire_operation_count;

/*
 * The number of the operation that a value of X-Amz-Target names
 * ("CodePipeline_20150709.PutWebhook"); 0: none.
 */
extern int	cpw_wire_find_operation(const char *target, size_t length);

/*
 * The request without members that its shape does not know, and without those
 * that are null. NULL where something has another type than its shape says:
 * *problem is one sentence then, palloc'd, without a value.
 */
extern Jsonb *cpw_wire_read_request(const CpwShape *shape, Jsonb *request,
									char **problem);

#endif							/* CPW_WIRE_H */
