/*
 * batch.c
 *		Deliveries that share one transaction.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "net/deadline.h"
#include "pg/notification.h"
#include "pg/settings.h"
#include "pg/uuid7.h"
#include "portability/instr_time.h"
#include "store/nodes.h"
#include "store/partitions.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/batch.h"
#include "worker/failure.h"
#include "worker/tally.h"
#include "worker/transaction.h"

/* All repeating of one batch together. */
#define REPEAT_LIMIT_MS		1000

/* Counters can wait for the next time, deliveries not for a lock on them. */
#define COUNTERS_TIMEOUT_MS	100

/* For which NOTIFY stays off after its queue was full. */
#define NOTIFY_PAUSE_MS		1000

/*
 * For which a worker is unhealthy after the disk was full, or failed: only a
 * delivery that needs a new block shows that, a look at health cannot try it.
 * Who looks may keep others from sending, so time alone can heal.
 */
#define DISK_FAULT_MS		10000

typedef enum Outcome
{
	OUTCOME_DONE,
	OUTCOME_SPLIT,				/* an item's own data may be at fault */
	OUTCOME_REPEAT,				/* the same batch may succeed now */
	OUTCOME_REFUSED				/* no part of it would */
} Outcome;

/* What an attempt was doing when its error came. */
typedef enum Phase
{
	PHASE_BEGIN,
	PHASE_WRITE,
	PHASE_COMMIT
} Phase;

static CpwWorkerSlot *slot;

/* The log knows that the extension is not here. */
static bool told_missing;

/* On the monotonic clock, as all that is waited for here: the other may step. */
static int64 notify_paused_until;	/* 0: NOTIFY is on */
static int64 disk_fault_until;	/* 0: there was none */

/* The day (of PostgreSQL's epoch) whose partition is known to be there. */
static int64 known_day = PG_INT64_MIN;

/* ---- what goes into the transaction ---- */

static void
notify(const CpwDelivery *delivery)
{
	CpwNotification notification = {
		&delivery->execution, delivery->pipeline, delivery->webhook,
		delivery->event, &delivery->id, delivery->received_at
	};

	cpw_notification_send(&notification);
}

/* Finds the webhooks; false when the extension is not one of this library. */
static bool
resolve(CpwItem **items, int count)
{
	const char **tokens = palloc(sizeof(char *) * count);
	bool		complete = true;

	for (int i = 0; i < count; i++)
	{
		tokens[i] = items[i]->token;
		complete &= cpw_webhook_cache_find(tokens[i], &items[i]->webhook);
	}
	if (!complete)
	{
		cpw_webhook_cache_load(tokens, count);
		for (int i = 0; i < count; i++)
			if (!cpw_webhook_cache_find(tokens[i], &items[i]->webhook))
				elog(ERROR, "webhook was not loaded");
	}
	return cpw_webhook_cache_mismatch() == NULL;
}

static void
identify(CpwItem *item)
{
	CpwDelivery *delivery = &item->delivery;
	const CpwWebhook *webhook = item->webhook;

	delivery->webhook_id = webhook->id;
	delivery->webhook = webhook->name;
	delivery->pipeline = webhook->pipeline;
	delivery->version = webhook->version;
	delivery->action = webhook->action;
	delivery->trigger_detail = webhook->arn;
	cpw_uuid7_generate(&delivery->execution, NULL);
}

/* A rejection is recorded while its webhook's minute has room. */
static void
admit_rejection(CpwItem *item)
{
	if (item->delivery.verdict < CPW_VERDICT_BAD_REQUEST)
		item->is_recorded = true;
	else if (!item->is_admitted)
		item->is_recorded = cpw_tally_admit_rejection(&item->webhook->id);
	item->is_admitted = true;
}

static void
keep_only(CpwDelivery *delivery)
{
	/* A duplicate's payload is the first one's. */
	if (delivery->verdict == CPW_VERDICT_DUPLICATE)
		delivery->payload = NULL;
}

/*
 * Whether NOTIFY is on. A queue that was full stays so for all who only notify,
 * even when its listeners have read on: its end moves when somebody asks for
 * its usage.
 */
static bool
may_notify(void)
{
	if (notify_paused_until == 0)
		return true;
	if (cpw_deadline_now() < notify_paused_until)
		return false;
	(void) DirectFunctionCall1(pg_notification_queue_usage, (Datum) 0);
	notify_paused_until = 0;
	return true;
}

/*
 * A delivery that was there before is a duplicate, whatever is thought of it
 * today. Most are new and trigger: to them storing their key says whether it
 * was there, so the keys of the others only are looked up.
 */
