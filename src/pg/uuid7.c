/*
 * uuid7.c
 *		Time-ordered ids: uuid version 7.
 */
#include "postgres.h"

#include "base/hex_base64.h"
#include "compat.h"
#include "pg/uuid7.h"
#include "utils/timestamp.h"

/* Microseconds between the epochs of Unix and of PostgreSQL. */
#define EPOCH_SHIFT \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* The last one that 48 bits of milliseconds can say. */
#define LAST_INSTANT	((INT64CONST(1) << 48) * 1000 - 1 - EPOCH_SHIFT)

/* An id's random part, and how many of them are asked for at once. */
#define RANDOM_SIZE	8
#define RESERVE		64

/*
 * Time in units of 1/4096 ms since 1970: the first 60 bits of an id without
 * its version. A unit is shorter than a microsecond, so an instant survives
 * the way there and back.
 */
static uint64
ticks_of(TimestampTz instant)
{
	uint64		microseconds = (uint64) (instant + EPOCH_SHIFT);

	return (microseconds / 1000) << 12 | ((microseconds % 1000) << 12) / 1000;
}

static TimestampTz
instant_of(uint64 ticks)
{
	uint64		fraction = ((ticks & 0xfff) * 1000 + 0xfff) >> 12;

	return (TimestampTz) ((ticks >> 12) * 1000 + fraction) - EPOCH_SHIFT;
}

static void
write_ticks(pg_uuid_t *uuid, uint64 ticks)
{
	uint64		milliseconds = ticks >> 12;

	for (int i = 0; i < 6; i++)
		uuid->data[i] = (unsigned char) (milliseconds >> (40 - 8 * i));
	uuid->data[6] = 0x70 | (unsigned char) ((ticks >> 8) & 0x0f);
	uuid->data[7] = (unsigned char) ticks;
}

/* The generator behind pg_strong_random() is dear to start, cheap to go on. */
static void
take_random(unsigned char *bytes)
{
	static unsigned char reserve[RESERVE * RANDOM_SIZE];
	static size_t left;

	if (left == 0)
	{
		if (!pg_strong_random(reserve, sizeof(reserve)))
			elog(ERROR, "could not generate random values");
		left = RESERVE;
	}
	memcpy(bytes, reserve + --left * RANDOM_SIZE, RANDOM_SIZE);
}

void
cpw_uuid7_generate(pg_uuid_t *uuid, TimestampTz *instant)
{
	static uint64 last;
	uint64		ticks = ticks_of(GetCurrentTimestamp());

	if (ticks <= last)
		ticks = last + 1;
	last = ticks;
	write_ticks(uuid, ticks);
	take_random(uuid->data + 8);
	uuid->data[8] = 0x80 | (uuid->data[8] & 0x3f);
	if (instant != NULL)
		*instant = instant_of(ticks);
}

void
cpw_uuid7_lower_bound(TimestampTz instant, pg_uuid_t *uuid)
{
	memset(uuid, 0, sizeof(pg_uuid_t));
	write_ticks(uuid, ticks_of(Min(Max(instant, -EPOCH_SHIFT), LAST_INSTANT)));
}

TimestampTz
cpw_uuid7_instant(const pg_uuid_t *uuid)
{
	uint64		ticks = 0;

	for (int i = 0; i < 6; i++)
		ticks = ticks << 8 | uuid->data[i];
	return instant_of(ticks << 12 | (uuid->data[6] & 0x0f) << 8 | uuid->data[7]);
}

char *
cpw_uuid7_text(const pg_uuid_t *uuid)
{
	char		hex[2 * UUID_LEN + 1];

	cpw_hex_encode(uuid->data, UUID_LEN, hex);
	return psprintf("%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
					hex + 16, hex + 20);
}
