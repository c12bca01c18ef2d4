/*
 * arguments.c
 *		A statement's arguments, added one by one.
 */
#include "postgres.h"

#include "compat.h"
#include "store/arguments.h"
#include "utils/builtins.h"

static void
add(CpwArguments *arguments, Datum value, bool is_null)
{
	if (arguments->count >= CPW_STATEMENT_PARAMETERS)
		elog(ERROR, "too many arguments for a statement");
	arguments->values[arguments->count] = value;
	arguments->nulls[arguments->count] = is_null ? 'n' : ' ';
	arguments->count++;
}

void
cpw_arguments_add_text(CpwArguments *arguments, const char *text)
{
	add(arguments, text ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

void
cpw_arguments_add_uuid(CpwArguments *arguments, const pg_uuid_t *uuid)
{
	add(arguments, PointerGetDatum(uuid), uuid == NULL);
}

void
cpw_arguments_add_jsonb(CpwArguments *arguments, Jsonb *json)
{
	add(arguments, PointerGetDatum(json), json == NULL);
}

void
cpw_arguments_add_int(CpwArguments *arguments, int number)
{
	add(arguments, Int32GetDatum(number), false);
}

void
cpw_arguments_add_bool(CpwArguments *arguments, bool value)
{
	add(arguments, BoolGetDatum(value), false);
}

void
cpw_arguments_add_timestamp(CpwArguments *arguments, TimestampTz instant)
{
	add(arguments, TimestampTzGetDatum(instant), false);
}

uint64
cpw_arguments_execute(CpwStatement *statement, CpwArguments *arguments)
{
	if (arguments->count != statement->parameters)
		elog(ERROR, "%d arguments, not %d: %s", arguments->count,
			 statement->parameters, statement->sql);
	return cpw_statement_execute(statement, arguments->values,
								 arguments->nulls);
}

uint64
cpw_arguments_execute_text(CpwStatement *statement, const char *text)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, text);
	return cpw_arguments_execute(statement, &arguments);
}
