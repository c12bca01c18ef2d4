/*
 * claims.c
 *		Claims: executions leased to a worker, and how a claim ends.
 *
 * A claim locks rows and skips those that others have locked, so that no two
 * get the same and none waits. In a pipeline that runs one at a time a lock of
 * the pipeline comes first; whoever does not get it leaves the pipeline alone.
 * With the lock, and a snapshot taken after it, what the one before has leased
 * is seen.
 *
 * A nonce belongs to one claim. It is gone from the row when the claim ends.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/settings.h"
#include "store/arguments.h"
#include "store/claims.h"
#include "store/queues.h"
#include "utils/resowner.h"

/* What is being claimed. */
typedef struct Taken
{
	pg_uuid_t  *ids;			/* locked */
	int			count;
	int			max;
} Taken;

/* ---- locks ---- */

static CpwStatement lock_range = {
	.sql = "SELECT id FROM cp_webhook.executions WHERE pipeline = $1"
	" AND " CPW_WAITING " AND id >= $2 AND id <= $3"
	" ORDER BY id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED",
	.expected = SPI_OK_SELECT,
	.parameters = 4,
	.types = {TEXTOID, UUIDOID, UUIDOID, INT4OID},
};

static CpwStatement lock_one = {
	.sql = "SELECT id FROM cp_webhook.executions WHERE pipeline = $1"
	" AND id = $2 AND " CPW_WAITING " FOR NO KEY UPDATE SKIP LOCKED",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, UUIDOID},
};

static CpwStatement lock_pipeline = {
	.sql = "SELECT pg_catalog.pg_try_advisory_xact_lock("
	"pg_catalog.hashtextextended('cp_webhook.pipeline ' || $1, 0))",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

/* Takes the rows of the last statement; returns how many. */
static int
take_rows(Taken *taken, uint64 rows)
{
	for (uint64 row = 0; row < rows; row++)
		taken->ids[taken->count++] = cpw_statement_get_uuid(row, 1);
	return (int) rows;
}

/* ---- any number at once ---- */

/* Takes one execution, if it waits and nobody has it locked. */
static bool
take_one(const char *pipeline, const pg_uuid_t *id, Taken *taken)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, pipeline);
	cpw_arguments_add_uuid(&arguments, id);
	return take_rows(taken, cpw_arguments_execute(&lock_one, &arguments)) > 0;
}

/* Takes of those that are held, and tries none of them again. */
static void
take_held(CpwQueue *queue, const pg_uuid_t *last, Taken *taken)
{
	CpwFront   *front = &queue->front;
	int			tried = 0;

	while (tried < front->held_count && taken->count < taken->max &&
		   cpw_bounds_compare(&front->held[tried], last) <= 0)
		(void) take_one(front->pipeline, &front->held[tried++], taken);
	front->held_count -= tried;
	memmove(front->held, front->held + tried,
			sizeof(pg_uuid_t) * front->held_count);
}

/* Takes the oldest of a queue, up to and including last. */
static void
take_parallel(CpwQueue *queue, const pg_uuid_t *last, Taken *taken)
{
	CpwFront   *front = &queue->front;
	CpwArguments arguments = {0};
	int			wanted;
	int			found;

	take_held(queue, last, taken);
	wanted = taken->max - taken->count;
	if (wanted == 0 || cpw_bounds_compare(&front->waiting, last) > 0)
	{
		queue->head = front->held_count > 0 ? front->held[0] : front->waiting;
		return;
	}
	cpw_arguments_add_text(&arguments, front->pipeline);
	cpw_arguments_add_uuid(&arguments, &front->waiting);
	cpw_arguments_add_uuid(&arguments, last);
	cpw_arguments_add_int(&arguments, wanted);
	found = take_rows(taken, cpw_arguments_execute(&lock_range, &arguments));
	if (found > 0)
	{
		const pg_uuid_t *first = &taken->ids[taken->count - found];

		if (cpw_bounds_compare(first, &front->waiting) != 0)
			cpw_queues_pass_over(queue, first);
	}
	front->waiting = *last;
	if (!cpw_bounds_is_last(last))
	{
		cpw_bounds_increment(&front->waiting);
		cpw_queues_find_next(queue);
	}
	queue->head = front->held_count > 0 ? front->held[0] : front->waiting;
}

