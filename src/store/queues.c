/*
 * queues.c
 *		The executions of each pipeline that wait.
 *
 * Each look goes through a partial index and begins at a bound (pg/front.h), so
 * that it costs the same however many executions have passed through. A bound
 * is raised only to what a look has seen before its own transaction changed
 * anything.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "miscadmin.h"
#include "pg/notification.h"
#include "pg/settings.h"
#include "store/arguments.h"
#include "store/queues.h"
#include "utils/lsyscache.h"

/* Of a pipeline's leases and retries, how many are looked at at once. */
#define TIMED_LIMIT		"100"

/* Looks after which what stands in the way of the bound is passed over. */
#define STUCK_LIMIT		16

/* ---- a look at everything ---- */

/*
 * The first of each pipeline in a partial index, from one pipeline to the next:
 * it does not matter how many more there are.
 */
#define SKIP_SCAN(name, condition, column) \
	name " (pipeline, first) AS (" \
	"(SELECT pipeline, " column " FROM cp_webhook.executions" \
	" WHERE " condition " ORDER BY pipeline, " column " LIMIT 1)" \
	" UNION ALL SELECT n.pipeline, n.first FROM " name " s" \
	" CROSS JOIN LATERAL (SELECT pipeline, " column " AS first" \
	" FROM cp_webhook.executions WHERE " condition \
	" AND pipeline > s.pipeline ORDER BY pipeline, " column " LIMIT 1) n)"

static CpwStatement look_at_all = {
	.sql = "WITH RECURSIVE"
	SKIP_SCAN(" w", CPW_WAITING, "id") ","
	SKIP_SCAN(" l", "lease_until IS NOT NULL", "lease_until") ","
	SKIP_SCAN(" r", CPW_RETRYING, "retry_at")
	" SELECT COALESCE(w.pipeline, l.pipeline, r.pipeline), w.first,"
	" l.first, r.first FROM w FULL JOIN l USING (pipeline)"
	" FULL JOIN r ON r.pipeline = COALESCE(w.pipeline, l.pipeline)",
	.expected = SPI_OK_SELECT,
};

