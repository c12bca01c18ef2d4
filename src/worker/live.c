/*
 * live.c
 *		The streams on which pages hear that deliveries have come.
 *
 * A receiver wakes this worker after a commit where it was asked to
 * (pg/counters.h): NOTIFY would tell of executions alone, and cost every batch
 * a lock of the whole database. What sessions record by redeliver() wakes
 * nobody, and is found by the look once a second.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "net/deadline.h"
#include "pg/settings.h"
#include "pg/uuid7.h"
#include "store/console.h"
#include "store/console_sessions.h"
#include "utils/syscache.h"
#include "worker/failure.h"
#include "worker/live.h"
#include "worker/transaction.h"

/* Between two looks: with something to see, and without. */
#define LEAST_PAUSE_MS		250
#define PAUSE_MS			1000

/* In which a stream hears something, or it is not known whether it is there. */
#define HEARTBEAT_MS		10000

#define LOOK_TIMEOUT_MS		1000

/* What a stream whose session has ended hears last. */
#define END_EVENT	"event: end\ndata: {}\n\n"

typedef struct Stream
{
	CpwRequest *request;		/* NULL: free */
	char		hash[CPW_HASH_TEXT_SIZE];
	int64		told_at;
	bool		is_over;		/* its session is */
} Stream;

static CpwListener *listener;
static CpwShared *shared;
static CpwWorkerSlot *slot;
static Stream streams[CPW_MAX_STREAMS];
static int	open_streams;

/* On the monotonic clock; and what the last look saw. */
static int64 looked_at;
static pg_uuid_t newest;

void
cpw_live_init(CpwListener *the_listener, CpwShared *the_shared,
			  CpwWorkerSlot *the_slot)
{
	listener = the_listener;
	shared = the_shared;
	slot = the_slot;
	pg_atomic_write_u32(&shared->watch.is_wanted, 0);
	shared->watch.latch = MyLatch;
}

/* Below a frame of libmicrohttpd: it may not throw. */
static void
forget(CpwRequest *request)
{
	((Stream *) request->owner)->request = NULL;
	open_streams--;
}

static void
send_text(Stream *stream, const char *text)
{
	stream->told_at = cpw_deadline_now();
	cpw_listener_send(listener, stream->request, text, strlen(text));
}

bool
cpw_live_open(CpwRequest *request, const char *session_hash,
			  const char *first)
{
	Stream	   *stream = streams;

	while (stream < streams + CPW_MAX_STREAMS && stream->request != NULL)
		stream++;
	if (stream == streams + CPW_MAX_STREAMS)
		return false;
	request->owner = stream;
	if (!cpw_listener_open_stream(listener, request, forget))
		return false;
	stream->request = request;
	stream->is_over = false;
	strlcpy(stream->hash, session_hash, sizeof(stream->hash));
	open_streams++;
	send_text(stream, psprintf("event: deliveries\ndata: %s\n\n", first));
	pg_atomic_write_u32(&shared->watch.is_wanted, 1);
	return true;
}

/* ---- looking ---- */

typedef struct Look
{
	pg_uuid_t	newest;
	bool		is_any;
} Look;

static void
work(void *arg)
{
	Look	   *look = arg;

	look->is_any = cpw_console_newest(&look->newest);
	for (int i = 0; i < CPW_MAX_STREAMS; i++)
	{
		Oid			role;

		if (streams[i].request == NULL)
			continue;
		role = cpw_console_sessions_find(streams[i].hash);
		streams[i].is_over = !OidIsValid(role) ||
			!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role));
	}
}

static void
end_stream(Stream *stream)
{
	send_text(stream, END_EVENT);
	cpw_listener_end_stream(listener, stream->request);
}

static void
end_all(void)
{
	for (int i = 0; i < CPW_MAX_STREAMS; i++)
		if (streams[i].request != NULL)
			end_stream(&streams[i]);
}

/* Tells all streams what was seen; whether any was told anything. */
static bool
tell(const char *event)
{
	int64		now = cpw_deadline_now();
	bool		told = false;

	for (int i = 0; i < CPW_MAX_STREAMS; i++)
	{
		Stream	   *stream = &streams[i];

		if (stream->request == NULL)
			continue;
		if (stream->is_over)
			end_stream(stream);
		else if (event != NULL)
			send_text(stream, event);
		else if (now - stream->told_at >= HEARTBEAT_MS)
			send_text(stream, ":\n\n");
		else
			continue;
		told = true;
	}
	return told;
}

static bool
is_woken(void)
{
	return pg_atomic_read_u32(&shared->watch.is_wanted) == 0;
}

long
cpw_live_timeout(void)
{
	if (open_streams == 0)
		return -1;
	return (long) Max(looked_at + (is_woken() ? LEAST_PAUSE_MS : PAUSE_MS) -
					  cpw_deadline_now(), 0);
}

bool
cpw_live_run(void)
{
	bool		woken;
	Look		look = {0};
	bool		is_done;
	ErrorData  *error;

	if (open_streams == 0)
		return false;
	if (!cpw_setting_console)
	{
		end_all();
		return true;
	}
	if (cpw_live_timeout() > 0)
		return false;
	woken = is_woken();
	looked_at = cpw_deadline_now();
	/* Before the look: what is committed from here on wakes again. */
	pg_atomic_write_u32(&shared->watch.is_wanted, 1);
	error = cpw_transaction_run("watching deliveries", LOOK_TIMEOUT_MS,
								CPW_AS_OWNER, work, &look, &is_done);
	if (error != NULL)
	{
		cpw_failure_tell(slot, "a look at deliveries", error);
		return tell(NULL);
	}
	if (!is_done)
	{
		end_all();
		return true;
	}
	woken |= memcmp(&look.newest, &newest, sizeof(newest)) != 0;
	newest = look.newest;
	return tell(woken && look.is_any
				? psprintf("event: deliveries\ndata: {\"newest\":\"%s\"}\n\n",
						   cpw_uuid7_text(&newest)) : NULL);
}
