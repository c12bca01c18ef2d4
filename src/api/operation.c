/*
 * operation.c
 *		What every operation of the API begins and ends with.
 */
#include "postgres.h"

#include "api/operation.h"
#include "compat.h"
#include "executor/spi.h"

/* Any error on the way: the log must not show the request with its secrets. */
static void
hide_statement(void *arg)
{
	(void) arg;
	(void) cpw_errors_hide_statement();
}

/* In the context of SPI, which lives as long as the operation. */
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
	Jsonb	   *request = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	int			result;

	cpw_shape_check(shape, request);
	result = SPI_connect();
	if (result != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(result));
	push_callback();
	return &request->root;
}

Datum
cpw_operation_end(CpwJsonWriter *answer)
{
	Datum		value = JsonbPGetDatum(cpw_json_finish(answer));
	int			result;

	/* Into the caller's context: that of SPI goes. */
	value = SPI_datumTransfer(value, false, -1);
	error_context_stack = error_context_stack->previous;
	result = SPI_finish();
	if (result != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed: %s", SPI_result_code_string(result));
	return value;
}

Datum
cpw_operation_end_empty(void)
{
	CpwJsonWriter answer = {0};

	cpw_json_open_object(&answer, NULL);
	cpw_json_close_object(&answer);
	return cpw_operation_end(&answer);
}
