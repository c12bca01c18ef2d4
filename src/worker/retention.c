/*
 * retention.c
 *		The jobs of the maintenance worker that keep the tables from growing.
 *
 * What is old is a matter of the clock, and a clock can be wrong. So a day's
 * partition is put away at most once a minute, and after a leap of the clock
 * nothing is removed for a while. The leap is seen in the log itself: the
 * partitions, which are made for every day on which the server runs and some
 * days ahead, have a hole. That outlives a restart, and a server that was
 * really away for so long only waits before it removes anything.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "net/deadline.h"
#include "pg/settings.h"
#include "pg/uuid7.h"
#include "store/expiry.h"
#include "store/partitions.h"
#include "utils/timestamp.h"
#include "worker/retention.h"
#include "worker/transaction.h"

#define SECOND_MS			1000
#define MINUTE_MS			(60 * SECOND_MS)
#define HOUR_MS				(60 * MINUTE_MS)

/* Partitions are made for today and so many days after it. */
#define DAYS_AHEAD			3

/* One partition is put away in so much time. */
#define PUT_AWAY_MS			MINUTE_MS

/* A hole of more than this is a leap of the clock, for so long after it. */
#define LEAP				(7 * USECS_PER_DAY)
#define CAUTION				(2 * USECS_PER_DAY)

/* What one transaction looks at, and the pause until the next one. */
#define KEY_BLOCKS			64
#define EXECUTIONS			1000
#define PAGE_PAUSE_MS		20

/* Partitions whose unfinished execution is remembered. */
#define MAX_REMEMBERED		64

static CpwShared *shared;

/* How far the look through the keys and the executions has come. */
static int64 key_block;
static pg_uuid_t execution_position;

/* All before that execution, of the partition's, have ended. */
static struct
{
	Oid			partition;
	pg_uuid_t	execution;
}			remembered[MAX_REMEMBERED];

/* When (monotonic) each may be told again. */
static int64 leap_quiet_until;
static int64 held_quiet_until;
static int64 busy_quiet_until;

/* Since when (monotonic) somebody has been in the way; 0: nobody is. */
static int64 busy_since;

void
cpw_retention_init(CpwShared *the_shared)
{
	shared = the_shared;
}

void
cpw_retention_start_over(void)
{
	key_block = 0;
	memset(&execution_position, 0, sizeof(pg_uuid_t));
}

/* Whether something may be told now; then not again for an hour. */
static bool
may_tell(int64 *quiet_until)
{
	int64		now = cpw_deadline_now();

	if (now < *quiet_until)
		return false;
	*quiet_until = now + HOUR_MS;
	return true;
}

/* ---- what is old ---- */

/* Whether the clock has leapt, by what the partitions tell. */
static bool
has_leapt(const CpwPartition *partitions, int count, TimestampTz now)
{
	TimestampTz end = now;

	for (int i = 0; i < count; i++)
	{
		TimestampTz from = cpw_uuid7_instant(&partitions[i].from);

		if (from > now)
			break;
		if (i > 0 && from - end > LEAP && now - from < CAUTION)
			return true;
		end = cpw_uuid7_instant(&partitions[i].to);
	}
	return now - end > LEAP;
}

/*
 * The instant before which all is older than so many minutes. False when
 * nothing is to be removed: for ever, or for now.
 */
static bool
find_limit(int minutes, const CpwPartition *partitions, int count,
		   TimestampTz *limit)
{
	TimestampTz now = GetCurrentTimestamp();

	if (minutes <= 0)
		return false;
	if (has_leapt(partitions, count, now))
	{
		if (may_tell(&leap_quiet_until))
			ereport(LOG,
					(errmsg("nothing old is removed for now: the clock says %s, and the days before have no partition of deliveries",
							timestamptz_to_str(now)),
					 errhint("If the clock is right there is nothing to do: two days after the hole removal goes on.")));
		return false;
	}
	*limit = now - (TimestampTz) minutes * SECS_PER_MINUTE * USECS_PER_SEC;
	return true;
}

/* The same where the partitions are of no further interest. */
static bool
find_limit_id(int minutes, TimestampTz *limit, pg_uuid_t *id)
{
	CpwPartition *partitions;
	int			count = cpw_partitions_list(&partitions);

	if (!find_limit(minutes, partitions, count, limit))
		return false;
	cpw_uuid7_lower_bound(*limit, id);
	return true;
}

