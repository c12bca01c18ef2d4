/*
 * json_path_slice.c
 *		A slice of an array (RFC 9535, 2.3.4.2) as subscripts of jsonpath.
 *
 * Behind a ".**" a subscript out of range gives nothing and a range is cut to
 * the array. A step other than 1 and -1 becomes a list of subscripts, which
 * must be bounded whatever the array's length.
 */
#include <stdio.h>

#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* More elements than a jsonb array can have (2^28), with room for sums. */
#define BEYOND			(INT64_C(1) << 29)

/* Subscripts that a slice with a step may become. */
#define MAX_SUBSCRIPTS	64

/* Room for "last - 536870912", for a choice between two, for a sum. */
#define BOUND_SIZE		32
#define CHOICE_SIZE		192
#define INDEX_SIZE		256

/* An index: a number, or one counted from the array's end. */
typedef struct Bound
{
	bool		from_last;		/* last + offset, else offset */
	int64_t		offset;
} Bound;

static Bound
make_bound(int64_t index)
{
	Bound		bound;

	if (index > BEYOND)
		index = BEYOND;
	if (index < -BEYOND)
		index = -BEYOND;
	bound.from_last = index < 0;
	bound.offset = index < 0 ? index + 1 : index;
	return bound;
}

static Bound
shift(Bound bound, int64_t by)
{
	bound.offset += by;
	return bound;
}

static void
print_bound(char *text, Bound bound)
{
	if (!bound.from_last)
		snprintf(text, BOUND_SIZE, "%lld", (long long) bound.offset);
	else if (bound.offset == 0)
		snprintf(text, BOUND_SIZE, "last");
	else
		snprintf(text, BOUND_SIZE, "last %c %lld",
				 bound.offset < 0 ? '-' : '+',
				 (long long) (bound.offset < 0 ? -bound.offset : bound.offset));
}

/* The lesser (or the greater) of two, by |a - b|. */
static void
print_choice(char *text, const char *a, const char *b, bool greater)
{
	snprintf(text, CHOICE_SIZE, "((%s) + (%s) %c ((%s) - (%s)).abs()) / 2",
			 a, b, greater ? '+' : '-', a, b);
}

static int64_t
divide_up(int64_t number, int64_t by)
{
	return number <= 0 ? 0 : (number - 1) / by + 1;
}

/*
 * How many elements a slice with this step can have, whatever the array: -1 for
 * any number. Distances are measured from the end that both bounds name.
 */
static int64_t
count_elements(const CpwPathSelector *slice, int64_t step)
{
	int64_t		start = slice->has_start ? slice->index : (step > 0 ? 0 : -1);
	int64_t		most = -1;

	if (step > 0)
	{
		if (slice->has_end && (start < 0) == (slice->end < 0))
			most = divide_up(slice->end - start, step);
		else if (start < 0)
		{
			most = divide_up(-start, step);
			if (slice->has_end && divide_up(slice->end, step) < most)
				most = divide_up(slice->end, step);
		}
	}
	else
	{
		if (slice->has_end && (start < 0) == (slice->end < 0))
			most = divide_up(start - slice->end, -step);
		else if (start >= 0)
			most = start / -step + 1;
	}
	/* No array is long enough for a second one. */
	if (most != 0 && (step >= BEYOND || -step >= BEYOND))
		most = 1;
	return most;
}

/* Step 1: from start to before end. */
static void
emit_forward(CpwPathState *state, const CpwPathSelector *slice)
{
	char		from[BOUND_SIZE];
	char		to[BOUND_SIZE];

	print_bound(from, make_bound(slice->has_start ? slice->index : 0));
	print_bound(to, slice->has_end ? shift(make_bound(slice->end), -1) :
				make_bound(-1));
	cpw_path_write(state, "%s to %s", from, to);
}

/* Step -1: the order of the nodes does not count. */
static void
emit_backward(CpwPathState *state, const CpwPathSelector *slice)
{
	char		from[BOUND_SIZE];
	char		to[BOUND_SIZE];

	print_bound(from, slice->has_end ? shift(make_bound(slice->end), 1) :
				make_bound(0));
	print_bound(to, make_bound(slice->has_start ? slice->index : -1));
	cpw_path_write(state, "%s to %s", from, to);
}

/*
 * The first element's index, cut to the array as the RFC does: a start before
 * the array is its first element, one behind it (on the way back) its last.
 */
static void
print_first(char *text, const CpwPathSelector *slice, bool forward)
{
	int64_t		start = slice->has_start ? slice->index : (forward ? 0 : -1);
	char		bound[BOUND_SIZE];

	print_bound(bound, make_bound(start));
	if (forward && start < 0)
		print_choice(text, bound, "0", true);
	else if (!forward && start >= 0)
		print_choice(text, bound, "last", false);
	else
		snprintf(text, CHOICE_SIZE, "%s", bound);
}

static void
emit_stepped(CpwPathState *state, const CpwPathSelector *slice, int64_t count)
{
	bool		forward = slice->step > 0;
	int64_t		step = slice->step;
	char		first[CHOICE_SIZE];
	char		limit[BOUND_SIZE];

	if (step > BEYOND)
		step = BEYOND;
	if (step < -BEYOND)
		step = -BEYOND;
	print_first(first, slice, forward);
	print_bound(limit, shift(make_bound(slice->end), forward ? -1 : 1));
	for (int64_t i = 0; i < count; i++)
	{
		char		index[INDEX_SIZE];

		snprintf(index, sizeof(index), i == 0 ? "%s" : "%s %c %lld", first,
				 forward ? '+' : '-',
				 (long long) (i * (forward ? step : -step)));
		cpw_path_write(state, i > 0 ? ", " : "");
		/* From it to it, and to nothing where it is beyond the limit. */
		if (!slice->has_end)
			cpw_path_write(state, "%s", index);
		else if (forward)
			cpw_path_write(state,
						   "%s to ((%s) + (%s) - ((%s) - (%s)).abs()) / 2",
						   index, index, limit, index, limit);
		else
			cpw_path_write(state,
						   "((%s) + (%s) + ((%s) - (%s)).abs()) / 2 to %s",
						   index, limit, index, limit, index);
	}
}

/* Both bounds and the step are plain: the indexes themselves. */
static void
emit_plain(CpwPathState *state, const CpwPathSelector *slice, int64_t count)
{
	Bound		start = make_bound(slice->index);
	int64_t		step = slice->step > BEYOND ? BEYOND : slice->step;

	for (int64_t i = 0; i < count; i++)
		cpw_path_write(state, "%s%lld", i > 0 ? ", " : "",
					   (long long) (start.offset + i * step));
}

void
cpw_path_emit_slice(CpwPathState *state, const CpwPathSelector *slice)
{
	int64_t		count;

	if (slice->step == 1)
	{
		emit_forward(state, slice);
		return;
	}
	if (slice->step == -1)
	{
		emit_backward(state, slice);
		return;
	}
	count = slice->step == 0 ? 0 : count_elements(slice, slice->step);
	if (count == 0)
		cpw_path_write(state, "1 to 0");
	else if (count < 0)
		cpw_path_refuse(state, slice->position,
						"a step through an array of any length cannot be expressed",
						"Bound the slice on the side where it ends.");
	else if (count > MAX_SUBSCRIPTS)
		cpw_path_refuse(state, slice->position,
						"a slice with a step has 64 elements at the most", NULL);
	else if (slice->step > 1 && slice->index >= 0 && slice->end >= 0)
		emit_plain(state, slice, count);
	else
		emit_stepped(state, slice, count);
}
