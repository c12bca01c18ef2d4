/*
 * statement.c
 *		SQL statements whose plans are kept for the life of the process.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "compat.h"
#include "store/statement.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Statements see the snapshot that is active, and not each its own. */
static bool is_pinned;

void
cpw_statement_pin_snapshot(void)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	is_pinned = true;
}

void
cpw_statement_unpin_snapshot(void)
{
	PopActiveSnapshot();
	is_pinned = false;
}

void
cpw_statement_forget_snapshot(void)
{
	is_pinned = false;
}

static void
prepare(CpwStatement *statement)
{
	SPIPlanPtr	plan;

	if (statement->plan != NULL)
		return;
	plan = SPI_prepare(statement->sql, statement->parameters,
					   statement->types);
	if (plan == NULL)
		elog(ERROR, "could not prepare statement: %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	statement->plan = plan;
}

/* Runs it under the active snapshot or, as SPI does, under a new one. */
static uint64
execute(CpwStatement *statement, Datum *values, const char *nulls,
		bool under_active, uint64 limit)
{
	MemoryContext caller = CurrentMemoryContext;
	int			result;

	prepare(statement);
	result = SPI_execute_plan(statement->plan, values, nulls, under_active,
							  (long) limit);
	/* SPI leaves its own context current, whatever was before. */
	MemoryContextSwitchTo(caller);
	if (result != statement->expected)
		elog(ERROR, "statement answered %s: %s",
			 SPI_result_code_string(result), statement->sql);
	return SPI_processed;
}

uint64
cpw_statement_execute_limited(CpwStatement *statement, Datum *values,
							  const char *nulls, uint64 limit)
{
	return execute(statement, values, nulls, is_pinned, limit);
}

uint64
cpw_statement_execute(CpwStatement *statement, Datum *values,
					  const char *nulls)
{
	return cpw_statement_execute_limited(statement, values, nulls, 0);
}

uint64
cpw_statement_execute_latest(CpwStatement *statement, Datum *values,
							 const char *nulls)
{
	uint64		rows;

	/* What the statement before has done is to be seen. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	rows = execute(statement, values, nulls, true, 0);
	PopActiveSnapshot();
	return rows;
}

void
cpw_statement_raise_outdated(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update"),
			 errdetail_internal("%s", detail),
			 errhint("Repeat the transaction.")));
	pg_unreachable();
}

Portal
cpw_statement_open(CpwStatement *statement, Datum *values, const char *nulls)
{
	MemoryContext caller = CurrentMemoryContext;
	Portal		cursor;

	prepare(statement);
	cursor = SPI_cursor_open(NULL, statement->plan, values, nulls, true);
	MemoryContextSwitchTo(caller);
	if (cursor == NULL)
		elog(ERROR, "could not open a cursor: %s",
			 SPI_result_code_string(SPI_result));
	return cursor;
}

uint64
cpw_statement_fetch(Portal cursor, uint64 limit)
{
	MemoryContext caller = CurrentMemoryContext;

	SPI_cursor_fetch(cursor, true, (long) limit);
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

void
cpw_statement_close(Portal cursor)
{
	SPI_cursor_close(cursor);
}

void
cpw_statement_run_utility(const char *sql)
{
	MemoryContext caller = CurrentMemoryContext;
	int			result = SPI_execute(sql, false, 0);

	MemoryContextSwitchTo(caller);
	if (result != SPI_OK_UTILITY)
		elog(ERROR, "command answered %s", SPI_result_code_string(result));
}

static Datum
get_datum(uint64 row, int column, bool *is_null)
{
	if (row >= SPI_tuptable->numvals)
		elog(ERROR, "there is no row %llu", (unsigned long long) row);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, is_null);
}

static Datum
get_value(uint64 row, int column)
{
	bool		is_null;
	Datum		value = get_datum(row, column, &is_null);

	if (is_null)
		elog(ERROR, "column %d is null", column);
	return value;
}

bool
cpw_statement_is_null(uint64 row, int column)
{
	bool		is_null;

	(void) get_datum(row, column, &is_null);
	return is_null;
}

char *
cpw_statement_get_text(uint64 row, int column, MemoryContext context)
{
	bool		is_null;
	Datum		value = get_datum(row, column, &is_null);
	MemoryContext caller;
	char	   *string;

	if (is_null)
		return NULL;
	caller = MemoryContextSwitchTo(context);
	string = TextDatumGetCString(value);
	MemoryContextSwitchTo(caller);
	return string;
}

Jsonb *
cpw_statement_get_jsonb(uint64 row, int column, MemoryContext context)
{
	bool		is_null;
	Datum		value = get_datum(row, column, &is_null);
	MemoryContext caller;
	Jsonb	   *jsonb;

	if (is_null)
		return NULL;
	caller = MemoryContextSwitchTo(context);
	jsonb = DatumGetJsonbPCopy(value);
	MemoryContextSwitchTo(caller);
	return jsonb;
}

pg_uuid_t
cpw_statement_get_uuid(uint64 row, int column)
{
	return *DatumGetUUIDP(get_value(row, column));
}

Oid
cpw_statement_get_oid(uint64 row, int column)
{
	return DatumGetObjectId(get_value(row, column));
}

int32
cpw_statement_get_int(uint64 row, int column)
{
	return DatumGetInt32(get_value(row, column));
}

int64
cpw_statement_get_bigint(uint64 row, int column)
{
	return DatumGetInt64(get_value(row, column));
}

bool
cpw_statement_get_bool(uint64 row, int column)
{
	return DatumGetBool(get_value(row, column));
}

TimestampTz
cpw_statement_get_timestamp(uint64 row, int column)
{
	bool		is_null;
	Datum		value = get_datum(row, column, &is_null);

	return is_null ? 0 : DatumGetTimestampTz(value);
}

void
cpw_statement_put_rows(Tuplestorestate *store, TupleDesc descriptor)
{
	Datum	   *values = palloc(sizeof(Datum) * descriptor->natts);
	bool	   *nulls = palloc(sizeof(bool) * descriptor->natts);

	if (SPI_tuptable->tupdesc->natts != descriptor->natts)
		elog(ERROR, "%d columns, not %d", SPI_tuptable->tupdesc->natts,
			 descriptor->natts);
	for (uint64 row = 0; row < SPI_tuptable->numvals; row++)
	{
		heap_deform_tuple(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						  values, nulls);
		tuplestore_putvalues(store, descriptor, values, nulls);
	}
}
