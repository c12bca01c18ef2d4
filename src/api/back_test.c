/*
 * back_test.c
 *		What a webhook would have made of the deliveries that are recorded.
 */
#include "postgres.h"

#include "api/back_test.h"
#include "api/dry_run.h"
#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg/guard.h"
#include "pg/interval.h"
#include "pg/uuid7.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define MAX_EXAMPLES	10

#define UNIX_EPOCH \
	((TimestampTz) -(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* ---- since ---- */

typedef struct Instant
{
	const char *text;
	TimestampTz value;
} Instant;

static void
read_timestamp(void *arg)
{
	Instant    *instant = arg;

	instant->value =
		DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
												CStringGetDatum(instant->text),
												ObjectIdGetDatum(InvalidOid),
												Int32GetDatum(-1)));
}

TimestampTz
cpw_back_test_read_since(const char *text)
{
	Instant		instant = {text, 0};
	CpwProblems problems = {0};

	if (cpw_guard_run_cancelable(read_timestamp, &instant) != NULL &&
		!cpw_interval_before_now(text, &instant.value))
		cpw_errors_add_violation(&problems, "since", text,
								 "Member must be a timestamp, or an interval such as '7 days'");
	else if (instant.value >= GetCurrentTimestamp())
		cpw_errors_add_violation(&problems, "since", text,
								 "Member must be in the past");
	cpw_errors_raise_all(&problems);
	/* No id is older. */
	return Max(instant.value, UNIX_EPOCH);
}

/* ---- what is counted ---- */

/* Deliveries whose outcome changes, and the newest of them. */
typedef struct Change
{
	int			count;
	int			example_count;
	char	   *ids[MAX_EXAMPLES];
	char	   *was[MAX_EXAMPLES];
	char	   *is[MAX_EXAMPLES];
	char	   *reasons[MAX_EXAMPLES];
} Change;

typedef struct BackTest
{
	CpwWebhook *webhook;
	MemoryContext kept;			/* of the examples */
	int			judged;
	Change		newly_fires;
	Change		no_longer_fires;
	int			still_fires;
	int			still_silent;
	int			duplicates;
	int			rejected;
} BackTest;

static char *
keep(BackTest *test, const char *text)
{
	return text != NULL ? MemoryContextStrdup(test->kept, text) : NULL;
}

static void
note_change(BackTest *test, Change *change, const pg_uuid_t *id,
			const CpwDryRun *run)
{
	int			n = change->example_count;

	change->count++;
	if (n == MAX_EXAMPLES)
		return;
	change->ids[n] = keep(test, cpw_uuid7_text(id));
	change->was[n] = keep(test, run->recorded->outcome);
	change->is[n] = keep(test, cpw_dry_run_outcome(run->verdict));
	/* Of one that fires now, why it did not. */
	change->reasons[n] = keep(test, run->verdict == CPW_VERDICT_TRIGGERED ?
							  run->recorded->reason : run->reason);
	change->example_count++;
}

/* One delivery, in a context that is the caller's to reset. */
static void
judge(BackTest *test, const pg_uuid_t *id)
{
	CpwDryRun  *run = palloc0(sizeof(CpwDryRun));
	CpwRecorded recorded;
	bool		fired;
	bool		fires;

	/* Its partition may have been dropped meanwhile. */
	if (!cpw_recorded_find(id, &recorded))
		return;
	if (recorded.payload == NULL)
	{
		if (strcmp(recorded.outcome, "duplicate") == 0)
			test->duplicates++;
		else
			test->rejected++;
		return;
	}
	run->webhook = test->webhook;
	cpw_dry_run_recall(run, &recorded, NULL);
	cpw_dry_run_judge(run);
	fired = strcmp(recorded.outcome, "triggered") == 0;
	fires = run->verdict == CPW_VERDICT_TRIGGERED;
	test->judged++;
	if (fires && !fired)
		note_change(test, &test->newly_fires, id, run);
	else if (fired && !fires)
		note_change(test, &test->no_longer_fires, id, run);
	else if (fires)
		test->still_fires++;
	else
		test->still_silent++;
}

static void
add_change(CpwJsonWriter *answer, const char *name, const Change *change)
{
	cpw_json_open_object(answer, name);
	cpw_json_add_int(answer, "count", change->count);
	cpw_json_open_array(answer, "examples");
	for (int i = 0; i < change->example_count; i++)
	{
		cpw_json_open_object(answer, NULL);
		cpw_json_add_text(answer, "deliveryId", change->ids[i]);
		cpw_json_add_text(answer, "was", change->was[i]);
		cpw_json_add_text(answer, "is", change->is[i]);
		cpw_json_add_text(answer, "reason", change->reasons[i]);
		cpw_json_close_object(answer);
	}
	cpw_json_close_array(answer);
	cpw_json_close_object(answer);
}

static void
add_answer(CpwJsonWriter *answer, const BackTest *test, TimestampTz since)
{
	cpw_json_add_timestamp(answer, "since", since);
	cpw_json_add_int(answer, "judged", test->judged);
	add_change(answer, "newlyFires", &test->newly_fires);
	add_change(answer, "noLongerFires", &test->no_longer_fires);
	cpw_json_open_object(answer, "stays");
	cpw_json_add_int(answer, "fires", test->still_fires);
	cpw_json_add_int(answer, "doesNotFire", test->still_silent);
	cpw_json_close_object(answer);
	cpw_json_open_object(answer, "notJudged");
	cpw_json_add_int(answer, "duplicates", test->duplicates);
	cpw_json_add_int(answer, "rejected", test->rejected);
	cpw_json_add_text(answer, "why",
					  "no payload is kept of duplicate and rejected deliveries");
	cpw_json_close_object(answer);
}

void
cpw_back_test_add(CpwJsonWriter *answer, CpwWebhook *webhook,
				  TimestampTz since)
{
	BackTest   *test = palloc0(sizeof(BackTest));
	CpwRecordedWalk walk;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext one = AllocSetContextCreate(caller,
											  "cp_webhook delivery",
											  ALLOCSET_DEFAULT_SIZES);
	pg_uuid_t	id;

	test->webhook = webhook;
	test->kept = caller;
	cpw_recorded_begin(&walk, &webhook->id, since);
	while (cpw_recorded_next(&walk, &id))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(one);
		judge(test, &id);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(one);
	}
	MemoryContextDelete(one);
	add_answer(answer, test, since);
}
