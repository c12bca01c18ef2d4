/*
 * redeliver_api.c
 *		redeliver(): recorded deliveries evaluated again, as if they came now.
 *
 * By today's definition of the webhook of that name. Who may call it is asked
 * neither for a signature nor for an address; what is judged is the payload
 * that was recorded. What comes of it is recorded as a delivery of its own and
 * starts an execution like any other, but takes no part in deduplication: a
 * key would be locked until the caller's transaction ends, and a receiver that
 * meets the same id would wait for that.
 */
#include "postgres.h"

#include "api/dry_run.h"
#include "base/verdict.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/address.h"
#include "pg/errors.h"
#include "pg/notification.h"
#include "pg/uuid7.h"
#include "store/deliveries.h"
#include "store/recorded.h"
#include "store/routes.h"
#include "store/session.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(cp_webhook_redeliver);
PG_FUNCTION_INFO_V1(cp_webhook_redeliver_range);

#define RANGE_COLUMNS	4

/*
 * The server keeps a notification in memory until the transaction ends: those
 * behind so many start their executions without.
 */
#define MAX_NOTIFIED	10000

/* The worker, so to say, whose counters are of no receiver. */
#define NO_RECEIVER		(-1)

/* What one call does. */
typedef struct Redelivery
{
	CpwWebhook *webhook;
	CpwCounts	counts;
	int64		notified;

	/* The last one. */
	pg_uuid_t	id;
	const char *outcome;
	const char *reason;
} Redelivery;

/* ---- one delivery ---- */

static CpwWebhook *
find_webhook(const char *name, const char *place)
{
	CpwRoute   *route = cpw_routes_find_by_name(name);

	if (route == NULL)
		cpw_errors_raise(CPW_WEBHOOK_NOT_FOUND, psprintf("At '%s'.", place),
						 "Put a webhook of that name: the delivery is evaluated by it.",
						 "webhook not found: '%s'", name);
	return cpw_dry_run_compile(route);
}

static inet *
read_address(const char *text)
{
	struct sockaddr_storage socket = {0};

	if (text == NULL || !cpw_address_parse(text, &socket))
		return NULL;
	return cpw_address_from_socket(&socket);
}

static void
count(CpwCounts *counts, const CpwDelivery *delivery)
{
	counts->webhook_id = delivery->webhook_id;
	if (delivery->verdict == CPW_VERDICT_TRIGGERED)
	{
		counts->triggered++;
		counts->last_triggered = delivery->received_at;
	}
	else if (delivery->verdict == CPW_VERDICT_IGNORED)
		counts->ignored++;
	else if (delivery->verdict == CPW_VERDICT_PONG)
		counts->pong++;
	else
		counts->rejected++;
}

static void
notify(const CpwDelivery *delivery)
{
	CpwNotification notification = {
		.execution = &delivery->execution,
		.pipeline = delivery->pipeline,
		.webhook = delivery->webhook,
		.event = delivery->event,
		.delivery = &delivery->id,
		.received_at = delivery->received_at
	};

	cpw_notification_send(&notification);
}

/* Records what was judged as a delivery of now. */
static void
record(Redelivery *redelivery, const CpwDryRun *run, const pg_uuid_t *original)
{
	const CpwWebhook *webhook = run->webhook;
	CpwDelivery delivery = {
		.webhook_id = webhook->id,
		.webhook = webhook->name,
		.provider_delivery_id = run->recorded->provider_delivery_id,
		.event = run->recorded->event,
		.source_address = read_address(run->recorded->source_address),
		.peer_address = read_address(run->recorded->peer_address),
		.verdict = run->verdict,
		.reason = run->reason,
		.headers = run->headers,
		.payload = run->payload,
		.redelivery_of = original,
		.pipeline = webhook->pipeline,
		.version = webhook->version,
		.action = webhook->action,
		.trigger_detail = webhook->arn
	};
	CpwDelivery *deliveries[] = {&delivery};

	cpw_uuid7_generate(&delivery.id, &delivery.received_at);
	cpw_uuid7_generate(&delivery.execution, NULL);
	cpw_deliveries_start_executions(deliveries, 1);
	cpw_deliveries_insert(deliveries, 1);
	count(&redelivery->counts, &delivery);
	if (delivery.verdict == CPW_VERDICT_TRIGGERED &&
		redelivery->notified++ < MAX_NOTIFIED)
		notify(&delivery);
	redelivery->id = delivery.id;
	redelivery->outcome = cpw_dry_run_outcome(delivery.verdict);
	redelivery->reason = delivery.reason;
}

/* Judges a recorded delivery that has a payload, and records the result. */
static void
redeliver(Redelivery *redelivery, const pg_uuid_t *original,
		  const CpwRecorded *recorded)
{
	CpwDryRun  *run = palloc0(sizeof(CpwDryRun));

	run->webhook = redelivery->webhook;
	cpw_dry_run_recall(run, recorded, NULL);
	run->post.skipped = CPW_STEP_LIMITS | CPW_STEP_ADDRESS |
		CPW_STEP_MEDIA_TYPE | CPW_STEP_SIGNATURE_FORM | CPW_STEP_SIGNATURE;
	cpw_dry_run_judge(run);
	if (cpw_verdict_meaning(run->verdict)->outcome == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("delivery %s cannot be evaluated now: %s",
						cpw_uuid7_text(original), run->reason)));
	record(redelivery, run, original);
}

static void
write_counts(const Redelivery *redelivery)
{
	cpw_deliveries_add_counts(NO_RECEIVER, &redelivery->counts, 1);
}

