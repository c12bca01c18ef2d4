/*
 * claim_api.c
 *		claim_executions, complete_execution, fail_execution, extend_lease,
 *		executions_after, pipeline_channel, and the trigger that notes what
 *		becomes of executions.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/era.h"
#include "pg/errors.h"
#include "pg/front.h"
#include "pg/node.h"
#include "pg/notification.h"
#include "store/claims.h"
#include "store/positions.h"
#include "store/session.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(cp_webhook_claim_executions);
PG_FUNCTION_INFO_V1(cp_webhook_complete_execution);
PG_FUNCTION_INFO_V1(cp_webhook_fail_execution);
PG_FUNCTION_INFO_V1(cp_webhook_extend_lease);
PG_FUNCTION_INFO_V1(cp_webhook_executions_after);
PG_FUNCTION_INFO_V1(cp_webhook_pipeline_channel);
PG_FUNCTION_INFO_V1(cp_webhook_current_era);
PG_FUNCTION_INFO_V1(cp_webhook_executions_changed);

#define MAX_WORKER		255		/* characters of a worker's name */
#define MAX_CLAIMED		1000
#define MAX_READ		10000

/* ---- arguments ---- */

static char *
read_text(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL
		: text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static Interval *
read_interval(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : PG_GETARG_INTERVAL_P(number);
}

static char *
interval_text(Interval *interval)
{
	return DatumGetCString(DirectFunctionCall1(interval_out,
											   IntervalPGetDatum(interval)));
}

/*
 * The names in an array, each once; NULL, and the count -1, where it is NULL.
 * NULL elements are the names of no pipeline.
 */
static char **
read_names(FunctionCallInfo fcinfo, int number, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	int			length;
	char	  **names;

	*count = -1;
	if (PG_ARGISNULL(number))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &length);
	names = palloc(sizeof(char *) * Max(length, 1));
	*count = 0;
	for (int i = 0; i < length; i++)
	{
		char	   *name = nulls[i] ? NULL : TextDatumGetCString(elements[i]);

		for (int j = 0; name != NULL && j < *count; j++)
			if (strcmp(names[j], name) == 0)
				name = NULL;
		if (name != NULL)
			names[(*count)++] = name;
	}
	return names;
}

static void
check_present(CpwProblems *problems, FunctionCallInfo fcinfo, int number,
			  const char *name)
{
	if (PG_ARGISNULL(number))
		cpw_errors_add_violation(problems, name, NULL,
								 "Member must not be null");
}

static void
check_range(CpwProblems *problems, int value, int max, const char *name)
{
	if (value < 1)
		cpw_errors_add_violation(problems, name, psprintf("%d", value),
								 "Member must have value greater than or equal to 1");
	if (value > max)
		cpw_errors_add_violation(problems, name, psprintf("%d", value),
								 "Member must have value less than or equal to %d", max);
}

/* A length of time that has to be positive, or may be nothing. */
static void
check_interval(CpwProblems *problems, Interval *interval, bool may_be_zero,
			   const char *name)
{
	Interval	zero = {0};
	int			order;

	if (interval == NULL)
		return;
	order = DatumGetInt32(DirectFunctionCall2(interval_cmp,
											  IntervalPGetDatum(interval),
											  IntervalPGetDatum(&zero)));
	if (order < 0 || (order == 0 && !may_be_zero))
		cpw_errors_add_violation(problems, name, interval_text(interval),
								 may_be_zero ? "Member must not be negative"
								 : "Member must be positive");
}

/*
 * With one snapshot for a whole transaction nobody sees what another claim has
 * leased meanwhile.
 */
static void
check_isolation(CpwProblems *problems)
{
	if (IsolationUsesXactSnapshot())
		cpw_errors_add_violation(problems, "transaction_isolation",
								 GetConfigOption("transaction_isolation", false, false),
								 "Member must satisfy enum value set: [read committed]");
}

/* ---- claims ---- */

