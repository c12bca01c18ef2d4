/*
 * failure.c
 *		What a worker makes of an error that is nobody's request's fault.
 */
#include "postgres.h"

#include "compat.h"
#include "net/deadline.h"
#include "worker/failure.h"

/* Of failures of a kind so many are told at once, then one in each pause. */
#define MAX_TOLD		10
#define PAUSE_MS		10000

/* Kinds that are remembered: what is not makes room for what comes. */
#define MAX_KINDS		16

typedef struct Kind
{
	int			state;			/* its SQLSTATE; 0: free */
	const char *consequence;
	int			room;			/* how many may be told now */
	int64		counted_from;	/* the room is as of then */
	int64		seen_at;
	uint64		untold;			/* since the last that was told */
} Kind;

static Kind kinds[MAX_KINDS];

/* SQLSTATEs of what may pass, and classes of them (the last three are 000). */
static const int passing_states[] = {
	ERRCODE_READ_ONLY_SQL_TRANSACTION,
	ERRCODE_LOCK_NOT_AVAILABLE,
	ERRCODE_TRANSACTION_ROLLBACK,
	ERRCODE_INSUFFICIENT_RESOURCES,
	ERRCODE_OPERATOR_INTERVENTION,
};

bool
cpw_failure_may_pass(int state)
{
	for (size_t i = 0; i < lengthof(passing_states); i++)
		if (state == passing_states[i] ||
			ERRCODE_TO_CATEGORY(state) == passing_states[i])
			return true;
	return false;
}

static Kind *
find_kind(int state, const char *consequence, int64 now)
{
	Kind	   *oldest = kinds;

	for (int i = 0; i < MAX_KINDS; i++)
	{
		if (kinds[i].state == state && kinds[i].consequence == consequence)
			return &kinds[i];
		if (kinds[i].seen_at < oldest->seen_at)
			oldest = &kinds[i];
	}
	*oldest = (Kind) {
		.state = state, .consequence = consequence,
		.room = MAX_TOLD, .counted_from = now
	};
	return oldest;
}

bool
cpw_failure_is_told(int state, const char *consequence, uint64 *untold)
{
	int64		now = cpw_deadline_now();
	Kind	   *kind = find_kind(state, consequence, now);
	int64		pauses = (now - kind->counted_from) / PAUSE_MS;

	kind->seen_at = now;
	kind->counted_from += pauses * PAUSE_MS;
	kind->room = (int) Min(kind->room + pauses, MAX_TOLD);
	if (kind->room == 0)
	{
		kind->untold++;
		return false;
	}
	kind->room--;
	*untold = kind->untold;
	kind->untold = 0;
	return true;
}

int
cpw_failure_detail(uint64 untold)
{
	if (untold == 0)
		return 0;
	return errdetail_plural("%llu more failure of this kind was not logged.",
							"%llu more failures of this kind were not logged.",
							(unsigned long) untold,
							(unsigned long long) untold);
}

void
cpw_failure_tell(CpwWorkerSlot *slot, const char *what,
				 const ErrorData *error)
{
	uint64		untold;

	cpw_counters_note_error(slot, error->message);
	if (cpw_failure_is_told(error->sqlerrcode, NULL, &untold))
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("failed while performing %s: %s", what, error->message),
				 cpw_failure_detail(untold)));
}