/* ---- one at a time ---- */

/* Of those that wait, whether or not their retry is due. */
static CpwStatement find_oldest = {
	.sql = "SELECT id, is_due FROM"
	" ((SELECT id, true FROM cp_webhook.executions WHERE pipeline = $1"
	"   AND " CPW_WAITING " AND id >= $2 ORDER BY id LIMIT 1)"
	"  UNION ALL SELECT id, false FROM cp_webhook.executions"
	"   WHERE pipeline = $1 AND " CPW_RETRYING " AND retry_at >= $3)"
	" w (id, is_due) ORDER BY id LIMIT 1",
	.expected = SPI_OK_SELECT,
	.parameters = 3,
	.types = {TEXTOID, UUIDOID, TIMESTAMPTZOID},
};

static CpwStatement find_newest = {
	.sql = "SELECT id, is_due FROM"
	" ((SELECT id, true FROM cp_webhook.executions WHERE pipeline = $1"
	"   AND " CPW_WAITING " AND id >= $2 ORDER BY id DESC LIMIT 1)"
	"  UNION ALL SELECT id, false FROM cp_webhook.executions"
	"   WHERE pipeline = $1 AND " CPW_RETRYING " AND retry_at >= $3)"
	" w (id, is_due) ORDER BY id DESC LIMIT 1",
	.expected = SPI_OK_SELECT,
	.parameters = 3,
	.types = {TEXTOID, UUIDOID, TIMESTAMPTZOID},
};

#define OLDER(condition) \
	"SELECT id FROM cp_webhook.executions WHERE pipeline = $1" \
	" AND " condition " AND id < $3 FOR NO KEY UPDATE SKIP LOCKED"

static CpwStatement lock_older = {
	.sql = OLDER(CPW_WAITING " AND id >= $2"),
	.expected = SPI_OK_SELECT,
	.parameters = 3,
	.types = {TEXTOID, UUIDOID, UUIDOID},
};

static CpwStatement lock_older_retries = {
	.sql = OLDER(CPW_RETRYING " AND retry_at >= $2"),
	.expected = SPI_OK_SELECT,
	.parameters = 3,
	.types = {TEXTOID, TIMESTAMPTZOID, UUIDOID},
};

static CpwStatement supersede_executions = {
	.sql = "UPDATE cp_webhook.executions SET status = 'Superseded',"
	" reason = 'superseded by execution ' || $2, retry_at = NULL,"
	" ended_at = pg_catalog.clock_timestamp(),"
	" updated_at = pg_catalog.clock_timestamp() WHERE id = ANY ($1)",
	.expected = SPI_OK_UPDATE,
	.parameters = 2,
	.types = {UUIDARRAYOID, UUIDOID},
};

/* The turn of a pipeline that runs one at a time. */
typedef struct Turn
{
	CpwQueue   *queue;
	pg_uuid_t	id;				/* whose turn it is */
} Turn;

/* Whether it is anybody's turn, in the snapshot that is pinned. */
static bool
look_for_turn(Turn *turn)
{
	CpwQueue   *queue = turn->queue;
	CpwStatement *statement = queue->mode == CPW_MODE_QUEUED ? &find_oldest
		: &find_newest;
	CpwArguments arguments = {0};

	if (queue->mode == CPW_MODE_PARALLEL || cpw_queues_is_running(queue))
		return false;
	cpw_arguments_add_text(&arguments, queue->front.pipeline);
	cpw_arguments_add_uuid(&arguments, &queue->head);
	cpw_arguments_add_timestamp(&arguments, queue->front.retrying);
	if (cpw_arguments_execute(statement, &arguments) == 0 ||
		!cpw_statement_get_bool(0, 2))
		return false;
	turn->id = cpw_statement_get_uuid(0, 1);
	return true;
}