static void
judge(CpwItem **items, int count)
{
	CpwItem   **others = palloc(sizeof(CpwItem *) * count);
	CpwDelivery **deliveries = palloc(sizeof(CpwDelivery *) * count);
	int			n = 0;

	for (int i = 0; i < count; i++)
		if (items[i]->delivery.verdict == CPW_VERDICT_PENDING)
			others[n++] = items[i];
	cpw_evaluation_judge(items, count);
	count = n;
	n = 0;
	for (int i = 0; i < count; i++)
	{
		if (others[i]->delivery.verdict == CPW_VERDICT_TRIGGERED)
			continue;
		others[n] = others[i];
		deliveries[n++] = &others[i]->delivery;
	}
	cpw_deliveries_find_keys(deliveries, n);
	for (int i = 0; i < n; i++)
	{
		if (deliveries[i]->verdict != CPW_VERDICT_DUPLICATE)
			continue;
		deliveries[i]->reason = NULL;
		deliveries[i]->http_status = 0;
		others[i]->detail = NULL;
	}
}

/* Everything between BEGIN and COMMIT. */
static void
fill(CpwItem **items, int count)
{
	CpwItem   **known = palloc(sizeof(CpwItem *) * count);
	CpwDelivery **deliveries = palloc(sizeof(CpwDelivery *) * count);
	bool		serves = resolve(items, count);
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		CpwItem    *item = items[i];

		item->delivery.verdict = CPW_VERDICT_PENDING;
		item->delivery.reason = NULL;
		item->delivery.payload = NULL;
		item->delivery.http_status = 0;
		item->detail = NULL;
		if (!serves)
			item->delivery.verdict = CPW_VERDICT_UNAVAILABLE;
		else if (item->webhook == NULL)
			item->delivery.verdict = CPW_VERDICT_NOT_FOUND;
		else
		{
			identify(item);
			cpw_evaluation_describe(item);
			cpw_evaluation_authenticate(item);
			deliveries[n] = &item->delivery;
			known[n++] = item;
		}
	}
	if (n == 0)
		return;
	cpw_evaluation_read(known, n);
	judge(known, n);
	cpw_deliveries_store_keys(deliveries, n);
	cpw_deliveries_start_executions(deliveries, n);
	count = n;
	n = 0;
	for (int i = 0; i < count; i++)
	{
		if (known[i]->delivery.verdict == CPW_VERDICT_UNAVAILABLE)
			continue;
		admit_rejection(known[i]);
		keep_only(&known[i]->delivery);
		if (!known[i]->is_recorded)
			continue;
		cpw_evaluation_diagnose(known[i]);
		deliveries[n++] = &known[i]->delivery;
	}
	if (n > 0)
		cpw_deliveries_insert(deliveries, n);
	if (!may_notify())
		return;
	for (int i = 0; i < n; i++)
		if (deliveries[i]->verdict == CPW_VERDICT_TRIGGERED)
			notify(deliveries[i]);
}

/* ---- attempts ---- */

/* One line each time that the extension is found missing, not one a request. */
static bool
is_ready(CpwReadiness readiness)
{
	bool		missing = readiness == CPW_NO_EXTENSION;

	if (missing && !told_missing)
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cp_webhook answers 503: the extension is not in database \"%s\"",
						cpw_setting_database),
				 errhint("Run CREATE EXTENSION cp_webhook in this database, or set cp_webhook.database to another one and restart the server.")));
	told_missing = missing;
	return !missing;
}

static void
refuse_all(CpwItem **items, int count)
{
	for (int i = 0; i < count; i++)
	{
		items[i]->delivery.verdict = CPW_VERDICT_UNAVAILABLE;
		items[i]->detail = NULL;
	}
}

/* Of these no part of a batch would succeed: what they tell of is not its data. */
static const int refusing_states[] = {
	ERRCODE_CONNECTION_EXCEPTION,
	ERRCODE_INVALID_TRANSACTION_STATE,
	ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
	ERRCODE_INVALID_CATALOG_NAME,
	ERRCODE_INVALID_SCHEMA_NAME,
	ERRCODE_TRANSACTION_ROLLBACK,
	ERRCODE_INSUFFICIENT_PRIVILEGE,
	ERRCODE_INSUFFICIENT_RESOURCES,
	ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
	ERRCODE_OPERATOR_INTERVENTION,
	ERRCODE_SYSTEM_ERROR,
	ERRCODE_CONFIG_FILE_ERROR,
	ERRCODE_DATA_CORRUPTED,
	ERRCODE_INDEX_CORRUPTED,
};

