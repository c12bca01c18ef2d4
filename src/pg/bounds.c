/*
 * bounds.c
 *		Below which of a pipeline's executions none waits, is leased or is to be
 *		retried.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/bounds.h"

int
cpw_bounds_compare(const pg_uuid_t *one, const pg_uuid_t *other)
{
	return memcmp(one->data, other->data, UUID_LEN);
}

void
cpw_bounds_set_last(pg_uuid_t *id)
{
	memset(id->data, 0xff, UUID_LEN);
}

bool
cpw_bounds_is_last(const pg_uuid_t *id)
{
	pg_uuid_t	last;

	cpw_bounds_set_last(&last);
	return cpw_bounds_compare(id, &last) == 0;
}

void
cpw_bounds_increment(pg_uuid_t *id)
{
	for (int i = UUID_LEN - 1; i >= 0 && ++id->data[i] == 0; i--)
		;
}

void
cpw_bounds_clear(CpwFront *front, const char *pipeline)
{
	memset(front, 0, sizeof(CpwFront));
	strlcpy(front->pipeline, pipeline, sizeof(front->pipeline));
	cpw_bounds_set_last(&front->waiting);
	front->leased = front->retrying = CPW_FRONT_NEVER;
}

bool
cpw_bounds_are_idle(const CpwFront *front)
{
	return cpw_bounds_is_last(&front->waiting) && front->held_count == 0 &&
		front->leased == CPW_FRONT_NEVER && front->retrying == CPW_FRONT_NEVER;
}

bool
cpw_bounds_are_equal(const CpwFront *one, const CpwFront *other)
{
	return cpw_bounds_compare(&one->waiting, &other->waiting) == 0 &&
		one->leased == other->leased && one->retrying == other->retrying &&
		one->held_count == other->held_count &&
		memcmp(one->held, other->held,
			   sizeof(pg_uuid_t) * one->held_count) == 0;
}

bool
cpw_bounds_hold(const CpwFront *front, const pg_uuid_t *id)
{
	for (int i = 0; i < front->held_count; i++)
		if (cpw_bounds_compare(&front->held[i], id) == 0)
			return true;
	return false;
}

/*
 * Lowers a front so that the least of count executions that wait is found, and
 * with it all: a single one below the bound is held, to save the next look the
 * way from there to the bound.
 */
static void
lower_waiting(CpwFront *front, const pg_uuid_t *least, int count)
{
	if (cpw_bounds_compare(least, &front->waiting) >= 0 ||
		(count == 1 && cpw_bounds_hold(front, least)))
		return;
	if (count > 1 || cpw_bounds_is_last(&front->waiting) ||
		front->held_count == CPW_FRONT_HELD)
		front->waiting = *least;
	else
		front->held[front->held_count++] = *least;
}

void
cpw_bounds_lower(CpwFront *front, const CpwFront *to, int count)
{
	if (count > 0)
		lower_waiting(front, &to->waiting, count);
	front->leased = Min(front->leased, to->leased);
	front->retrying = Min(front->retrying, to->retrying);
}
