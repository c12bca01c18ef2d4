/*
 * partitions.c
 *		The partitions of deliveries.
 *
 * One is put away in two transactions. DETACH needs the one lock that inserts
 * wait for, so nothing else is done under it; the files go with DROP, which
 * then concerns nobody. DETACH CONCURRENTLY would wait without that lock, but
 * for as long as every transaction that reads deliveries lasts (a dump takes
 * hours), and can't run inside a transaction.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/uuid7.h"
#include "store/arguments.h"
#include "store/partitions.h"
#include "store/statement.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* The comment of a table that is ours to drop. */
#define MARK	"detached by cp_webhook, which drops it"

/* Names that are tried for the partition of one day. */
#define MAX_NAMES	100

static CpwStatement list_partitions = {
	.sql = "SELECT c.oid, c.relname::pg_catalog.text, b.bounds[1]::pg_catalog.uuid,"
	" b.bounds[2]::pg_catalog.uuid,"
	" c.relkind = 'r' AND c.relname ~ '^deliveries_[0-9]{8}(_[0-9]+)?$'"
	"   AND c.relnamespace = 'cp_webhook'::pg_catalog.regnamespace"
	" FROM pg_catalog.pg_inherits i"
	" JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid"
	" CROSS JOIN LATERAL pg_catalog.regexp_match("
	"   pg_catalog.replace(pg_catalog.replace("
	"     pg_catalog.pg_get_expr(c.relpartbound, c.oid),"
	"     'MINVALUE', '''00000000-0000-0000-0000-000000000000'''),"
	"     'MAXVALUE', '''ffffffff-ffff-ffff-ffff-ffffffffffff'''),"
	"   'FROM [(]''([-0-9a-f]{36})''[)] TO [(]''([-0-9a-f]{36})''[)]') b (bounds)"
	" WHERE i.inhparent = 'cp_webhook.deliveries'::pg_catalog.regclass"
	"   AND b.bounds IS NOT NULL"
	" ORDER BY 3",
	.expected = SPI_OK_SELECT,
};

