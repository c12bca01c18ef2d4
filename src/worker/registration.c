/*
 * registration.c
 *		The maintenance worker's part in registrations: which attempts there
 *		are, their requests, and the transactions in which they are judged.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "net/deadline.h"
#include "net/http_client.h"
#include "pg/settings.h"
#include "storage/fd.h"
#include "store/registrations.h"
#include "utils/memutils.h"
#include "worker/attempt.h"
#include "worker/registration.h"
#include "worker/transaction.h"

/*
 * Requests at once, and of one API: a third party that does not answer must
 * not hold up the others.
 */
#define MAX_ATTEMPTS			8
#define MAX_PER_API				4

/* Between two looks for what nobody has woken us for. */
#define LOOK_MS					5000
#define LOCKED_MS				250
#define REVIEW_MS				60000

/* For judging one answer; until it is judged again after that failed. */
#define JUDGE_TIMEOUT_MS		10000
#define JUDGE_PAUSE_MS			200

#define CONNECT_TIMEOUT_MS		10000
#define MAX_ANSWER				(4 * 1024 * 1024)

typedef struct Slot
{
	CpwAttempt *attempt;		/* NULL: free */
	bool		is_new;			/* taken by a transaction that is open */
	bool		has_begun;		/* its first step was decided */
	CpwHttpTransfer *transfer;	/* that was answered */
	CpwHttpAnswer answer;
	int64		due;			/* when it is judged (again) */
	int			failure;		/* the SQLSTATE of why it was not */
} Slot;

static CpwHttpClient *client;
static Slot slots[MAX_ATTEMPTS];

/* What a process before this one left behind has been put right. */
static bool has_reset;
static bool resets_now;

int
cpw_registration_init(void)
{
	client = cpw_http_client_create();
	if (client == NULL)
	{
		ereport(LOG,
				(errmsg("cp_webhook cannot register webhooks: libcurl cannot be initialized")));
		return -1;
	}
	ReserveExternalFD();
	return cpw_http_client_descriptor(client);
}

static void
free_slot(Slot *slot)
{
	if (slot->transfer != NULL)
		cpw_http_client_forget(slot->transfer);
	if (slot->attempt != NULL)
	{
		/* The server's memory is not wiped when it is freed. */
		if (slot->attempt->row.access_token != NULL)
			explicit_bzero(slot->attempt->row.access_token,
						   strlen(slot->attempt->row.access_token));
		MemoryContextDelete(slot->attempt->context);
	}
	memset(slot, 0, sizeof(Slot));
}

/* ---- taking ---- */

static int
count_free(void)
{
	int			count = 0;

	for (int i = 0; i < MAX_ATTEMPTS; i++)
		count += slots[i].attempt == NULL;
	return count;
}

static MemoryContext
make_context(void)
{
	return AllocSetContextCreate(TopMemoryContext, "cp_webhook registration",
								 ALLOCSET_SMALL_SIZES);
}

/* A copy in the attempt's own context. */
static void
copy_row(CpwRegistration *to, const CpwRegistration *from)
{
	*to = *from;
	to->webhook = pstrdup(from->webhook);
	to->url_token = pstrdup(from->url_token);
	to->provider = pstrdup(from->provider);
	to->api_url = pstrdup(from->api_url);
	to->repository = pstrdup(from->repository);
	to->access_token = from->access_token ? pstrdup(from->access_token) : NULL;
	to->problem = from->problem ? pstrdup(from->problem) : NULL;
	to->hook_id = from->hook_id ? pstrdup(from->hook_id) : NULL;
	to->fingerprint = from->fingerprint ? pstrdup(from->fingerprint) : NULL;
}

static void
take(Slot *slot, const CpwRegistration *row)
{
	MemoryContext context = make_context();
	MemoryContext caller = MemoryContextSwitchTo(context);

	slot->attempt = palloc0(sizeof(CpwAttempt));
	slot->attempt->context = context;
	slot->is_new = true;
	copy_row(&slot->attempt->row, row);
	MemoryContextSwitchTo(caller);
}

long
cpw_registration_take(void)
{
	CpwRegistration *rows;
	int			count;
	int			room = count_free();
	long		next;

	if (client == NULL)
		return LOOK_MS;
	resets_now = !has_reset;
	if (resets_now)
		cpw_registrations_reset();
	if (room == 0)
		return LOOK_MS;
	count = cpw_registrations_take(room, MAX_PER_API, &rows);
	for (int i = 0, row = 0; i < MAX_ATTEMPTS && row < count; i++)
		if (slots[i].attempt == NULL)
			take(&slots[i], &rows[row++]);

	/*
	 * What is due and was not taken waits for the end of an attempt, which
	 * makes us look, or for that of somebody's transaction.
	 */
	next = count > 0 ? 0 : cpw_registrations_next(LOOK_MS);
	if (count > 0 || next > 0)
		return next;
	return room < MAX_ATTEMPTS ? LOOK_MS : LOCKED_MS;
}

long
cpw_registration_review(void)
{
	return cpw_registrations_review(cpw_settings_public_url()) > 0
		? 1000 : REVIEW_MS;
}

/* ---- requests ---- */