/* No payload was kept: says why, and what to do. */
static void
refuse(const char *id, const CpwRecorded *recorded)
{
	bool		is_duplicate = strcmp(recorded->outcome, "duplicate") == 0;

	cpw_errors_raise(CPW_VALIDATION, "At 'delivery'.",
					 is_duplicate ?
					 "Redeliver the delivery that it repeats: the one of the same webhook and provider_delivery_id that triggered." :
					 "Mend what its reason says, and let the sender send it again.",
					 "delivery '%s' can't be redelivered: it was %s, and no payload of such a one is kept",
					 id, recorded->outcome);
}

/*
 * redeliver(delivery uuid) returns the new delivery's id. Raises
 * ResourceNotFoundException, WebhookNotFoundException, ValidationException.
 */
Datum
cp_webhook_redeliver(PG_FUNCTION_ARGS)
{
	Redelivery	redelivery = {0};
	CpwProblems problems = {0};
	CpwRecorded recorded = {0};
	pg_uuid_t	original;
	pg_uuid_t  *result;
	char	   *text;

	if (PG_ARGISNULL(0))
		cpw_errors_add_violation(&problems, "delivery", NULL,
								 "Member must not be null");
	cpw_errors_raise_all(&problems);
	original = *PG_GETARG_UUID_P(0);
	text = cpw_uuid7_text(&original);
	cpw_session_open();
	if (!cpw_recorded_find(&original, &recorded))
		cpw_errors_raise(CPW_RESOURCE_NOT_FOUND, "At 'delivery'.",
						 "Take an id of cp_webhook.deliveries; what a sender calls its delivery is provider_delivery_id there.",
						 "delivery not found: '%s'", text);
	if (recorded.payload == NULL)
		refuse(text, &recorded);
	redelivery.webhook = find_webhook(recorded.webhook, "delivery");
	redeliver(&redelivery, &original, &recorded);
	write_counts(&redelivery);
	cpw_session_close();
	result = palloc(sizeof(pg_uuid_t));
	*result = redelivery.id;
	PG_RETURN_UUID_P(result);
}

/* ---- a webhook's deliveries of some time ---- */

typedef struct RangeArguments
{
	char	   *webhook;
	TimestampTz since;
	TimestampTz until;
	char	   *outcome;		/* NULL: any */
} RangeArguments;

static RangeArguments
read_arguments(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"webhook", "since", "until"};
	CpwProblems problems = {0};
	RangeArguments arguments = {0};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (PG_ARGISNULL(i))
			cpw_errors_add_violation(&problems, names[i], NULL,
									 "Member must not be null");
	if (!PG_ARGISNULL(3))
	{
		arguments.outcome = text_to_cstring(PG_GETARG_TEXT_PP(3));
		if (strcmp(arguments.outcome, "triggered") != 0 &&
			strcmp(arguments.outcome, "ignored") != 0 &&
			strcmp(arguments.outcome, "pong") != 0)
			cpw_errors_add_violation(&problems, "outcome", arguments.outcome,
									 "Member must satisfy enum value set: [triggered, ignored, pong]; of others no payload is kept");
	}
	cpw_errors_raise_all(&problems);
	arguments.webhook = text_to_cstring(PG_GETARG_TEXT_PP(0));
	arguments.since = PG_GETARG_TIMESTAMPTZ(1);
	arguments.until = PG_GETARG_TIMESTAMPTZ(2);
	if (arguments.since > arguments.until)
		cpw_errors_add_violation(&problems, "since",
								 timestamptz_to_str(arguments.since),
								 "Member must not be later than 'until'");
	cpw_errors_raise_all(&problems);
	return arguments;
}

static void
put_row(ReturnSetInfo *result, const Redelivery *redelivery,
		const pg_uuid_t *original)
{
	Datum		values[RANGE_COLUMNS];
	bool		nulls[RANGE_COLUMNS] = {false};

	values[0] = UUIDPGetDatum(original);
	values[1] = UUIDPGetDatum(&redelivery->id);
	values[2] = CStringGetTextDatum(redelivery->outcome);
	nulls[3] = redelivery->reason == NULL;
	values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(redelivery->reason);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * redeliver(webhook, since, until, outcome) redelivers those that have a
 * payload and repeat no other, from the oldest on, and returns a row each.
 * Raises WebhookNotFoundException, ValidationException.
 */
Datum
cp_webhook_redeliver_range(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RangeArguments arguments = read_arguments(fcinfo);
	Redelivery	redelivery = {0};
	CpwRecordedRange range;
	CpwRecordedWalk walk;
	MemoryContext caller;
	MemoryContext one;
	pg_uuid_t	original;
	int64		rows = 0;

	InitMaterializedSRF(fcinfo, 0);
	cpw_session_open();
	caller = CurrentMemoryContext;
	one = AllocSetContextCreate(caller, "cp_webhook delivery",
								ALLOCSET_DEFAULT_SIZES);
	redelivery.webhook = find_webhook(arguments.webhook, "webhook");
	range.webhook_id = &redelivery.webhook->id;
	range.since = arguments.since;
	range.until = arguments.until;
	range.outcome = arguments.outcome;
	cpw_recorded_begin_range(&walk, &range);
	while (cpw_recorded_next(&walk, &original))
	{
		CpwRecorded recorded = {0};

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(one);
		if (cpw_recorded_find(&original, &recorded) &&
			recorded.payload != NULL)
		{
			redeliver(&redelivery, &original, &recorded);
			put_row(result, &redelivery, &original);
			rows++;
		}
		MemoryContextSwitchTo(caller);
		MemoryContextReset(one);
	}
	if (rows > 0)
		write_counts(&redelivery);
	cpw_session_close();
	return (Datum) 0;
}