static bool
is_among(const char *name, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int
read_all(CpwFront **fronts)
{
	MemoryContext context = CurrentMemoryContext;
	int			count = (int) cpw_statement_execute(&look_at_all, NULL, NULL);

	*fronts = palloc(sizeof(CpwFront) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		CpwFront   *front = &(*fronts)[i];

		cpw_bounds_clear(front, cpw_statement_get_text(i, 1, context));
		if (!cpw_statement_is_null(i, 2))
			front->waiting = cpw_statement_get_uuid(i, 2);
		if (!cpw_statement_is_null(i, 3))
			front->leased = cpw_statement_get_timestamp(i, 3);
		if (!cpw_statement_is_null(i, 4))
			front->retrying = cpw_statement_get_timestamp(i, 4);
	}
	return count;
}

/* The fronts of the pipelines, from a look at everything. */
static int
look(Oid table, char **pipelines, int count, CpwFront **fronts)
{
	int			found = read_all(fronts);
	int			n = 0;

	/* What this transaction has changed, others do not see. */
	if (!cpw_front_is_changed())
		cpw_front_learn(table, *fronts, found);
	for (int i = 0; i < found; i++)
		if (pipelines == NULL ||
			is_among((*fronts)[i].pipeline, pipelines, count))
			(*fronts)[n++] = (*fronts)[i];
	return n;
}

/* The same from memory, where they are known. */
static int
read_fronts(Oid table, char **pipelines, int count, CpwFront **fronts)
{
	int			found = cpw_front_read(table, pipelines, count, fronts);

	return found >= 0 ? found : look(table, pipelines, count, fronts);
}

/* ---- leases and retries ---- */

static CpwStatement find_leases = {
	.sql = "SELECT id, lease_until FROM cp_webhook.executions"
	" WHERE pipeline = $1 AND lease_until IS NOT NULL AND lease_until >= $2"
	" ORDER BY lease_until LIMIT " TIMED_LIMIT,
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
};

/*
 * COALESCE, here and below: these are looked for by id, and the planner must
 * not think of the partial index, all of which it would have to read.
 */
static CpwStatement lock_leases = {
	.sql = "SELECT id FROM cp_webhook.executions WHERE id = ANY ($1)"
	" AND COALESCE(lease_until <= pg_catalog.clock_timestamp(), false)"
	" FOR NO KEY UPDATE SKIP LOCKED",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {UUIDARRAYOID},
};

static CpwStatement return_leases = {
	.sql = "UPDATE cp_webhook.executions SET"
	" status = CASE WHEN status = 'Stopping' THEN 'Stopped'"
	"               WHEN attempts >= $2 THEN 'Failed' ELSE status END,"
	" reason = CASE WHEN status = 'Stopping' OR attempts < $2 THEN reason"
	"               ELSE 'the lease of attempt ' || attempts || ' ran out' END,"
	" ended_at = CASE WHEN status = 'Stopping' OR attempts >= $2"
	"                 THEN pg_catalog.clock_timestamp() END,"
	" lease_holder = CASE WHEN status = 'Stopping' OR attempts >= $2"
	"                     THEN lease_holder END,"
	" lease_until = NULL, nonce = NULL,"
	" updated_at = pg_catalog.clock_timestamp() WHERE id = ANY ($1)",
	.expected = SPI_OK_UPDATE,
	.parameters = 2,
	.types = {UUIDARRAYOID, INT4OID},
};

static CpwStatement find_retries = {
	.sql = "SELECT id, retry_at FROM cp_webhook.executions"
	" WHERE pipeline = $1 AND " CPW_RETRYING " AND retry_at >= $2"
	" ORDER BY retry_at LIMIT " TIMED_LIMIT,
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
};

static CpwStatement lock_retries = {
	.sql = "SELECT id FROM cp_webhook.executions WHERE id = ANY ($1)"
	" AND COALESCE(retry_at <= pg_catalog.clock_timestamp(), false)"
	" FOR NO KEY UPDATE SKIP LOCKED",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {UUIDARRAYOID},
};

static CpwStatement return_retries = {
	.sql = "UPDATE cp_webhook.executions SET retry_at = NULL,"
	" updated_at = pg_catalog.clock_timestamp() WHERE id = ANY ($1)",
	.expected = SPI_OK_UPDATE,
	.parameters = 1,
	.types = {UUIDARRAYOID},
};

/*
 * Looks for instants from *bound on. Returns the ids of those that have passed,
 * and sets *bound to the first one.
 */
static int
find_passed(CpwStatement *statement, const char *pipeline, TimestampTz *bound,
			pg_uuid_t **ids)
{
	CpwArguments arguments = {0};
	TimestampTz now = GetCurrentTimestamp();
	uint64		rows;
	int			passed = 0;

	cpw_arguments_add_text(&arguments, pipeline);
	cpw_arguments_add_timestamp(&arguments, *bound);
	rows = cpw_arguments_execute(statement, &arguments);
	*bound = rows > 0 ? cpw_statement_get_timestamp(0, 2) : CPW_FRONT_NEVER;
	*ids = palloc(sizeof(pg_uuid_t) * Max(rows, 1));
	for (uint64 row = 0; row < rows; row++)
		if (cpw_statement_get_timestamp(row, 2) <= now)
			(*ids)[passed++] = cpw_statement_get_uuid(row, 1);
	return passed;
}

/* Of count ids, those that the statement can lock at once; they replace them. */
static int
lock_ids(CpwStatement *statement, pg_uuid_t *ids, int count)
{
	CpwArguments arguments = {0};

	if (count == 0)
		return 0;
	cpw_arguments_add_uuids(&arguments, ids, count);
	count = (int) cpw_arguments_execute(statement, &arguments);
	for (int i = 0; i < count; i++)
		ids[i] = cpw_statement_get_uuid(i, 1);
	return count;
}

static void
return_expired(Oid table, CpwFront *front)
{
	uint64		generation = cpw_front_generation();
	pg_uuid_t  *ids;
	int			count = find_passed(&find_leases, front->pipeline,
									&front->leased, &ids);
	CpwArguments arguments = {0};

	cpw_front_raise_times(table, generation, front->pipeline, front->leased,
						  0);
	count = lock_ids(&lock_leases, ids, count);
	if (count == 0)
		return;
	cpw_arguments_add_uuids(&arguments, ids, count);
	cpw_arguments_add_int(&arguments, cpw_setting_max_attempts);
	cpw_arguments_execute(&return_leases, &arguments);
}

static void
return_due(Oid table, CpwFront *front)
{
	uint64		generation = cpw_front_generation();
	pg_uuid_t  *ids;
	int			count = find_passed(&find_retries, front->pipeline,
									&front->retrying, &ids);
	CpwArguments arguments = {0};

	cpw_front_raise_times(table, generation, front->pipeline, 0,
						  front->retrying);
	count = lock_ids(&lock_retries, ids, count);
	if (count == 0)
		return;
	cpw_arguments_add_uuids(&arguments, ids, count);
	cpw_arguments_execute(&return_retries, &arguments);
}

bool
cpw_queues_is_running(CpwQueue *queue)
{
	CpwFront   *front = &queue->front;
	pg_uuid_t  *ids;

	if (front->leased == CPW_FRONT_NEVER)
		return false;
	(void) find_passed(&find_leases, front->pipeline, &front->leased, &ids);
	cpw_front_raise_times(cpw_queues_table(), queue->generation,
						  front->pipeline, front->leased, 0);
	return front->leased != CPW_FRONT_NEVER;
}

/* ---- what waits ---- */

/* Executions of a pipeline that is no more: in order, and none is dropped. */
static CpwStatement find_heads = {
	.sql = "SELECT q.position,"
	" COALESCE((SELECT p.execution_mode FROM cp_webhook.pipeline_definitions p"
	"           WHERE p.name = q.pipeline), 'QUEUED'),"
	" (SELECT e.id FROM cp_webhook.executions e WHERE e.pipeline = q.pipeline"
	"  AND " CPW_WAITING " AND e.id >= q.bound ORDER BY e.id LIMIT 1)"
	" FROM (SELECT pg_catalog.unnest($1) COLLATE \"C\" AS pipeline,"
	"              pg_catalog.unnest($2) AS bound,"
	"              pg_catalog.generate_subscripts($2, 1) AS position) q",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTARRAYOID, UUIDARRAYOID},
};

