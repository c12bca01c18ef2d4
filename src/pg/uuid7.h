/*
 * uuid7.h
 *		Time-ordered ids: uuid version 7 (RFC 9562, 5.7).
 *
 * 48 bits of milliseconds, 12 bits of the millisecond's fraction (6.2, method
 * 3), 62 random bits. New rows go to the end of an index, and a range of time
 * is a range of ids.
 */
#ifndef CPW_UUID7_H
#define CPW_UUID7_H

#include "postgres.h"

#include "cp_webhook.h"
#include "datatype/timestamp.h"
#include "utils/uuid.h"

/*
 * Makes an id that is greater than every one that this process made before,
 * also when the clock has stepped back. *instant (may be NULL) is the time
 * inside the id, to the microsecond. Raises XX000 without randomness.
 */
extern void cpw_uuid7_generate(pg_uuid_t *uuid, TimestampTz *instant);

/*
 * The least id of an instant, for the bounds of a range; of one that no id can
 * say (before 1970, or in ten thousand years) that of the nearest.
 */
extern void cpw_uuid7_lower_bound(TimestampTz instant, pg_uuid_t *uuid);

/* The time inside an id, to the microsecond. */
extern TimestampTz cpw_uuid7_instant(const pg_uuid_t *uuid);

/* The id as text, palloc'd. */
extern char *cpw_uuid7_text(const pg_uuid_t *uuid);

#endif							/* CPW_UUID7_H */