/*
 * Whether an item's own data may have raised this. A trigger of the database's
 * owner raises what it likes for the delivery that it does not like: states of
 * its own, and of other languages.
 */
static bool
may_be_of_one(int state)
{
	for (size_t i = 0; i < lengthof(refusing_states); i++)
		if (state == refusing_states[i] ||
			ERRCODE_TO_CATEGORY(state) == refusing_states[i])
			return false;
	return true;
}

/*
 * What to do about an error; says so in the log. Where it has been repeated
 * for a passing cause already, it is taken for an item's own.
 */
static Outcome
classify(const ErrorData *error, Phase phase, int count, bool may_repeat)
{
	const char *consequence = "they are refused";
	Outcome		outcome = OUTCOME_REFUSED;
	uint64		untold;

	/* Before there is a transaction to write in, no item has its turn. */
	if (phase != PHASE_BEGIN && may_be_of_one(error->sqlerrcode))
	{
		outcome = OUTCOME_SPLIT;
		consequence = "they are tried apart";
	}
	if (may_repeat &&
		(error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		 error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE))
	{
		outcome = OUTCOME_REPEAT;
		consequence = "they are tried again";
	}

	if (error->sqlerrcode == ERRCODE_DISK_FULL ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_SYSTEM_ERROR)
		disk_fault_until = cpw_deadline_now() + DISK_FAULT_MS;

	/* The notification queue is full, or a deferred trigger raises the same. */
	if (phase == PHASE_COMMIT &&
		error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
	{
		notify_paused_until = cpw_deadline_now() + NOTIFY_PAUSE_MS;
		if (may_repeat)
		{
			outcome = OUTCOME_REPEAT;
			consequence = "they are recorded without NOTIFY";
		}
	}

	/* A partition may be gone that was here: look again. */
	if (may_repeat && error->sqlerrcode == ERRCODE_CHECK_VIOLATION &&
		known_day != PG_INT64_MIN)
	{
		known_day = PG_INT64_MIN;
		outcome = OUTCOME_REPEAT;
		consequence = "they are tried again";
	}

	/* Neither DETAIL nor CONTEXT: they may hold a row. */
	if (cpw_failure_is_told(error->sqlerrcode, consequence, &untold))
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not record a batch of %d deliveries, %s: %s",
						count, consequence, error->message),
				 cpw_failure_detail(untold)));
	cpw_counters_note_error(slot, error->message);
	return outcome;
}

/* Makes the partition of a day, in a transaction of its own. */
static void
ensure_partition(TimestampTz instant)
{
	int64		day = instant / USECS_PER_DAY;

	if (day == known_day)
		return;
	if (cpw_transaction_begin("making a partition of deliveries",
							  cpw_setting_batch_timeout,
							  CPW_AS_OWNER) == CPW_READY)
	{
		(void) cpw_partitions_make(instant);
		(void) cpw_transaction_commit();
		known_day = day;
	}
	else
		(void) cpw_transaction_commit();
}

/* cpw_transaction_commit(), timed: it waits for the disk, or a standby. */
static bool
commit(void)
{
	instr_time	start;
	instr_time	end;
	bool		certain;

	INSTR_TIME_SET_CURRENT(start);
	certain = cpw_transaction_commit();
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	cpw_counters_add(&slot->commit_microseconds, INSTR_TIME_GET_MICROSEC(end));
	cpw_counters_count_time(&slot->commit_times, INSTR_TIME_GET_MICROSEC(end));
	return certain;
}

static Outcome
attempt(CpwItem **items, int count, bool may_repeat)
{
	MemoryContext context = CurrentMemoryContext;
	volatile Phase phase = PHASE_BEGIN;
	volatile Outcome outcome = OUTCOME_DONE;

	PG_TRY();
	{
		ensure_partition(items[0]->delivery.received_at);
		ensure_partition(items[count - 1]->delivery.received_at);
		if (is_ready(cpw_transaction_begin("recording deliveries",
										   cpw_setting_batch_timeout,
										   CPW_AS_RECORDER)))
		{
			phase = PHASE_WRITE;
			fill(items, count);
		}
		else
			refuse_all(items, count);
		phase = PHASE_COMMIT;

		/* Where the outcome is not certain its retry will be a duplicate. */
		if (!commit())
			refuse_all(items, count);
		cpw_counters_wake_watcher();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		cpw_transaction_abort();
		cpw_webhook_cache_drop();
		outcome = classify(error, phase, count, may_repeat);
	}
	PG_END_TRY();
	return outcome;
}

