/*
 * recorded.c
 *		Deliveries that are recorded, read again: for dry runs.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/uuid7.h"
#include "store/arguments.h"
#include "store/recorded.h"

static CpwStatement find_delivery = {
	.sql = "SELECT webhook, outcome, reason, http_status,"
	" pg_catalog.host(source_address), headers, payload"
	" FROM cp_webhook.deliveries WHERE id = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {UUIDOID},
};

/* Ids alone are sorted: rows would be large. */
static CpwStatement list_deliveries = {
	.sql = "SELECT id FROM cp_webhook.deliveries"
	" WHERE webhook_id = $1 AND id >= $2 ORDER BY id DESC",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {UUIDOID, UUIDOID},
};

bool
cpw_recorded_find(const pg_uuid_t *id, CpwRecorded *recorded)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		values[1] = {UUIDPGetDatum(id)};
	bool		found = cpw_statement_execute(&find_delivery, values, NULL) > 0;

	if (found)
	{
		recorded->webhook = cpw_statement_get_text(0, 1, context);
		recorded->outcome = cpw_statement_get_text(0, 2, context);
		recorded->reason = cpw_statement_get_text(0, 3, context);
		recorded->http_status = cpw_statement_get_int(0, 4);
		recorded->source_address = cpw_statement_get_text(0, 5, context);
		recorded->headers = cpw_statement_get_jsonb(0, 6, context);
		recorded->payload = cpw_statement_get_jsonb(0, 7, context);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

void
cpw_recorded_begin(CpwRecordedWalk *walk, const pg_uuid_t *webhook_id,
				   TimestampTz since)
{
	pg_uuid_t	least;
	Datum		values[2];

	cpw_uuid7_lower_bound(since, &least);
	values[0] = UUIDPGetDatum(webhook_id);
	values[1] = UUIDPGetDatum(&least);
	walk->cursor = cpw_statement_open(&list_deliveries, values, NULL);
	walk->count = 0;
	walk->next = 0;
}

bool
cpw_recorded_next(CpwRecordedWalk *walk, pg_uuid_t *id)
{
	if (walk->next == walk->count)
	{
		walk->count = (int) cpw_statement_fetch(walk->cursor,
												lengthof(walk->ids));
		walk->next = 0;
		for (int i = 0; i < walk->count; i++)
			walk->ids[i] = cpw_statement_get_uuid(i, 1);
		SPI_freetuptable(SPI_tuptable);
		if (walk->count == 0)
		{
			cpw_statement_close(walk->cursor);
			return false;
		}
	}
	*id = walk->ids[walk->next++];
	return true;
}
