/*
 * positions.c
 *		The one order in which executions became visible.
 *
 * The order is that of era, transaction id and id. A transaction that is still
 * running may commit executions before those that are already there; so of the
 * current era only what is below the oldest running transaction is read, and
 * nothing can come to stand before it any more. Eras that have passed, of
 * before a restore or a promotion, do not grow; they come in the order of their
 * first executions, and the current one comes last.
 *
 * A position is opaque to its user: era, transaction id and id in hexadecimal.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/era.h"
#include "store/arguments.h"
#include "store/positions.h"

/* Digits of an era and of a transaction id; a uuid's text. */
#define DIGITS		16
#define ID_LENGTH	36

#define FIRST		"0000000000000000-00000000-0000-0000-0000-000000000000"
#define LAST_XID	"18446744073709551615"

/* Where an era is read from and to. */
typedef struct Part
{
	char		era[DIGITS + 1];
	char	   *xid;
	char	   *id;
	const char *end;			/* the first transaction not to be read */
} Part;

/* From one era to the next, however many executions each has. */
static CpwStatement find_eras = {
	.sql = "WITH RECURSIVE e (era, first) AS ("
	"(SELECT era, id FROM cp_webhook.executions"
	" ORDER BY era, xid, id LIMIT 1)"
	" UNION ALL SELECT n.era, n.first FROM e CROSS JOIN LATERAL"
	" (SELECT x.era, x.id AS first FROM cp_webhook.executions x"
	"  WHERE x.era > e.era ORDER BY x.era, x.xid, x.id LIMIT 1) n)"
	" SELECT pg_catalog.lpad(pg_catalog.to_hex(era), 16, '0'),"
	" pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())"
	"::pg_catalog.text"
	" FROM e ORDER BY era = $1, first",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {INT8OID},
};

/* $1 to $4 are a part, $5 the pipelines. */
static CpwStatement read_part = {
	.sql = "SELECT $1 || '-' || pg_catalog.lpad(pg_catalog.to_hex("
	"e.xid::pg_catalog.text::pg_catalog.int8), 16, '0') || '-' ||"
	" e.id::pg_catalog.text,"
	" e.id, e.pipeline, e.version, e.action, e.trigger_type, e.trigger_detail,"
	" e.delivery, e.status, e.created_at, d.webhook, d.event,"
	" d.provider_delivery_id, d.received_at, d.headers, d.payload"
	" FROM cp_webhook.executions e LEFT JOIN LATERAL (SELECT webhook, event,"
	"  provider_delivery_id, received_at, headers, payload"
	"  FROM cp_webhook.deliveries WHERE id = e.delivery LIMIT 1) d ON true"
	" WHERE e.era = ('x' || $1)::pg_catalog.bit(64)::pg_catalog.int8"
	" AND (e.xid, e.id) > (('x' || $2)::pg_catalog.bit(64)::pg_catalog.int8"
	"  ::pg_catalog.text::pg_catalog.xid8, $3::pg_catalog.uuid)"
	" AND e.xid < $4::pg_catalog.xid8"
	" AND ($5 IS NULL OR e.pipeline = ANY ($5))"
	" ORDER BY e.xid, e.id LIMIT $6",
	.expected = SPI_OK_SELECT,
	.parameters = 6,
	.types = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, INT4OID},
};

bool
cpw_positions_is_valid(const char *position)
{
	static const char pattern[] =
		"xxxxxxxxxxxxxxxx-0xxxxxxxxxxxxxxx-"
		"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	StaticAssertStmt(sizeof(pattern) - 1 == CPW_POSITION_LENGTH,
					 "a position has one length");
	if (strlen(position) != CPW_POSITION_LENGTH)
		return false;
	for (int i = 0; pattern[i] != '\0'; i++)
		if (pattern[i] == 'x'
			? strchr("0123456789abcdef", position[i]) == NULL
			: position[i] != pattern[i])
			return false;
	return true;
}

/*
 * What there is after a position, era by era. An era that the position names
 * and that is no more has been deleted: what is there is later.
 */
static int
find_parts(const char *position, Part **parts)
{
	MemoryContext context = CurrentMemoryContext;
	CpwArguments arguments = {0};
	int64		current = cpw_era_current();
	char	   *current_text = psprintf("%016llx", (unsigned long long) current);
	int			first = 0;
	int			count;

	cpw_arguments_add_bigint(&arguments, current);
	count = (int) cpw_arguments_execute(&find_eras, &arguments);
	*parts = palloc(sizeof(Part) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		Part	   *part = &(*parts)[i];
		const char *from = FIRST;

		strlcpy(part->era, cpw_statement_get_text(i, 1, context),
				sizeof(part->era));
		part->end = strcmp(part->era, current_text) != 0 ? LAST_XID
			: cpw_statement_get_text(i, 2, context);
		if (position != NULL && strncmp(position, part->era, DIGITS) == 0)
		{
			first = i;
			from = position + DIGITS + 1;
		}
		part->xid = pnstrdup(from, DIGITS);
		part->id = pnstrdup(from + DIGITS + 1, ID_LENGTH);
	}
	*parts += first;
	return count - first;
}

void
cpw_positions_after(const char *position, char **pipelines, int count, int max,
					Tuplestorestate *store, TupleDesc descriptor)
{
	Part	   *parts;
	int			parts_count = find_parts(position, &parts);

	for (int i = 0; i < parts_count && max > 0; i++)
	{
		CpwArguments arguments = {0};

		cpw_arguments_add_text(&arguments, parts[i].era);
		cpw_arguments_add_text(&arguments, parts[i].xid);
		cpw_arguments_add_text(&arguments, parts[i].id);
		cpw_arguments_add_text(&arguments, parts[i].end);
		cpw_arguments_add_texts(&arguments, pipelines, count);
		cpw_arguments_add_int(&arguments, max);
		max -= (int) cpw_arguments_execute(&read_part, &arguments);
		cpw_statement_put_rows(store, descriptor);
	}
}