/* How long to wait between two looks for what gets that old. */
static long
pass_interval(int minutes)
{
	return Min(Max((int64) minutes * MINUTE_MS / 24, MINUTE_MS), 3 * HOUR_MS);
}

/* ---- partitions ---- */

long
cpw_retention_make_partition(void)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int day = 0; day <= DAYS_AHEAD; day++)
	{
		if (!cpw_partitions_make(now + day * USECS_PER_DAY))
			continue;
		cpw_counters_add(&shared->maintenance.partitions_made, 1);
		return 0;
	}
	return MINUTE_MS;
}

/*
 * Finds an execution that still needs the partition. What was found the last
 * time is where to look on; before it all have ended.
 */
static bool
find_need(const CpwPartition *partition, CpwUnfinished *unfinished)
{
	int			place = (int) (partition->oid % MAX_REMEMBERED);
	const pg_uuid_t *first = &partition->from;

	/* What has been sent to a hub does not end here. */
	if (cpw_setting_ingest_only)
		return false;
	if (remembered[place].partition == partition->oid)
		first = &remembered[place].execution;
	if (!cpw_expiry_find_unfinished(first, &partition->from, &partition->to,
									unfinished))
		return false;
	remembered[place].partition = partition->oid;
	remembered[place].execution = unfinished->id;
	return true;
}

static void
tell_need(const CpwPartition *partition, const CpwUnfinished *unfinished)
{
	char	   *id = cpw_uuid7_text(&unfinished->id);

	cpw_counters_note_held_back(psprintf("%s: execution %s has not ended",
										 partition->name, id));
	if (may_tell(&held_quiet_until))
		ereport(LOG,
				(errmsg("partition \"%s\" of deliveries is kept: execution %s of pipeline \"%s\" has not ended",
						partition->name, id, unfinished->pipeline),
				 errhint("End it, or stop it with stop_pipeline_execution.")));
}

static bool
is_due(const CpwPartition *partition, const pg_uuid_t *limit)
{
	return partition->is_ours &&
		memcmp(&partition->to, limit, sizeof(pg_uuid_t)) <= 0;
}

/* The oldest partition that is to go; NULL: none. */
static const CpwPartition *
find_due(const CpwPartition *partitions, int count, const pg_uuid_t *limit)
{
	for (int i = 0; i < count; i++)
		if (is_due(&partitions[i], limit))
			return &partitions[i];
	return NULL;
}

/* The oldest that is to go and that nothing needs; NULL: none. */
static const CpwPartition *
choose_partition(const CpwPartition *partitions, int count,
				 const pg_uuid_t *limit)
{
	const CpwPartition *held = NULL;
	CpwUnfinished first_need;

	for (int i = 0; i < count; i++)
	{
		CpwUnfinished need;

		if (!is_due(&partitions[i], limit))
			continue;
		if (!find_need(&partitions[i], &need))
			return &partitions[i];
		if (held == NULL)
		{
			held = &partitions[i];
			first_need = need;
		}
	}
	if (held != NULL)
		tell_need(held, &first_need);
	return NULL;
}

static bool
is_worker(int pid)
{
	bool		found = pid == MyProcPid;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i <= CPW_API_SLOT(shared) && !found; i++)
		found = shared->slots[i].pid == pid;
	LWLockRelease(shared->lock);
	return found;
}

/*
 * Whether somebody reads deliveries, or does more with them. To wait for the
 * lock behind a dump would be in vain, and keep all receivers waiting as well.
 */
static bool
is_busy(const CpwPartition *partition)
{
	int		   *pids;
	int			count = cpw_partitions_lockers(&pids);

	for (int i = 0; i < count; i++)
	{
		if (is_worker(pids[i]))
			continue;
		if (busy_since == 0)
			busy_since = cpw_deadline_now();
		cpw_counters_note_held_back(psprintf("%s: process %d has a lock on deliveries",
											 partition->name, pids[i]));
		if (cpw_deadline_now() - busy_since > MINUTE_MS &&
			may_tell(&busy_quiet_until))
			ereport(LOG,
					(errmsg("partition \"%s\" of deliveries is kept: process %d has a lock on the table",
							partition->name, pids[i]),
					 errhint("It is dropped when no transaction uses deliveries.")));
		return true;
	}
	busy_since = 0;
	return false;
}