static void
record(CpwItem **items, int count, int64 *repeat_until, bool may_repeat)
{
	Outcome		outcome = attempt(items, count, may_repeat);
	int64		now;

	if (outcome == OUTCOME_DONE)
		return;
	now = cpw_deadline_now();
	if (*repeat_until == 0)
		*repeat_until = now + REPEAT_LIMIT_MS;
	if (now < *repeat_until)
	{
		if (outcome == OUTCOME_REPEAT)
		{
			record(items, count, repeat_until, false);
			return;
		}
		if (outcome == OUTCOME_SPLIT && count > 1)
		{
			record(items, count / 2, repeat_until, may_repeat);
			record(items + count / 2, count - count / 2, repeat_until,
				   may_repeat);
			return;
		}
	}
	refuse_all(items, count);
}

void
cpw_batch_init(CpwWorkerSlot *the_slot)
{
	slot = the_slot;
}

void
cpw_batch_record(CpwItem **items, int count)
{
	int64		repeat_until = 0;

	for (int i = 0; i < count; i++)
	{
		CpwDelivery *delivery = &items[i]->delivery;

		cpw_uuid7_generate(&delivery->id, &delivery->received_at);
	}
	record(items, count, &repeat_until, true);
	cpw_evaluation_forget();
	for (int i = 0; i < count; i++)
	{
		CpwItem    *item = items[i];

		if (item->webhook == NULL ||
			item->delivery.verdict == CPW_VERDICT_UNAVAILABLE ||
			item->delivery.verdict == CPW_VERDICT_NOT_FOUND)
			continue;
		cpw_tally_add(&item->delivery);
	}
}

/* ---- smaller transactions ---- */

typedef struct Work
{
	void		(*function) (void *arg);
	void	   *arg;
	bool		has_begun;		/* not so without the extension */
} Work;

static void
begin_work(void *arg)
{
	Work	   *work = arg;

	work->has_begun = true;
	work->function(work->arg);
}

/* Runs work in a transaction of its own; false when it could not be done. */
static bool
run(const char *activity, int timeout, void (*function) (void *arg), void *arg)
{
	bool		done;
	Work		work = {function, arg, false};
	ErrorData  *error = cpw_transaction_run(activity, timeout, CPW_AS_RECORDER,
											begin_work, &work, &done);

	if (error == NULL)
		(void) is_ready(work.has_begun ? CPW_READY : CPW_NO_EXTENSION);
	else
	{
		uint64		untold;

		cpw_webhook_cache_drop();
		if (cpw_failure_is_told(error->sqlerrcode, NULL, &untold))
			ereport(LOG,
					(errcode(error->sqlerrcode),
					 errmsg("failed while %s: %s", activity, error->message),
					 cpw_failure_detail(untold)));
		cpw_counters_note_error(slot, error->message);
	}
	return done;
}

static void
check_writable(void *arg)
{
	(void) arg;
	/* Where definitions have changed, so may the version. */
	cpw_webhook_cache_load(NULL, 0);
	cpw_deliveries_check_writable();

	/* The URL of a webhook that has not arrived yet would be answered 404. */
	if (cpw_setting_ingest_only && !cpw_nodes_have_definitions())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the definitions have not arrived: no subscription has copied them yet")));
}

bool
cpw_batch_check_health(void)
{
	return run("checking health", cpw_setting_batch_timeout, check_writable, NULL) &&
		cpw_webhook_cache_mismatch() == NULL &&
		cpw_deadline_now() >= disk_fault_until;
}

typedef struct Tokens
{
	const char *const *tokens;
	int			count;
} Tokens;

static void
load(void *arg)
{
	Tokens	   *tokens = arg;

	cpw_webhook_cache_load(tokens->tokens, tokens->count);
}

bool
cpw_batch_load_webhooks(const char *const *tokens, int count)
{
	Tokens		all = {tokens, count};

	return run("loading webhooks", cpw_setting_batch_timeout, load, &all);
}

typedef struct DueCounts
{
	int			worker;
	CpwCounts  *counts;
	int			count;
} DueCounts;

static void
add_counts(void *arg)
{
	DueCounts  *due = arg;

	cpw_deliveries_add_counts(due->worker, due->counts, due->count);
}

void
cpw_batch_write_counts(int worker)
{
	DueCounts	due = {worker, NULL, 0};

	due.count = cpw_tally_take(&due.counts);
	if (due.count > 0 &&
		!run("writing counters", COUNTERS_TIMEOUT_MS, add_counts, &due))
		cpw_tally_give_back(due.counts, due.count);
}