static void
read_claim(FunctionCallInfo fcinfo, CpwClaim *claim)
{
	CpwProblems problems = {0};

	check_isolation(&problems);
	check_present(&problems, fcinfo, 0, "worker");
	check_present(&problems, fcinfo, 2, "max_batch");
	check_present(&problems, fcinfo, 3, "lease");
	claim->worker = read_text(fcinfo, 0);
	if (claim->worker != NULL && *claim->worker == '\0')
		cpw_errors_add_violation(&problems, "worker", "",
								 "Member must have length greater than or equal to 1");
	if (claim->worker != NULL &&
		pg_mbstrlen(claim->worker) > MAX_WORKER)
		cpw_errors_add_violation(&problems, "worker", claim->worker,
								 "Member must have length less than or equal to %d", MAX_WORKER);
	claim->pipelines = read_names(fcinfo, 1, &claim->pipeline_count);
	if (!PG_ARGISNULL(2))
	{
		claim->max = PG_GETARG_INT32(2);
		check_range(&problems, claim->max, MAX_CLAIMED, "max_batch");
	}
	claim->lease = read_interval(fcinfo, 3);
	check_interval(&problems, claim->lease, false, "lease");
	cpw_errors_raise_all(&problems);
}

/*
 * claim_executions(worker, pipelines, max_batch, lease) returns the oldest
 * executions that wait, leased to the worker. Raises ValidationException, also
 * in a transaction that is not READ COMMITTED.
 */
Datum
cp_webhook_claim_executions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CpwClaim	claim = {0};

	read_claim(fcinfo, &claim);
	PreventCommandIfReadOnly("claim_executions()");
	cpw_node_check_claims("claim_executions");
	InitMaterializedSRF(fcinfo, 0);
	cpw_session_open();
	cpw_claims_take(&claim, result->setResult, result->setDesc);
	cpw_session_close();
	return (Datum) 0;
}

/* What the ends of a claim begin with: which one it is. */
static void
check_claim(CpwProblems *problems, FunctionCallInfo fcinfo)
{
	check_present(problems, fcinfo, 0, "id");
	check_present(problems, fcinfo, 1, "nonce");
}

_Noreturn static void
raise_lost(const pg_uuid_t *id)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(uuid_out,
														   UUIDPGetDatum(id)));

	cpw_errors_raise(CPW_LEASE_LOST,
					 psprintf("At 'nonce': of execution '%s', %s.", text,
							  cpw_claims_describe(id)),
					 "Undo what was not meant to be done twice, and claim again; a longer lease, or extend_lease() in time, keeps a claim.",
					 "the claim of execution '%s' has ended", text);
}

/* complete_execution(id, nonce, result). Raises LeaseLostException. */
Datum
cp_webhook_complete_execution(PG_FUNCTION_ARGS)
{
	CpwProblems problems = {0};
	pg_uuid_t  *id;

	check_claim(&problems, fcinfo);
	cpw_errors_raise_all(&problems);
	id = PG_GETARG_UUID_P(0);
	cpw_session_open();
	if (!cpw_claims_complete(id, read_text(fcinfo, 1),
							 PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2)))
		raise_lost(id);
	cpw_session_close();
	PG_RETURN_VOID();
}

/* fail_execution(id, nonce, reason, retry_in). Raises LeaseLostException. */
Datum
cp_webhook_fail_execution(PG_FUNCTION_ARGS)
{
	CpwProblems problems = {0};
	Interval   *retry_in = read_interval(fcinfo, 3);
	pg_uuid_t  *id;

	check_claim(&problems, fcinfo);
	check_interval(&problems, retry_in, true, "retry_in");
	cpw_errors_raise_all(&problems);
	id = PG_GETARG_UUID_P(0);
	cpw_session_open();
	if (!cpw_claims_fail(id, read_text(fcinfo, 1), read_text(fcinfo, 2),
						 retry_in))
		raise_lost(id);
	cpw_session_close();
	PG_RETURN_VOID();
}

/* extend_lease(id, nonce, lease) returns its end. Raises LeaseLostException. */
Datum
cp_webhook_extend_lease(PG_FUNCTION_ARGS)
{
	CpwProblems problems = {0};
	Interval   *lease = read_interval(fcinfo, 2);
	pg_uuid_t  *id;
	TimestampTz until;

	check_claim(&problems, fcinfo);
	check_present(&problems, fcinfo, 2, "lease");
	check_interval(&problems, lease, false, "lease");
	cpw_errors_raise_all(&problems);
	id = PG_GETARG_UUID_P(0);
	cpw_session_open();
	if (!cpw_claims_extend(id, read_text(fcinfo, 1), lease, &until))
		raise_lost(id);
	cpw_session_close();
	PG_RETURN_TIMESTAMPTZ(until);
}

/* ---- positions and channels ---- */

/*
 * executions_after(position, pipelines, max) returns what has become visible
 * since. Raises ValidationException.
 */
