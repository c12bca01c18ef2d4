/*
 * rows.c
 *		Rows that one statement takes at once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "store/rows.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define UNNEST	"pg_catalog.unnest("

const CpwColumnType cpw_column_uuid = {UUIDARRAYOID, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR};
const CpwColumnType cpw_column_text = {TEXTARRAYOID, TEXTOID, -1, false, TYPALIGN_INT};
const CpwColumnType cpw_column_jsonb = {JSONBARRAYOID, JSONBOID, -1, false, TYPALIGN_INT};
const CpwColumnType cpw_column_inet = {INETARRAYOID, INETOID, -1, false, TYPALIGN_INT};
const CpwColumnType cpw_column_int = {INT4ARRAYOID, INT4OID, 4, true, TYPALIGN_INT};
const CpwColumnType cpw_column_bigint = {INT8ARRAYOID, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE};
const CpwColumnType cpw_column_time = {TIMESTAMPTZARRAYOID, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE};

/* ---- rows ---- */

void
cpw_rows_init(CpwRows *rows, const CpwColumnType *const *types, int columns,
			  int capacity)
{
	rows->types = types;
	rows->columns = columns;
	rows->count = 0;
	rows->capacity = capacity;
	rows->values = palloc(sizeof(Datum) * columns * capacity);
	rows->nulls = palloc(sizeof(bool) * columns * capacity);
}

int
cpw_rows_count(const CpwRows *rows)
{
	return rows->count / rows->columns;
}

void
cpw_rows_add(CpwRows *rows, Datum value, bool is_null)
{
	int			column = rows->count % rows->columns;
	int			place = column * rows->capacity + cpw_rows_count(rows);

	Assert(cpw_rows_count(rows) < rows->capacity);
	rows->values[place] = value;
	rows->nulls[place] = is_null;
	rows->count++;
}

void
cpw_rows_add_pointer(CpwRows *rows, const void *value)
{
	cpw_rows_add(rows, PointerGetDatum(value), value == NULL);
}

void
cpw_rows_add_text(CpwRows *rows, const char *string)
{
	cpw_rows_add(rows, string ? CStringGetTextDatum(string) : (Datum) 0,
				 string == NULL);
}

/* ---- statements ---- */

/* The text without the calls of unnest(), for the life of the process. */
static const char *
strip_unnest(const char *sql)
{
	StringInfoData stripped;
	const char *call;

	initStringInfo(&stripped);
	while ((call = strstr(sql, UNNEST)) != NULL)
	{
		const char *argument = call + strlen(UNNEST);
		const char *end = strchr(argument, ')');

		appendBinaryStringInfo(&stripped, sql, call - sql);
		appendBinaryStringInfo(&stripped, argument, end - argument);
		sql = end + 1;
	}
	appendStringInfoString(&stripped, sql);
	return MemoryContextStrdup(TopMemoryContext, stripped.data);
}

/* What the statements do not say of themselves, because the columns do. */
static void
complete(CpwRowsStatement *statement, const CpwColumnType *const *types)
{
	CpwStatement *many = &statement->many;
	CpwStatement *one = &statement->one;

	if (one->parameters != 0)
		return;
	for (int i = 0; i < many->parameters; i++)
	{
		many->types[i] = types[i]->array;
		one->types[i] = types[i]->element;
	}
	if (one->sql == NULL)
		one->sql = strip_unnest(many->sql);
	one->expected = many->expected;
	one->parameters = many->parameters;
}

static Datum
make_array(const CpwRows *rows, int column)
{
	const CpwColumnType *type = rows->types[column];
	int			first = column * rows->capacity;
	int			dimension = cpw_rows_count(rows);
	int			lower_bound = 1;

	return PointerGetDatum(construct_md_array(rows->values + first,
											  rows->nulls + first, 1,
											  &dimension, &lower_bound,
											  type->element, type->length,
											  type->by_value, type->align));
}

uint64
cpw_rows_execute(const CpwRows *rows, CpwRowsStatement *statement)
{
	Datum		values[CPW_STATEMENT_PARAMETERS];
	char		nulls[CPW_STATEMENT_PARAMETERS];
	int			parameters = statement->many.parameters;
	bool		alone = cpw_rows_count(rows) == 1;

	complete(statement, rows->types);
	for (int i = 0; i < parameters; i++)
	{
		int			first = i * rows->capacity;

		values[i] = alone ? rows->values[first] : make_array(rows, i);
		nulls[i] = alone && rows->nulls[first] ? 'n' : ' ';
	}
	return cpw_statement_execute(alone ? &statement->one : &statement->many,
								 values, nulls);
}