/* Milliseconds until another partition may be put away. */
static long
until_next(void)
{
	int64		last = (int64) pg_atomic_read_u64(&shared->maintenance.put_away_at);

	if (last == 0)
		return 0;
	return (long) Max(last + PUT_AWAY_MS - cpw_deadline_now(), 0);
}

long
cpw_retention_detach(void)
{
	CpwPartition *partitions;
	const CpwPartition *due = NULL;
	const CpwPartition *chosen;
	CpwUnfinished need;
	TimestampTz limit;
	pg_uuid_t	limit_id;
	int			count;
	long		pause = until_next();

	if (pause > 0)
		return pause;
	count = cpw_partitions_list(&partitions);
	if (find_limit(cpw_setting_delivery_retention, partitions, count, &limit))
	{
		cpw_uuid7_lower_bound(limit, &limit_id);
		due = find_due(partitions, count, &limit_id);
	}
	if (due == NULL)
	{
		cpw_counters_note_held_back("");
		return MINUTE_MS;
	}
	/* First: it costs less than to look through the executions of a day. */
	if (is_busy(due))
		return SECOND_MS;
	chosen = choose_partition(partitions, count, &limit_id);
	if (chosen == NULL)
		return MINUTE_MS;

	/* From its beginning: what is remembered is good enough to wait for. */
	if (!cpw_setting_ingest_only &&
		cpw_expiry_find_unfinished(&chosen->from, &chosen->from, &chosen->to,
								   &need))
		return MINUTE_MS;
	cpw_transaction_relax();
	cpw_partitions_detach(chosen);
	pg_atomic_write_u64(&shared->maintenance.put_away_at,
						(uint64) cpw_deadline_now());
	cpw_counters_note_held_back("");
	return PUT_AWAY_MS;
}

long
cpw_retention_drop_detached(void)
{
	char	   *name;

	cpw_transaction_relax();
	name = cpw_partitions_drop_detached();
	if (name == NULL)
		return 5 * SECOND_MS;
	cpw_counters_add(&shared->maintenance.partitions_dropped, 1);
	ereport(LOG,
			(errmsg("dropped partition \"%s\" of deliveries", name)));
	return 0;
}

/* ---- rows ---- */

long
cpw_retention_remove_keys(void)
{
	int			minutes = cpw_setting_deduplication_window;
	int64		blocks = cpw_expiry_key_blocks();
	TimestampTz limit;
	pg_uuid_t	id;

	if (!find_limit_id(minutes, &limit, &id))
		return MINUTE_MS;

	/* A delivery that brings such a key again waits until this has committed. */
	cpw_transaction_relax();
	cpw_counters_add(&shared->maintenance.keys_removed,
					 (uint64) cpw_expiry_remove_keys(key_block, KEY_BLOCKS, &id));
	key_block += KEY_BLOCKS;
	if (key_block < blocks)
		return PAGE_PAUSE_MS;
	key_block = 0;
	return pass_interval(minutes);
}

long
cpw_retention_remove_executions(void)
{
	int			minutes = cpw_setting_execution_retention;
	TimestampTz limit;
	pg_uuid_t	id;
	int64		removed;
	bool		has_more;

	/* What began later has not ended before. */
	if (!find_limit_id(minutes, &limit, &id))
		return MINUTE_MS;
	cpw_transaction_relax();
	has_more = cpw_expiry_remove_executions(&execution_position, &id, limit,
											cpw_setting_ingest_only,
											EXECUTIONS, &removed);
	cpw_counters_add(&shared->maintenance.executions_removed, (uint64) removed);
	if (has_more)
		return PAGE_PAUSE_MS;
	memset(&execution_position, 0, sizeof(pg_uuid_t));
	return pass_interval(minutes);
}

long
cpw_retention_tidy_counters(void)
{
	cpw_transaction_relax();
	cpw_expiry_tidy_counters(shared->workers);
	return 10 * MINUTE_MS;
}

long
cpw_retention_forget_console(void)
{
	cpw_transaction_relax();
	cpw_expiry_forget_console();
	return 10 * MINUTE_MS;
}
