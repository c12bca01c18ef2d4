/*
 * arguments.c
 *		A statement's arguments, added one by one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "store/arguments.h"
#include "utils/array.h"
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
cpw_arguments_add_bigint(CpwArguments *arguments, int64 number)
{
	add(arguments, Int64GetDatum(number), false);
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

void
cpw_arguments_add_interval(CpwArguments *arguments, Interval *interval)
{
	add(arguments, IntervalPGetDatum(interval), interval == NULL);
}

void
cpw_arguments_add_texts(CpwArguments *arguments, char *const *texts, int count)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		values[i] = CStringGetTextDatum(texts[i]);
	add(arguments,
		PointerGetDatum(construct_array(values, Max(count, 0), TEXTOID, -1,
										false, TYPALIGN_INT)),
		count < 0);
}

void
cpw_arguments_add_uuids(CpwArguments *arguments, const pg_uuid_t *uuids,
						int count)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		values[i] = PointerGetDatum(&uuids[i]);
	add(arguments,
		PointerGetDatum(construct_array(values, Max(count, 0), UUIDOID,
										UUID_LEN, false, TYPALIGN_CHAR)),
		count < 0);
}

static void
check_count(const CpwStatement *statement, const CpwArguments *arguments)
{
	if (arguments->count != statement->parameters)
		elog(ERROR, "%d arguments, not %d: %s", arguments->count,
			 statement->parameters, statement->sql);
}

uint64
cpw_arguments_execute_latest(CpwStatement *statement, CpwArguments *arguments)
{
	check_count(statement, arguments);
	return cpw_statement_execute_latest(statement, arguments->values,
										arguments->nulls);
}

uint64
cpw_arguments_execute(CpwStatement *statement, CpwArguments *arguments)
{
	check_count(statement, arguments);
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
