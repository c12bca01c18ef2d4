/*
 * tally.c
 *		What a receiver counts for each webhook.
 */
#include "postgres.h"

#include "compat.h"
#include "mb/pg_wchar.h"
#include "net/deadline.h"
#include "pg/settings.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/tally.h"

#define WRITE_INTERVAL_MS	1000
#define MINUTE_MS			60000

typedef struct Entry
{
	pg_uuid_t	webhook_id;		/* the hash key */
	CpwCounts	counts;
	bool		is_dirty;
	int64		minute;			/* when the minute of rejections began */
	int			rejections;		/* recorded in it */
} Entry;

static HTAB *entries;
static int	dirty_entries;
static int64 written_at;			/* on the monotonic clock, which never steps */

static Entry *
get_entry(const pg_uuid_t *webhook_id)
{
	Entry	   *entry;
	bool		found;

	if (entries == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(pg_uuid_t);
		control.entrysize = sizeof(Entry);
		control.hcxt = TopMemoryContext;
		entries = hash_create("cp_webhook tally", 256, &control,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(entries, webhook_id, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) entry + sizeof(pg_uuid_t), 0,
			   sizeof(Entry) - sizeof(pg_uuid_t));
		entry->counts.webhook_id = *webhook_id;
	}
	return entry;
}

static Entry *
get_dirty_entry(const pg_uuid_t *webhook_id)
{
	Entry	   *entry = get_entry(webhook_id);

	if (!entry->is_dirty)
	{
		entry->is_dirty = true;
		dirty_entries++;
	}
	return entry;
}

/* The last reason, cut where it is long. */
static void
note_reason(CpwCounts *counts, const char *reason, TimestampTz at)
{
	int			length = pg_mbcliplen(reason, (int) strlen(reason),
									  CPW_MAX_LAST_REASON - 1);

	memcpy(counts->last_reason, reason, length);
	counts->last_reason[length] = '\0';
	counts->last_reason_at = at;
}

void
cpw_tally_add(const CpwDelivery *delivery)
{
	CpwCounts  *counts = &get_dirty_entry(&delivery->webhook_id)->counts;

	counts->last_delivery = Max(counts->last_delivery, delivery->received_at);
	if (delivery->reason != NULL)
		note_reason(counts, delivery->reason, delivery->received_at);
	switch (delivery->verdict)
	{
		case CPW_VERDICT_TRIGGERED:
			counts->triggered++;
			counts->last_triggered = Max(counts->last_triggered,
										 delivery->received_at);
			break;
		case CPW_VERDICT_IGNORED:
			counts->ignored++;
			break;
		case CPW_VERDICT_DUPLICATE:
			counts->duplicate++;
			break;
		case CPW_VERDICT_PONG:
			counts->pong++;
			break;
		default:
			counts->rejected++;
			break;
	}
}

bool
cpw_tally_admit_rejection(const pg_uuid_t *webhook_id)
{
	Entry	   *entry = get_entry(webhook_id);
	int64		now = cpw_deadline_now();

	if (entry->minute == 0 || now - entry->minute >= MINUTE_MS)
	{
		entry->minute = now;
		entry->rejections = 0;
	}
	if (entry->rejections >= cpw_setting_rejections_per_minute)
		return false;
	entry->rejections++;
	return true;
}

long
cpw_tally_timeout(void)
{
	if (dirty_entries == 0)
		return -1;
	return Max(written_at + WRITE_INTERVAL_MS - cpw_deadline_now(), 0);
}

int
cpw_tally_take(CpwCounts **counts)
{
	HASH_SEQ_STATUS status;
	Entry	   *entry;
	int64		now = cpw_deadline_now();
	int			count = 0;

	if (dirty_entries == 0 || cpw_tally_timeout() > 0)
		return 0;
	written_at = now;
	*counts = palloc(sizeof(CpwCounts) * dirty_entries);
	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->is_dirty)
		{
			(*counts)[count++] = entry->counts;
			memset(&entry->counts, 0, sizeof(CpwCounts));
			entry->counts.webhook_id = entry->webhook_id;
			entry->is_dirty = false;
		}
		else if (now - entry->minute >= MINUTE_MS)
			hash_search(entries, &entry->webhook_id, HASH_REMOVE, NULL);
	}
	dirty_entries = 0;
	return count;
}

void
cpw_tally_give_back(const CpwCounts *counts, int count)
{
	for (int i = 0; i < count; i++)
	{
		CpwCounts  *kept = &get_dirty_entry(&counts[i].webhook_id)->counts;

		kept->triggered += counts[i].triggered;
		kept->ignored += counts[i].ignored;
		kept->duplicate += counts[i].duplicate;
		kept->rejected += counts[i].rejected;
		kept->pong += counts[i].pong;
		kept->last_triggered = Max(kept->last_triggered,
								   counts[i].last_triggered);
		kept->last_delivery = Max(kept->last_delivery,
								  counts[i].last_delivery);
		if (counts[i].last_reason_at > kept->last_reason_at)
			note_reason(kept, counts[i].last_reason, counts[i].last_reason_at);
	}
}
