/*
 * positions.h
 *		The one order in which executions became visible.
 */
#ifndef CPW_POSITIONS_H
#define CPW_POSITIONS_H

#include "postgres.h"

#include "store/statement.h"

/* Bytes of a position's text. */
#define CPW_POSITION_LENGTH		70

/* Whether a text has the form of a position. */
extern bool cpw_positions_is_valid(const char *position);

/*
 * Puts the executions after a position (NULL: all) into a store, in the columns
 * of executions_after(): max at most, of these pipelines (any when the count is
 * negative), and none whose turn could still be taken by an earlier one.
 */
extern void cpw_positions_after(const char *position, char **pipelines,
								int count, int max, Tuplestorestate *store,
								TupleDesc descriptor);

#endif							/* CPW_POSITIONS_H */