/* The same with the pipeline's lock; false where another one has that. */
static bool
find_turn(Turn *turn)
{
	CpwArguments lock = {0};
	bool		found;

	cpw_arguments_add_text(&lock, turn->queue->front.pipeline);
	cpw_arguments_execute(&lock_pipeline, &lock);
	if (!cpw_statement_get_bool(0, 1))
		return false;
	cpw_queues_pin(turn->queue);
	found = look_for_turn(turn);
	cpw_statement_unpin_snapshot();
	return found;
}

/*
 * find_turn() in a subtransaction, so that the lock of a pipeline in which
 * there is nothing to do is given back at once, not when the transaction ends.
 */
static bool
take_turn(Turn *turn)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool found = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		found = find_turn(turn);
		if (found)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		cpw_statement_forget_snapshot();
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return found;
}

/* Ends those that the last statement has locked. */
static void
supersede_rows(const Turn *turn, uint64 rows)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(rows, 1));
	CpwArguments arguments = {0};

	if (rows == 0)
		return;
	for (uint64 row = 0; row < rows; row++)
		ids[row] = cpw_statement_get_uuid(row, 1);
	cpw_arguments_add_uuids(&arguments, ids, (int) rows);
	cpw_arguments_add_uuid(&arguments, &turn->id);
	cpw_arguments_execute(&supersede_executions, &arguments);
}

/* Ends all that wait and are older than the one whose turn it is. */
static void
supersede(const Turn *turn)
{
	const CpwFront *front = &turn->queue->front;
	CpwArguments waiting = {0};
	CpwArguments retrying = {0};

	if (cpw_bounds_compare(&turn->queue->head, &turn->id) < 0)
	{
		cpw_arguments_add_text(&waiting, front->pipeline);
		cpw_arguments_add_uuid(&waiting, &turn->queue->head);
		cpw_arguments_add_uuid(&waiting, &turn->id);
		supersede_rows(turn, cpw_arguments_execute(&lock_older, &waiting));
	}
	if (front->retrying == CPW_FRONT_NEVER)
		return;
	cpw_arguments_add_text(&retrying, front->pipeline);
	cpw_arguments_add_timestamp(&retrying, front->retrying);
	cpw_arguments_add_uuid(&retrying, &turn->id);
	supersede_rows(turn, cpw_arguments_execute(&lock_older_retries, &retrying));
}

static void
take_serial(CpwQueue *queue, Taken *taken)
{
	Turn		turn = {.queue = queue};

	queue->generation = cpw_front_generation();

	/*
	 * Before the lock as well: most find that there is nothing to do. One that
	 * is just being stopped is not overtaken by the next.
	 */
	if (!cpw_queues_is_running(queue) && take_turn(&turn) &&
		take_one(queue->front.pipeline, &turn.id, taken) &&
		queue->mode == CPW_MODE_SUPERSEDED)
		supersede(&turn);
	cpw_bounds_set_last(&queue->head);
}

/* ---- the claim ---- */

static CpwStatement lease_executions = {
	.sql = "WITH c AS (UPDATE cp_webhook.executions SET"
	" attempts = attempts + 1, lease_holder = $2,"
	" lease_until = pg_catalog.clock_timestamp() + $3,"
	" nonce = pg_catalog.gen_random_uuid()::pg_catalog.text,"
	" started_at = COALESCE(started_at, pg_catalog.clock_timestamp()),"
	" updated_at = pg_catalog.clock_timestamp()"
	" WHERE id = ANY ($1)"
	" RETURNING id, nonce, attempts, pipeline, version, action, delivery,"
	" lease_until)"
	" SELECT c.id, c.nonce, c.attempts, c.pipeline, c.version, c.action,"
	" d.webhook, d.event, c.delivery, d.received_at, d.headers, d.payload,"
	" c.lease_until"
	" FROM c LEFT JOIN LATERAL (SELECT webhook, event, received_at, headers,"
	"  payload FROM cp_webhook.deliveries WHERE id = c.delivery LIMIT 1) d"
	" ON true ORDER BY c.id",
	.expected = SPI_OK_SELECT,
	.parameters = 3,
	.types = {UUIDARRAYOID, TEXTOID, INTERVALOID},
};

