/*
 * rows.h
 *		Rows that one statement takes at once.
 *
 * The rows of a batch go to the server as one array a column, which unnest()
 * turns back into rows. A row that is alone goes as plain values: to make the
 * arrays, and the nodes of the plan that take them apart, costs more than the
 * row itself.
 */
#ifndef CPW_ROWS_H
#define CPW_ROWS_H

#include "postgres.h"

#include "store/statement.h"

typedef struct CpwColumnType
{
	Oid			array;
	Oid			element;
	int16		length;
	bool		by_value;
	char		align;
} CpwColumnType;

extern const CpwColumnType cpw_column_uuid;
extern const CpwColumnType cpw_column_text;
extern const CpwColumnType cpw_column_jsonb;
extern const CpwColumnType cpw_column_inet;
extern const CpwColumnType cpw_column_int;
extern const CpwColumnType cpw_column_bigint;
extern const CpwColumnType cpw_column_time;

/*
 * A statement over rows: parameter n of many is the array of column n, and the
 * types are the columns'. unnest() belongs into a select list, where it hands
 * on the elements as they are; in FROM it would copy the whole batch into a
 * tuple store first. one is for a single row, whose values are its parameters;
 * left empty it is many's text without the calls of pg_catalog.unnest().
 */
typedef struct CpwRowsStatement
{
	CpwStatement many;
	CpwStatement one;
} CpwRowsStatement;

typedef struct CpwRows
{
	const CpwColumnType *const *types;
	int			columns;
	int			count;			/* of values, of all columns together */
	int			capacity;		/* in rows */
	Datum	   *values;			/* a column after the other */
	bool	   *nulls;
} CpwRows;

/* No rows yet, in the current memory context; types are the columns'. */
extern void cpw_rows_init(CpwRows *rows, const CpwColumnType *const *types,
						  int columns, int capacity);

/*
 * The next value of a row, or the first one of the next row. A null pointer is
 * SQL NULL. The values are not copied, except text.
 */
extern void cpw_rows_add(CpwRows *rows, Datum value, bool is_null);
extern void cpw_rows_add_pointer(CpwRows *rows, const void *value);
extern void cpw_rows_add_text(CpwRows *rows, const char *string);

/* How many rows are complete. */
extern int	cpw_rows_count(const CpwRows *rows);

/*
 * Runs the statement on the rows (there is one at least), of which it takes as
 * many columns as it has parameters. As cpw_statement_execute().
 */
extern uint64 cpw_rows_execute(const CpwRows *rows, CpwRowsStatement *statement);

#endif							/* CPW_ROWS_H */
