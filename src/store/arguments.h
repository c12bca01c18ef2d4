/*
 * arguments.h
 *		A statement's arguments, added one by one.
 */
#ifndef CPW_ARGUMENTS_H
#define CPW_ARGUMENTS_H

#include "postgres.h"

#include "store/statement.h"

/* Begin with {0}. */
typedef struct CpwArguments
{
	int			count;
	Datum		values[CPW_STATEMENT_PARAMETERS];
	char		nulls[CPW_STATEMENT_PARAMETERS + 1];
} CpwArguments;

/* A NULL pointer is SQL's NULL. */
extern void cpw_arguments_add_text(CpwArguments *arguments, const char *text);
extern void cpw_arguments_add_uuid(CpwArguments *arguments,
								   const pg_uuid_t *uuid);
extern void cpw_arguments_add_jsonb(CpwArguments *arguments, Jsonb *json);
extern void cpw_arguments_add_int(CpwArguments *arguments, int number);
extern void cpw_arguments_add_bigint(CpwArguments *arguments, int64 number);
extern void cpw_arguments_add_bool(CpwArguments *arguments, bool value);
extern void cpw_arguments_add_timestamp(CpwArguments *arguments,
										TimestampTz instant);
extern void cpw_arguments_add_interval(CpwArguments *arguments,
									   Interval *interval);

/* Arrays; a negative count is SQL's NULL. */
extern void cpw_arguments_add_texts(CpwArguments *arguments,
									char *const *texts, int count);
extern void cpw_arguments_add_uuids(CpwArguments *arguments,
									const pg_uuid_t *uuids, int count);

/* Executes the statement (statement.h) with these; checks their number. */
extern uint64 cpw_arguments_execute(CpwStatement *statement,
									CpwArguments *arguments);

/* The same for cpw_statement_execute_latest(). */
extern uint64 cpw_arguments_execute_latest(CpwStatement *statement,
										   CpwArguments *arguments);

/* Executes a statement whose only argument is a text. */
extern uint64 cpw_arguments_execute_text(CpwStatement *statement,
										 const char *text);

#endif							/* CPW_ARGUMENTS_H */
