/*
 * failure.c
 *		What the api worker makes of an error that is nobody's request's fault.
 */
#include "postgres.h"

#include "compat.h"
#include "net/deadline.h"
#include "worker/failure.h"

/* Until a failure of the same kind is told again. */
#define QUIET_MS	10000

/* The last failure that was told, and until when it is not told again. */
static int	told_state;
static int64 quiet_until;

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

void
cpw_failure_tell(CpwWorkerSlot *slot, const char *what,
				 const ErrorData *error)
{
	int64		now = cpw_deadline_now();

	cpw_counters_note_error(slot, error->message);
	if (error->sqlerrcode == told_state && now < quiet_until)
		return;
	told_state = error->sqlerrcode;
	quiet_until = now + QUIET_MS;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("failed while performing %s: %s", what, error->message)));
}