Datum
cp_webhook_executions_after(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CpwProblems problems = {0};
	char	   *position = read_text(fcinfo, 0);
	int			count;
	char	  **pipelines = read_names(fcinfo, 1, &count);
	int			max = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);

	if (position != NULL && *position == '\0')
		position = NULL;
	if (position != NULL && !cpw_positions_is_valid(position))
		cpw_errors_add_violation(&problems, "position", position,
								 "Member must be a position that executions_after() has given out");
	check_present(&problems, fcinfo, 2, "max");
	if (!PG_ARGISNULL(2))
		check_range(&problems, max, MAX_READ, "max");
	cpw_errors_raise_all(&problems);
	InitMaterializedSRF(fcinfo, 0);
	cpw_session_open();
	cpw_positions_after(position, pipelines, count, max, result->setResult,
						result->setDesc);
	cpw_session_close();
	return (Datum) 0;
}

/* pipeline_channel(name) returns the channel that a pipeline has of its own. */
Datum
cp_webhook_pipeline_channel(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(cpw_notification_channel(read_text(fcinfo, 0))));
}

/* current_era() returns what executions are stamped with now. */
Datum
cp_webhook_current_era(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_INT64(cpw_era_current());
}

/* ---- the trigger ---- */

/* The columns that it looks at. */
enum
{
	COLUMN_ID,
	COLUMN_PIPELINE,
	COLUMN_STATUS,
	COLUMN_LEASE_UNTIL,
	COLUMN_RETRY_AT,
	COLUMN_ERA,
	COLUMNS
};

static const char *const column_names[COLUMNS] = {
	"id", "pipeline", "status", "lease_until", "retry_at", "era"
};

/* Their numbers, which never change in a table. */
static const int *
find_columns(Relation relation)
{
	static Oid	known = InvalidOid;
	static int	numbers[COLUMNS];

	if (known == RelationGetRelid(relation))
		return numbers;
	known = InvalidOid;
	for (int i = 0; i < COLUMNS; i++)
	{
		numbers[i] = get_attnum(RelationGetRelid(relation), column_names[i]);
		if (numbers[i] == InvalidAttrNumber)
			elog(ERROR, "executions has no column %s", column_names[i]);
	}
	known = RelationGetRelid(relation);
	return numbers;
}

static void
note_change(Relation relation, HeapTuple tuple, const int *numbers)
{
	Oid			table = RelationGetRelid(relation);
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	char	   *pipeline;

	for (int i = 0; i < COLUMNS; i++)
		values[i] = heap_getattr(tuple, numbers[i], RelationGetDescr(relation),
								 &nulls[i]);
	if (nulls[COLUMN_ID] || nulls[COLUMN_PIPELINE] || nulls[COLUMN_STATUS])
		return;
	if (nulls[COLUMN_LEASE_UNTIL] &&
		strcmp(TextDatumGetCString(values[COLUMN_STATUS]), "InProgress") != 0)
		return;
	pipeline = TextDatumGetCString(values[COLUMN_PIPELINE]);
	if (!nulls[COLUMN_LEASE_UNTIL])
		cpw_front_note_lease(table, pipeline,
							 DatumGetTimestampTz(values[COLUMN_LEASE_UNTIL]));
	else if (!nulls[COLUMN_RETRY_AT])
		cpw_front_note_retry(table, pipeline,
							 DatumGetTimestampTz(values[COLUMN_RETRY_AT]));
	else
		cpw_front_note_waiting(table, pipeline,
							   DatumGetUUIDP(values[COLUMN_ID]));
}

/*
 * executions_changed(): notes what a transaction makes wait, leases or puts
 * off, and stamps what has no era with the current one.
 */
Datum
cp_webhook_executions_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	tuple;
	const int  *numbers;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("executions_changed() was not called as a trigger before a row")));
	cpw_front_note_change();
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);
	numbers = find_columns(trigger->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)
		? trigger->tg_newtuple : trigger->tg_trigtuple;
	note_change(trigger->tg_relation, tuple, numbers);
	if (heap_attisnull(tuple, numbers[COLUMN_ERA],
					   RelationGetDescr(trigger->tg_relation)))
	{
		Datum		era = Int64GetDatum(cpw_era_current());
		bool		is_null = false;

		tuple = heap_modify_tuple_by_cols(tuple,
										  RelationGetDescr(trigger->tg_relation),
										  1, unconstify(int *, &numbers[COLUMN_ERA]),
										  &era, &is_null);
	}
	return PointerGetDatum(tuple);
}
