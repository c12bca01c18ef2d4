/*
 * memory_watch.c
 *		Ends a piece of work that takes too much memory.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "compat.h"
#include "miscadmin.h"
#include "pg/settings.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "worker/memory_watch.h"

/* Between two looks; a process can take some 2 MB in a millisecond. */
#define INTERVAL_MS		10

/*
 * What parsing and filtering may take beside the bodies that are there: what
 * README.md, "Settings", has of it. The tree of a value is 350 bytes, a body is
 * decoded, made jsonb in a buffer that doubles, and copied.
 */
#define VALUE_BYTES		350
#define BODY_COPIES		6
#define OTHER_BYTES		((size_t) 64 * 1024 * 1024)

static bool is_registered;
static TimeoutId timer;
static size_t page_size;

/* Of the work that is watched. */
static volatile size_t allowed;
static volatile size_t at_first_look;	/* 0: there was none yet */
static volatile sig_atomic_t has_cancelled;

/* Takes the number and the blank behind it. */
static size_t
take_number(const char **text)
{
	size_t		number = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++)
		number = number * 10 + (size_t) (**text - '0');
	if (**text == ' ')
		(*text)++;
	return number;
}

/*
 * What is resident and not shared with others, or 0 where nobody tells; of
 * signal-safe calls alone (signal-safety(7)).
 */
static size_t
own_memory(void)
{
	char		text[128];
	const char *next = text;
	ssize_t		length;
	size_t		resident;
	size_t		shared;
	int			fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	(void) take_number(&next);
	resident = take_number(&next);
	shared = take_number(&next);
	return resident > shared ? (resident - shared) * page_size : 0;
}

/* In a signal's handler. */
static void
look(void)
{
	size_t		now = own_memory();

	if (at_first_look == 0)
		at_first_look = now;
	else if (now > at_first_look + allowed && !has_cancelled)
	{
		has_cancelled = true;
		QueryCancelPending = true;
		InterruptPending = true;
	}
}

void
cpw_memory_watch_begin(void)
{
	if (!is_registered)
	{
		page_size = (size_t) sysconf(_SC_PAGESIZE);
		timer = RegisterTimeout(USER_TIMEOUT, look);
		is_registered = true;
	}
	allowed = (size_t) cpw_setting_max_json_values * VALUE_BYTES +
		(size_t) cpw_setting_max_body_size * BODY_COPIES + OTHER_BYTES;
	at_first_look = 0;
	has_cancelled = false;
	enable_timeout_every(timer,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 INTERVAL_MS),
						 INTERVAL_MS);
}

void
cpw_memory_watch_next(void)
{
	/* One that came a moment too late is not for what comes next. */
	if (has_cancelled)
		QueryCancelPending = false;
	has_cancelled = false;
}

bool
cpw_memory_watch_has_cancelled(void)
{
	return has_cancelled;
}

void
cpw_memory_watch_end(void)
{
	if (!is_registered)
		return;
	disable_timeout(timer, false);
	cpw_memory_watch_next();
}
