/*
 * node_api.c
 *		publish_definitions(), publish_events(), make_partitions(), and the
 *		trigger for executions that arrive from other nodes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/errors.h"
#include "pg/notification.h"
#include "replication/logicalworker.h"
#include "store/nodes.h"
#include "store/partitions.h"
#include "store/session.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(cp_webhook_publish_definitions);
PG_FUNCTION_INFO_V1(cp_webhook_publish_events);
PG_FUNCTION_INFO_V1(cp_webhook_make_partitions);
PG_FUNCTION_INFO_V1(cp_webhook_execution_arrived);

/* Days for which make_partitions() makes partitions at most. */
#define MAX_DAYS		4000

/*
 * Notifications of one transaction are kept in memory until it ends; the first
 * copy of a subscription is one transaction, however much it copies.
 */
#define MAX_NOTIFIED	10000

/*
 * A transaction that finds no room in the server's notification queue fails.
 * Ours would be repeated for ever, and everything behind it would wait: so
 * nothing is notified while the queue is this full.
 */
#define FULL_QUEUE		0.5

/* ---- what a node sends ---- */

static Datum
publish(FunctionCallInfo fcinfo, CpwPublished what)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	cpw_session_open();
	cpw_nodes_publish(what, result->setResult, result->setDesc);
	cpw_session_close();
	return (Datum) 0;
}

/* publish_definitions() returns what the publication has. */
Datum
cp_webhook_publish_definitions(PG_FUNCTION_ARGS)
{
	return publish(fcinfo, CPW_PUBLISHED_DEFINITIONS);
}

/* publish_events() returns what the publication has. */
Datum
cp_webhook_publish_events(PG_FUNCTION_ARGS)
{
	return publish(fcinfo, CPW_PUBLISHED_EVENTS);
}

/*
 * make_partitions(since) returns how many partitions of deliveries it has
 * made. Raises ValidationException.
 */
Datum
cp_webhook_make_partitions(PG_FUNCTION_ARGS)
{
	TimestampTz since = PG_GETARG_TIMESTAMPTZ(0);
	TimestampTz now = GetCurrentTimestamp();
	CpwProblems problems = {0};
	int32		made = 0;

	if (TIMESTAMP_NOT_FINITE(since) || since > now ||
		since < now - MAX_DAYS * USECS_PER_DAY)
		cpw_errors_add_violation(&problems, "since", timestamptz_to_str(since),
								 "Member must be an instant of the last %d days",
								 MAX_DAYS);
	cpw_errors_raise_all(&problems);
	PreventCommandIfReadOnly("make_partitions()");
	cpw_session_open();
	for (TimestampTz day = since; day < now + USECS_PER_DAY;
		 day += USECS_PER_DAY)
	{
		CHECK_FOR_INTERRUPTS();
		made += cpw_partitions_make(Min(day, now));
	}
	cpw_session_close();
	PG_RETURN_INT32(made);
}

/* ---- what has arrived ---- */

/* Whether this transaction may notify once more. */
static bool
may_notify(void)
{
	static TransactionId transaction = InvalidTransactionId;
	static int	left;

	if (transaction != GetTopTransactionId())
	{
		transaction = GetTopTransactionId();
		left = MAX_NOTIFIED;
		if (DatumGetFloat8(OidFunctionCall0(F_PG_NOTIFICATION_QUEUE_USAGE)) > FULL_QUEUE)
			left = 0;
	}
	return left > 0 && left-- > 0;
}

static void
notify(const CpwArrival *arrival)
{
	CpwNotification notification = {
		.execution = &arrival->execution,
		.pipeline = arrival->pipeline
	};

	if (!may_notify())
		return;
	if (arrival->has_delivery)
	{
		notification.webhook = arrival->webhook;
		notification.event = arrival->event;
		notification.delivery = &arrival->delivery;
		notification.received_at = arrival->received_at;
	}
	cpw_notification_send(&notification);
}

/*
 * execution_arrived(): of an execution that logical replication has brought,
 * when all of its transaction is there. The first one of a delivery that two
 * nodes have taken keeps it; it is notified as if it had begun here.
 */
Datum
cp_webhook_execution_arrived(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	CpwArrival	arrival;
	pg_uuid_t	id;
	pg_uuid_t	first;
	bool		is_null;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("execution_arrived() was not called as a trigger after a row")));

	/* A restore may be a replica as well: it brings its own keys. */
	if (!IsLogicalWorker())
		return PointerGetDatum(NULL);
	id = *DatumGetUUIDP(heap_getattr(trigger->tg_trigtuple,
									 get_attnum(RelationGetRelid(trigger->tg_relation), "id"),
									 RelationGetDescr(trigger->tg_relation),
									 &is_null));
	cpw_session_open();
	if (cpw_nodes_find_arrival(&id, &arrival) && arrival.is_waiting)
	{
		if (arrival.key != NULL && !cpw_nodes_keep_key(&arrival, &first))
			cpw_nodes_supersede(&id, &first);
		else
			notify(&arrival);
	}
	cpw_session_close();
	return PointerGetDatum(NULL);
}
