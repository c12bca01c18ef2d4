/*
 * bounds.h
 *		Below which of a pipeline's executions none waits, is leased or is to be
 *		retried: the values that front.h shares.
 */
#ifndef CPW_BOUNDS_H
#define CPW_BOUNDS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* The longest name of a pipeline, in bytes. */
#define CPW_FRONT_NAME	100

/* Executions of a pipeline that can be held. */
#define CPW_FRONT_HELD	64

/* What an empty bound is: greater than any. */
#define CPW_FRONT_NEVER	DT_NOEND

typedef struct CpwFront
{
	char		pipeline[CPW_FRONT_NAME + 1];
	pg_uuid_t	waiting;		/* none waits below, but for the held */
	TimestampTz leased;			/* no lease ends before */
	TimestampTz retrying;		/* no retry is due before */
	int			stuck;			/* looks since the first was raised */
	int			held_count;
	pg_uuid_t	held[CPW_FRONT_HELD];
} CpwFront;

extern int	cpw_bounds_compare(const pg_uuid_t *one, const pg_uuid_t *other);

/* Sets an id to that which is greater than all others. */
extern void cpw_bounds_set_last(pg_uuid_t *id);
extern bool cpw_bounds_is_last(const pg_uuid_t *id);

/* Sets an id to the next one. */
extern void cpw_bounds_increment(pg_uuid_t *id);

/* Makes a front with nothing in it. */
extern void cpw_bounds_clear(CpwFront *front, const char *pipeline);

/* Whether nothing waits, is leased or is to be retried. */
extern bool cpw_bounds_are_idle(const CpwFront *front);

/* Whether two fronts of a pipeline bound the same. */
extern bool cpw_bounds_are_equal(const CpwFront *one, const CpwFront *other);

/* Whether an id is among those that are held. */
extern bool cpw_bounds_hold(const CpwFront *front, const pg_uuid_t *id);

/*
 * Lowers a front so that the least of count executions that wait is found, and
 * with it all (0: none waits), and the leases and retries of the other front.
 */
extern void cpw_bounds_lower(CpwFront *front, const CpwFront *to, int count);

#endif							/* CPW_BOUNDS_H */