/* The name of a table is that of a type, too. */
static CpwStatement find_name = {
	.sql = "SELECT 1 FROM pg_catalog.pg_class c"
	" WHERE c.relnamespace = 'cp_webhook'::pg_catalog.regnamespace"
	"   AND c.relname IN ($1::pg_catalog.name,"
	"     ($1 || '_id')::pg_catalog.name, ($1 || '_webhook')::pg_catalog.name)"
	" UNION ALL SELECT 1 FROM pg_catalog.pg_type t"
	" WHERE t.typnamespace = 'cp_webhook'::pg_catalog.regnamespace"
	"   AND t.typname = $1::pg_catalog.name",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement lock_partitions = {
	.sql = "SELECT pg_catalog.pg_advisory_xact_lock("
	"pg_catalog.hashtextextended('cp_webhook.deliveries', 0))",
	.expected = SPI_OK_SELECT,
};

static CpwStatement find_detached = {
	.sql = "SELECT c.relname::pg_catalog.text"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_description d"
	"   ON d.objoid = c.oid AND d.objsubid = 0"
	"  AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass"
	" WHERE c.relnamespace = 'cp_webhook'::pg_catalog.regnamespace"
	"   AND c.relkind = 'r' AND NOT c.relispartition"
	"   AND c.relname ~ '^deliveries_[0-9]{8}(_[0-9]+)?$'"
	"   AND d.description = '" MARK "'"
	" ORDER BY 1 LIMIT 1",
	.expected = SPI_OK_SELECT,
};

static CpwStatement find_lockers = {
	.sql = "SELECT DISTINCT COALESCE(l.pid, -1) FROM pg_catalog.pg_locks l"
	" WHERE l.locktype = 'relation' AND l.granted"
	"   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d"
	"                      WHERE d.datname = pg_catalog.current_database())"
	"   AND l.relation = 'cp_webhook.deliveries'::pg_catalog.regclass",
	.expected = SPI_OK_SELECT,
};

int
cpw_partitions_list(CpwPartition **partitions)
{
	MemoryContext context = CurrentMemoryContext;
	int			count = (int) cpw_statement_execute(&list_partitions, NULL, NULL);

	*partitions = palloc0(sizeof(CpwPartition) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		CpwPartition *p = &(*partitions)[i];

		p->oid = cpw_statement_get_oid(i, 1);
		p->name = cpw_statement_get_text(i, 2, context);
		p->from = cpw_statement_get_uuid(i, 3);
		p->to = cpw_statement_get_uuid(i, 4);
		p->is_ours = cpw_statement_get_bool(i, 5);
	}
	SPI_freetuptable(SPI_tuptable);
	return count;
}

static int
compare(const pg_uuid_t *one, const pg_uuid_t *other)
{
	return memcmp(one->data, other->data, UUID_LEN);
}

/*
 * Narrows a range around an id to what no partition has; false when one has
 * the id itself.
 */
static bool
find_room(const pg_uuid_t *id, pg_uuid_t *from, pg_uuid_t *to)
{
	CpwPartition *partitions;
	int			count = cpw_partitions_list(&partitions);

	for (int i = 0; i < count; i++)
	{
		const CpwPartition *p = &partitions[i];

		if (compare(&p->from, id) <= 0 && compare(id, &p->to) < 0)
			return false;
		if (compare(&p->to, id) <= 0 && compare(&p->to, from) > 0)
			*from = p->to;
		if (compare(&p->from, id) > 0 && compare(&p->from, to) < 0)
			*to = p->from;
	}
	return true;
}

/* A name for the partition of a day: somebody may have kept an old table. */
static char *
choose_name(TimestampTz day)
{
	struct pg_tm tm;
	fsec_t		fsec;
	char	   *base;

	if (timestamp2tm(day, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	base = psprintf("deliveries_%04d%02d%02d", tm.tm_year, tm.tm_mon,
					tm.tm_mday);
	for (int i = 1; i < MAX_NAMES; i++)
	{
		char	   *name = i == 1 ? base : psprintf("%s_%d", base, i);

		if (cpw_arguments_execute_text(&find_name, name) == 0)
			return name;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("there are too many tables named \"%s\" and alike", base)));
}

bool
cpw_partitions_make(TimestampTz instant)
{
	TimestampTz day = instant - instant % USECS_PER_DAY;
	char	   *name;
	pg_uuid_t	id;
	pg_uuid_t	from;
	pg_uuid_t	to;

	/* Days of UTC, so that a bound does not depend on a setting. */
	if (instant < 0 && instant % USECS_PER_DAY != 0)
		day -= USECS_PER_DAY;
	cpw_uuid7_lower_bound(instant, &id);
	cpw_uuid7_lower_bound(day, &from);
	cpw_uuid7_lower_bound(day + USECS_PER_DAY, &to);
	cpw_statement_execute(&lock_partitions, NULL, NULL);
	if (!find_room(&id, &from, &to))
		return false;
	name = choose_name(day);

	/*
	 * Made beside the table and attached: that takes no lock which an insert
	 * waits for. Indexes are of the partition alone (see the install script).
	 *
	 * What fits on half a page stays there: a push of GitHub's, compressed, does,
	 * and its chunks and their index would cost more than they are good for. One
	 * that needs more than half a page would leave the rest of it empty.
	 */
	cpw_statement_run_utility(psprintf("CREATE TABLE cp_webhook.%s (LIKE"
									   " cp_webhook.deliveries INCLUDING STORAGE"
									   " INCLUDING COMPRESSION)"
									   " WITH (toast_tuple_target = 4080)", name));
	cpw_statement_run_utility(psprintf("CREATE UNIQUE INDEX %s_id ON"
									   " cp_webhook.%s (id)", name, name));
	cpw_statement_run_utility(psprintf("CREATE INDEX %s_webhook ON"
									   " cp_webhook.%s (webhook_id, outcome, id)",
									   name, name));
	cpw_statement_run_utility(psprintf("ALTER TABLE cp_webhook.deliveries"
									   " ATTACH PARTITION cp_webhook.%s"
									   " FOR VALUES FROM ('%s') TO ('%s')",
									   name, cpw_uuid7_text(&from),
									   cpw_uuid7_text(&to)));
	return true;
}

void
cpw_partitions_detach(const CpwPartition *partition)
{
	/* Its readers first: nobody who inserts waits while they are waited for. */
	cpw_statement_run_utility(psprintf("LOCK TABLE ONLY cp_webhook.%s"
									   " IN ACCESS EXCLUSIVE MODE",
									   partition->name));
	cpw_statement_run_utility(psprintf("COMMENT ON TABLE cp_webhook.%s IS '%s'",
									   partition->name, MARK));
	cpw_statement_run_utility(psprintf("ALTER TABLE cp_webhook.deliveries"
									   " DETACH PARTITION cp_webhook.%s",
									   partition->name));
}

char *
cpw_partitions_drop_detached(void)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *name;

	if (cpw_statement_execute(&find_detached, NULL, NULL) == 0)
		return NULL;
	name = cpw_statement_get_text(0, 1, context);
	cpw_statement_run_utility(psprintf("DROP TABLE cp_webhook.%s", name));
	return name;
}

int
cpw_partitions_lockers(int **pids)
{
	int			count = (int) cpw_statement_execute(&find_lockers, NULL, NULL);

	*pids = palloc(sizeof(int) * Max(count, 1));
	for (int i = 0; i < count; i++)
		(*pids)[i] = cpw_statement_get_int(i, 1);
	return count;
}
