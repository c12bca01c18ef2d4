/*
 * statement.h
 *		SQL statements whose plans are kept for the life of the process.
 *
 * A statement is static data: its text, its parameters' types, what its
 * execution must answer. The server re-plans a kept plan by itself when a
 * table that it uses changes, or is dropped and made again.
 */
#ifndef CPW_STATEMENT_H
#define CPW_STATEMENT_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#define CPW_STATEMENT_PARAMETERS	16

typedef struct CpwStatement
{
	const char *sql;
	int			expected;		/* SPI_OK_SELECT, SPI_OK_INSERT, ... */
	int			parameters;
	Oid			types[CPW_STATEMENT_PARAMETERS];
	SPIPlanPtr	plan;			/* NULL until it is first used */
} CpwStatement;

/*
 * Runs the statement with a new snapshot; nulls is NULL or SPI's string of ' '
 * and 'n'. Returns the number of rows; they are in SPI_tuptable until the next
 * statement. Raises the server's errors, and an internal one when the kind of
 * the result is not as expected.
 */
extern uint64 cpw_statement_execute(CpwStatement *statement, Datum *values,
									const char *nulls);

/* The same, at most limit rows (0: all), seeing what the caller sees. */
extern uint64 cpw_statement_execute_limited(CpwStatement *statement,
											Datum *values, const char *nulls,
											uint64 limit);

/*
 * A SELECT that sees what is committed now and what the transaction has done
 * itself: where the transaction reads from the snapshot of its beginning, a
 * limit must still count what others have added meanwhile.
 */
extern uint64 cpw_statement_execute_latest(CpwStatement *statement,
										   Datum *values, const char *nulls);

/*
 * Raises serialization_failure (40001): the transaction reads from a snapshot
 * in which something is missing that others have committed, and that it would
 * have to change. detail is a sentence that says what.
 */
_Noreturn extern void cpw_statement_raise_outdated(const char *detail);

/*
 * A cursor over a statement's rows, which are fetched in portions: then they
 * are what the columns below are read of. Closed by the end of the transaction
 * at the latest.
 */
extern Portal cpw_statement_open(CpwStatement *statement, Datum *values,
								 const char *nulls);
extern uint64 cpw_statement_fetch(Portal cursor, uint64 limit);
extern void cpw_statement_close(Portal cursor);

/*
 * Between these two, statements see what is committed now, all the same, and
 * may not change anything. After an error the snapshot is gone with its
 * subtransaction: forget it.
 */
extern void cpw_statement_pin_snapshot(void);
extern void cpw_statement_unpin_snapshot(void);
extern void cpw_statement_forget_snapshot(void);

/* Runs a command that cannot be prepared (data definition). */
extern void cpw_statement_run_utility(const char *sql);

/*
 * Columns of a row of the last result, from 1. What is not by value is copied
 * into the given context; text and jsonb are NULL for SQL NULL, the others
 * raise an error.
 */
extern char *cpw_statement_get_text(uint64 row, int column,
									MemoryContext context);
extern Jsonb *cpw_statement_get_jsonb(uint64 row, int column,
									  MemoryContext context);
extern pg_uuid_t cpw_statement_get_uuid(uint64 row, int column);
extern Oid cpw_statement_get_oid(uint64 row, int column);
extern int32 cpw_statement_get_int(uint64 row, int column);
extern int64 cpw_statement_get_bigint(uint64 row, int column);
extern bool cpw_statement_get_bool(uint64 row, int column);

/* 0 for SQL NULL. */
extern TimestampTz cpw_statement_get_timestamp(uint64 row, int column);

extern bool cpw_statement_is_null(uint64 row, int column);

/* Puts all rows, whose columns are those of the descriptor, into a store. */
extern void cpw_statement_put_rows(Tuplestorestate *store,
								   TupleDesc descriptor);

#endif							/* CPW_STATEMENT_H */