/* The queue with the oldest head, and the oldest head of all others. */
static CpwQueue *
find_next(CpwQueue *queues, int count, pg_uuid_t *other)
{
	CpwQueue   *next = NULL;

	cpw_bounds_set_last(other);
	for (int i = 0; i < count; i++)
	{
		CpwQueue   *queue = &queues[i];

		if (cpw_bounds_is_last(&queue->head))
			continue;
		if (next == NULL || cpw_bounds_compare(&queue->head, &next->head) < 0)
		{
			if (next != NULL)
				*other = next->head;
			next = queue;
		}
		else if (cpw_bounds_compare(&queue->head, other) < 0)
			*other = queue->head;
	}
	return next;
}

void
cpw_claims_take(const CpwClaim *claim, Tuplestorestate *store,
				TupleDesc descriptor)
{
	Taken		taken = {.max = claim->max};
	CpwArguments arguments = {0};
	CpwQueue   *queues;
	int			count = cpw_queues_open(claim->pipelines,
										claim->pipeline_count, &queues);

	taken.ids = palloc(sizeof(pg_uuid_t) * claim->max);
	while (taken.count < taken.max)
	{
		pg_uuid_t	other;
		CpwQueue   *next = find_next(queues, count, &other);

		if (next == NULL)
			break;
		if (next->mode == CPW_MODE_PARALLEL)
			take_parallel(next, &other, &taken);
		else
			take_serial(next, &taken);
	}
	if (taken.count == 0)
		return;
	cpw_arguments_add_uuids(&arguments, taken.ids, taken.count);
	cpw_arguments_add_text(&arguments, claim->worker);
	cpw_arguments_add_interval(&arguments, claim->lease);
	cpw_arguments_execute(&lease_executions, &arguments);
	cpw_statement_put_rows(store, descriptor);
}

/* ---- the ends of a claim ---- */

/*
 * Whose lease it is. One that the claim's own transaction ends can't have run
 * out: nobody else has seen it.
 */
#define LEASED \
	" WHERE id = $1 AND nonce = $2" \
	" AND (lease_until > pg_catalog.clock_timestamp()" \
	"      OR xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid)"

static CpwStatement complete_execution = {
	.sql = "UPDATE cp_webhook.executions SET"
	" status = CASE status WHEN 'Stopping' THEN 'Stopped' ELSE 'Succeeded' END,"
	" result = $3, lease_until = NULL, nonce = NULL,"
	" ended_at = pg_catalog.clock_timestamp(),"
	" updated_at = pg_catalog.clock_timestamp()" LEASED
	" RETURNING pipeline",
	.expected = SPI_OK_UPDATE_RETURNING,
	.parameters = 3,
	.types = {UUIDOID, TEXTOID, JSONBOID},
};

static CpwStatement fail_execution = {
	.sql = "UPDATE cp_webhook.executions SET"
	" status = CASE status WHEN 'Stopping' THEN 'Stopped' ELSE 'Failed' END,"
	" reason = $3, lease_until = NULL, nonce = NULL,"
	" ended_at = pg_catalog.clock_timestamp(),"
	" updated_at = pg_catalog.clock_timestamp()" LEASED
	" RETURNING pipeline",
	.expected = SPI_OK_UPDATE_RETURNING,
	.parameters = 3,
	.types = {UUIDOID, TEXTOID, TEXTOID},
};