/* A sub-select a row: a look-up by id, not all that the index has, filtered. */
static CpwStatement find_held = {
	.sql = "SELECT h.id FROM (SELECT pg_catalog.unnest($2) AS id) h"
	" WHERE (SELECT true FROM cp_webhook.executions e WHERE e.pipeline = $1"
	"        AND e.id = h.id AND " CPW_WAITING ")",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, UUIDARRAYOID},
};

static int
compare_ids(const void *one, const void *other)
{
	return cpw_bounds_compare(one, other);
}

/* Of the held, those that wait still and are older than the first other. */
static void
look_at_held(CpwFront *front)
{
	CpwArguments arguments = {0};
	uint64		rows;

	if (front->held_count == 0)
		return;
	cpw_arguments_add_text(&arguments, front->pipeline);
	cpw_arguments_add_uuids(&arguments, front->held, front->held_count);
	rows = cpw_arguments_execute(&find_held, &arguments);
	front->held_count = 0;
	for (uint64 row = 0; row < rows; row++)
	{
		pg_uuid_t	id = cpw_statement_get_uuid(row, 1);

		if (cpw_bounds_compare(&id, &front->waiting) < 0)
			front->held[front->held_count++] = id;
	}
	qsort(front->held, front->held_count, sizeof(pg_uuid_t), compare_ids);
}

