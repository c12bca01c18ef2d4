/*
 * operation.c
 *		What every operation of the API begins and ends with.
 */
#include "postgres.h"

#include "api/operation.h"
#include "compat.h"
#include "store/session.h"

/* Any error on the way: the log must not show the request with its secrets. */
static void
hide_statement(void *arg)
{
	(void) arg;
	(void) cpw_errors_hide_statement();
}

/* In the caller's context, which lives longer than the operation. */
static void
push_callback(void)
{
	ErrorContextCallback *callback = palloc(sizeof(ErrorContextCallback));

	callback->callback = hide_statement;
	callback->arg = NULL;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

JsonbContainer *
cpw_operation_begin(FunctionCallInfo fcinfo, const CpwShape *shape)
{
	Jsonb	   *request;

	push_callback();
	request = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	cpw_shape_check(shape, request);
	cpw_session_open();
	return &request->root;
}

Datum
cpw_operation_end(CpwJsonWriter *answer)
{
	Jsonb	   *value = cpw_session_keep_jsonb(cpw_json_finish(answer));

	error_context_stack = error_context_stack->previous;
	cpw_session_close();
	return JsonbPGetDatum(value);
}

Datum
cpw_operation_end_empty(void)
{
	CpwJsonWriter answer = {0};

	cpw_json_open_object(&answer, NULL);
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}