static CpwStatement retry_execution = {
	.sql = "UPDATE cp_webhook.executions SET"
	" reason = $3, lease_holder = NULL, lease_until = NULL, nonce = NULL,"
	" retry_at = pg_catalog.clock_timestamp() + $4,"
	" updated_at = pg_catalog.clock_timestamp()"
	LEASED " AND status = 'InProgress' AND attempts < $5"
	" RETURNING pipeline",
	.expected = SPI_OK_UPDATE_RETURNING,
	.parameters = 5,
	.types = {UUIDOID, TEXTOID, TEXTOID, INTERVALOID, INT4OID},
};

static CpwStatement extend_lease = {
	.sql = "UPDATE cp_webhook.executions SET"
	" lease_until = pg_catalog.clock_timestamp() + $3,"
	" updated_at = pg_catalog.clock_timestamp()" LEASED
	" RETURNING lease_until",
	.expected = SPI_OK_UPDATE_RETURNING,
	.parameters = 3,
	.types = {UUIDOID, TEXTOID, INTERVALOID},
};

static CpwStatement describe_execution = {
	.sql = "SELECT status, attempts, lease_until IS NOT NULL,"
	" lease_until <= pg_catalog.clock_timestamp()"
	" FROM cp_webhook.executions WHERE id = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {UUIDOID},
};

static void
add_claim(CpwArguments *arguments, const pg_uuid_t *id, const char *nonce)
{
	cpw_arguments_add_uuid(arguments, id);
	cpw_arguments_add_text(arguments, nonce);
}

/* Executes what ends a claim; false when there is none. */
static bool
end_claim(CpwStatement *statement, CpwArguments *arguments)
{
	if (cpw_arguments_execute(statement, arguments) == 0)
		return false;
	cpw_queues_announce(cpw_statement_get_text(0, 1, CurrentMemoryContext));
	return true;
}

bool
cpw_claims_complete(const pg_uuid_t *id, const char *nonce, Jsonb *result)
{
	CpwArguments arguments = {0};

	add_claim(&arguments, id, nonce);
	cpw_arguments_add_jsonb(&arguments, result);
	return end_claim(&complete_execution, &arguments);
}

bool
cpw_claims_fail(const pg_uuid_t *id, const char *nonce, const char *reason,
				Interval *retry_in)
{
	CpwArguments arguments = {0};
	CpwArguments final = {0};

	if (retry_in != NULL)
	{
		add_claim(&arguments, id, nonce);
		cpw_arguments_add_text(&arguments, reason);
		cpw_arguments_add_interval(&arguments, retry_in);
		cpw_arguments_add_int(&arguments, cpw_setting_max_attempts);
		if (end_claim(&retry_execution, &arguments))
			return true;
	}
	add_claim(&final, id, nonce);
	cpw_arguments_add_text(&final, reason);
	return end_claim(&fail_execution, &final);
}

bool
cpw_claims_extend(const pg_uuid_t *id, const char *nonce, Interval *lease,
				  TimestampTz *until)
{
	CpwArguments arguments = {0};

	add_claim(&arguments, id, nonce);
	cpw_arguments_add_interval(&arguments, lease);
	if (cpw_arguments_execute(&extend_lease, &arguments) == 0)
		return false;
	*until = cpw_statement_get_timestamp(0, 1);
	return true;
}

char *
cpw_claims_describe(const pg_uuid_t *id)
{
	CpwArguments arguments = {0};
	char	   *status;

	cpw_arguments_add_uuid(&arguments, id);
	if (cpw_arguments_execute(&describe_execution, &arguments) == 0)
		return pstrdup("there is none of that id");
	status = cpw_statement_get_text(0, 1, CurrentMemoryContext);
	if (!cpw_statement_get_bool(0, 3))
		return strcmp(status, "InProgress") == 0
			? pstrdup("it waits to be claimed") : psprintf("it is %s", status);
	if (cpw_statement_get_bool(0, 4))
		return pstrdup("its lease has run out");
	return psprintf("attempt %d is another claim's",
					(int) cpw_statement_get_int(0, 2));
}