static CpwMode
read_mode(const char *name)
{
	if (strcmp(name, "PARALLEL") == 0)
		return CPW_MODE_PARALLEL;
	return strcmp(name, "QUEUED") == 0 ? CPW_MODE_QUEUED : CPW_MODE_SUPERSEDED;
}

/* Finds the mode and the first execution of each. */
static void
look_at_heads(Oid table, uint64 generation, CpwQueue *queues, int count)
{
	MemoryContext context = CurrentMemoryContext;
	CpwArguments arguments = {0};
	char	  **names = palloc(sizeof(char *) * Max(count, 1));
	pg_uuid_t  *bounds = palloc(sizeof(pg_uuid_t) * Max(count, 1));
	uint64		rows;

	for (int i = 0; i < count; i++)
	{
		names[i] = queues[i].front.pipeline;
		bounds[i] = queues[i].front.waiting;
	}
	cpw_arguments_add_texts(&arguments, names, count);
	cpw_arguments_add_uuids(&arguments, bounds, count);
	rows = cpw_arguments_execute(&find_heads, &arguments);
	for (uint64 row = 0; row < rows; row++)
	{
		CpwQueue   *queue = &queues[cpw_statement_get_int(row, 1) - 1];

		queue->mode = read_mode(cpw_statement_get_text(row, 2, context));
		if (cpw_statement_is_null(row, 3))
			cpw_bounds_set_last(&queue->front.waiting);
		else
			queue->front.waiting = cpw_statement_get_uuid(row, 3);
	}
	for (int i = 0; i < count; i++)
	{
		CpwFront   *front = &queues[i].front;

		look_at_held(front);
		cpw_front_raise(table, generation, front);
		queues[i].head = front->held_count > 0 ? front->held[0] : front->waiting;
	}
}

Oid
cpw_queues_table(void)
{
	return get_relname_relid("executions", get_namespace_oid("cp_webhook", false));
}

int
cpw_queues_open(char **pipelines, int count, CpwQueue **queues)
{
	Oid			table = cpw_queues_table();
	uint64		generation = cpw_front_generation();
	TimestampTz now = GetCurrentTimestamp();
	CpwFront   *fronts;
	int			found = read_fronts(table, pipelines, count, &fronts);
	int			n = 0;

	*queues = palloc(sizeof(CpwQueue) * Max(found, 1));
	for (int i = 0; i < found; i++)
	{
		CpwFront   *front = &fronts[i];

		cpw_front_add_own(table, front);
		if (front->leased <= now)
			return_expired(table, front);
		if (front->retrying <= now)
			return_due(table, front);
		cpw_front_add_own(table, front);
		if (cpw_bounds_is_last(&front->waiting) && front->held_count == 0)
			continue;
		(*queues)[n].front = *front;
		(*queues)[n++].generation = generation;
	}
	look_at_heads(table, generation, *queues, n);
	return n;
}

/* The front of one pipeline, given those that were found of it. */
static CpwFront
front_of(const char *name, const CpwFront *fronts, int found)
{
	CpwFront	none;

	if (found > 0)
		return fronts[0];
	cpw_bounds_clear(&none, name);
	return none;
}

/*
 * Bounds that fit a snapshot. Those of before it may be above what has begun to
 * wait until then, and those of after it above what has waited until then: in
 * either case the next one would overtake it. Where both are the same, and no
 * transaction has told its end in between, they are above neither: what a
 * transaction shows before it has told so is not passed over. A look at
 * everything in the snapshot itself fits it by nature.
 */
