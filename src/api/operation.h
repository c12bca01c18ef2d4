/*
 * operation.h
 *		What every operation of the API begins and ends with.
 */
#ifndef CPW_OPERATION_H
#define CPW_OPERATION_H

#include "postgres.h"

#include "fmgr.h"
#include "pg/json.h"
#include "pg/shape.h"

/* Items on a page when the request does not say. */
#define CPW_PAGE_LENGTH		100

/*
 * Checks the request, the function's only argument, against its shape and
 * connects SPI. Raises ValidationException with all violations, also when the
 * request is NULL.
 */
extern JsonbContainer *cpw_operation_begin(FunctionCallInfo fcinfo,
										   const CpwShape *shape);

/* Disconnects SPI and hands out the answer. */
extern Datum cpw_operation_end(CpwJsonWriter *answer);

/* The same with the answer {}. */
extern Datum cpw_operation_end_empty(void);

#endif							/* CPW_OPERATION_H */