static void
send_request(Slot *slot)
{
	CpwProviderRequest *text = palloc(sizeof(CpwProviderRequest));
	const char *headers[CPW_PROVIDER_MAX_HEADERS + 1];
	CpwHttpRequest request = {
		.headers = headers,
		.proxy = *cpw_setting_registration_proxy != '\0' ?
		cpw_setting_registration_proxy : NULL,
		.ca_file = *cpw_setting_registration_ca_file != '\0' ?
		cpw_setting_registration_ca_file : NULL,
		.timeout = cpw_setting_registration_timeout,
		.connect_timeout = Min(CONNECT_TIMEOUT_MS, cpw_setting_registration_timeout),
		.max_body = MAX_ANSWER,
	};
	bool		is_started = false;

	if (cpw_attempt_write(slot->attempt, text))
	{
		for (int i = 0; i < text->header_count; i++)
			headers[request.header_count++] = text->headers[i];
		headers[request.header_count++] = "User-Agent: cp_webhook/" CPW_VERSION;
		request.method = text->method;
		request.url = text->url;
		request.body = text->body[0] != '\0' ? text->body : NULL;
		is_started = cpw_http_client_start(client, &request, slot) != NULL;
	}
	explicit_bzero(text, sizeof(CpwProviderRequest));
	pfree(text);
	if (is_started)
		return;

	/* It is judged as one that had no answer. */
	slot->answer = (CpwHttpAnswer)
	{
		.failure = CPW_HTTP_CONNECTION,
			.text = "the request could not be made (a token or setting that it cannot hold, or no memory)",
			.headers = "",.body = "",
	};
	slot->due = cpw_deadline_now();
}

void
cpw_registration_start(bool committed)
{
	for (int i = 0; i < MAX_ATTEMPTS; i++)
	{
		if (!slots[i].is_new)
			continue;
		slots[i].is_new = false;
		slots[i].due = cpw_deadline_now();
		if (!committed)
			free_slot(&slots[i]);
	}
	if (committed && resets_now)
		has_reset = true;
}

/* ---- judging ---- */

typedef struct Judgement
{
	Slot	   *slot;
	bool		goes_on;
} Judgement;

static void
judge(void *arg)
{
	Judgement  *judgement = arg;
	CpwAttempt *attempt = judgement->slot->attempt;
	MemoryContext caller = MemoryContextSwitchTo(attempt->context);

	judgement->goes_on = judgement->slot->has_begun
		? cpw_attempt_go_on(attempt, &judgement->slot->answer)
		: cpw_attempt_begin(attempt);
	MemoryContextSwitchTo(caller);
}

/*
 * Judges an answer. What could not be committed is judged again from where it
 * was: somebody may hold a lock on the row.
 */
static void
judge_slot(Slot *slot)
{
	Judgement	judgement = {slot, false};
	CpwAttempt	before = *slot->attempt;
	bool		is_done;
	ErrorData  *error = cpw_transaction_run("judging a registration",
											JUDGE_TIMEOUT_MS, CPW_AS_OWNER,
											judge, &judgement, &is_done);

	if (error != NULL)
	{
		if (slot->failure != error->sqlerrcode &&
			error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ereport(LOG,
					(errcode(error->sqlerrcode),
					 errmsg("failed while judging a registration: %s",
							error->message)));
		slot->failure = error->sqlerrcode;
		*slot->attempt = before;

		/* The queue of notifications is full: it must do without. */
		if (error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			slot->attempt->is_quiet = true;
		slot->due = cpw_deadline_now() + JUDGE_PAUSE_MS;
		return;
	}
	if (!is_done || !judgement.goes_on)
	{
		free_slot(slot);
		return;
	}
	if (slot->transfer != NULL)
		cpw_http_client_forget(slot->transfer);
	slot->transfer = NULL;
	slot->has_begun = true;
	slot->due = 0;
	slot->failure = 0;
	send_request(slot);
}

static void
collect_answers(void)
{
	CpwHttpTransfer *transfer;
	CpwHttpAnswer answer;
	void	   *owner;

	cpw_http_client_run(client);
	while ((transfer = cpw_http_client_take(client, &owner, &answer)) != NULL)
	{
		Slot	   *slot = owner;

		slot->transfer = transfer;
		slot->answer = answer;
		slot->due = cpw_deadline_now();
	}
}

bool
cpw_registration_run(void)
{
	int			before = count_free();

	if (client == NULL)
		return false;
	collect_answers();
	for (int i = 0; i < MAX_ATTEMPTS; i++)
	{
		if (slots[i].due != 0 && slots[i].due <= cpw_deadline_now())
			judge_slot(&slots[i]);
		CHECK_FOR_INTERRUPTS();
	}
	return count_free() > before;
}

long
cpw_registration_timeout(void)
{
	long		timeout;

	if (client == NULL)
		return -1;
	timeout = cpw_http_client_timeout(client);
	for (int i = 0; i < MAX_ATTEMPTS; i++)
	{
		long		left = (long) Max(slots[i].due - cpw_deadline_now(), 0);

		if (slots[i].due != 0 && (timeout < 0 || left < timeout))
			timeout = left;
	}
	return timeout;
}