static CpwFront
pin_front(Oid table, char *name, uint64 *generation)
{
	CpwFront   *fronts;

	for (;;)
	{
		int			found;
		CpwFront	before;

		*generation = cpw_front_generation();
		found = cpw_front_read(table, &name, 1, &fronts);
		cpw_statement_pin_snapshot();
		if (found < 0)
		{
			found = look(table, &name, 1, &fronts);
			return front_of(name, fronts, found);
		}
		before = front_of(name, fronts, found);
		found = cpw_front_read(table, &name, 1, &fronts);
		if (found >= 0)
		{
			CpwFront	after = front_of(name, fronts, found);

			if (cpw_front_generation() == *generation &&
				cpw_bounds_are_equal(&before, &after))
				return after;
		}
		cpw_statement_unpin_snapshot();
		CHECK_FOR_INTERRUPTS();
	}
}

void
cpw_queues_pin(CpwQueue *queue)
{
	Oid			table = cpw_queues_table();
	char	   *name = pstrdup(queue->front.pipeline);

	queue->front = pin_front(table, name, &queue->generation);
	cpw_front_add_own(table, &queue->front);
	look_at_heads(table, queue->generation, queue, 1);
}

static CpwStatement find_mode = {
	.sql = "SELECT execution_mode FROM cp_webhook.pipeline_definitions"
	" WHERE name = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

void
cpw_queues_announce(char *pipeline)
{
	if (cpw_setting_notify == CPW_NOTIFY_OFF ||
		!cpw_front_may_wait(cpw_queues_table(), pipeline))
		return;
	if (cpw_arguments_execute_text(&find_mode, pipeline) > 0 &&
		read_mode(cpw_statement_get_text(0, 1, CurrentMemoryContext)) ==
		CPW_MODE_PARALLEL)
		return;
	cpw_notification_send_turn(pipeline);
}

/* ---- what is between, and what others have locked ---- */

static CpwStatement find_between = {
	.sql = "SELECT id FROM cp_webhook.executions WHERE pipeline = $1"
	" AND " CPW_WAITING " AND id >= $2 AND id < $3 ORDER BY id LIMIT $4",
	.expected = SPI_OK_SELECT,
	.parameters = 4,
	.types = {TEXTOID, UUIDOID, UUIDOID, INT4OID},
};

/* What waits from an id on and before another, so many at most. */
static uint64
look_between(const char *pipeline, const pg_uuid_t *from, const pg_uuid_t *to,
			 int limit)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, pipeline);
	cpw_arguments_add_uuid(&arguments, from);
	cpw_arguments_add_uuid(&arguments, to);
	cpw_arguments_add_int(&arguments, limit);
	return cpw_arguments_execute(&find_between, &arguments);
}

void
cpw_queues_find_next(CpwQueue *queue)
{
	CpwFront   *front = &queue->front;
	pg_uuid_t	last;

	cpw_bounds_set_last(&last);
	if (look_between(front->pipeline, &front->waiting, &last, 1) > 0)
		front->waiting = cpw_statement_get_uuid(0, 1);
	else
		front->waiting = last;
}

void
cpw_queues_pass_over(const CpwQueue *queue, const pg_uuid_t *id)
{
	Oid			table = cpw_queues_table();
	char	   *name = pstrdup(queue->front.pipeline);
	uint64		generation;
	CpwFront   *front;
	int			room;
	uint64		rows;

	if (queue->front.stuck < STUCK_LIMIT || cpw_front_is_changed())
		return;
	generation = cpw_front_generation();
	if (generation == 0 || cpw_front_read(table, &name, 1, &front) != 1)
		return;
	room = CPW_FRONT_HELD - front->held_count;
	rows = look_between(name, &front->waiting, id, room + 1);
	if (rows > (uint64) room)
		return;
	for (uint64 row = 0; row < rows; row++)
		front->held[front->held_count++] = cpw_statement_get_uuid(row, 1);
	front->waiting = *id;
	cpw_front_raise(table, generation, front);
}
