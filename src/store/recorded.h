/*
 * recorded.h
 *		Deliveries that are recorded, read again: for dry runs.
 */
#ifndef CPW_RECORDED_H
#define CPW_RECORDED_H

#include "postgres.h"

#include "store/statement.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* What a delivery's row says. */
typedef struct CpwRecorded
{
	char	   *webhook;
	char	   *outcome;
	char	   *reason;			/* NULL: none */
	int			http_status;
	char	   *source_address; /* NULL: unknown */
	Jsonb	   *headers;
	Jsonb	   *payload;		/* NULL: none is kept */
} CpwRecorded;

/* Reads a delivery into the current context; false when there is none. */
extern bool cpw_recorded_find(const pg_uuid_t *id, CpwRecorded *recorded);

/*
 * Begins to walk the deliveries of a webhook since an instant, from the newest
 * back, as they are now. Only ids are held, a portion at a time.
 */
typedef struct CpwRecordedWalk
{
	Portal		cursor;
	int			count;
	int			next;
	pg_uuid_t	ids[100];
} CpwRecordedWalk;

extern void cpw_recorded_begin(CpwRecordedWalk *walk,
							   const pg_uuid_t *webhook_id,
							   TimestampTz since);

/* The next id; false at the end, where the walk is closed. */
extern bool cpw_recorded_next(CpwRecordedWalk *walk, pg_uuid_t *id);

#endif							/* CPW_RECORDED_H */
