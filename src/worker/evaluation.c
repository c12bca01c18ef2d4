/*
 * evaluation.c
 *		One POST on its way from request to verdict.
 *
 * A hostile body raises hard errors in the server (nesting, sizes, memory), so
 * parsing and filtering run under a guard, before anything is written. The
 * guard is shared: it is only paid for again after an error.
 */
#include "postgres.h"

#include "compat.h"
#include "net/deadline.h"
#include "pg/address.h"
#include "pg/guard.h"
#include "pg/judgement.h"
#include "pg/payload.h"
#include "pg/settings.h"
#include "utils/memutils.h"
#include "worker/evaluation.h"
#include "worker/memory_watch.h"
#include "worker/transaction.h"

/*
 * A body above this is parsed where it stays: it is alone in its batch, and a
 * copy of its tree would be dear.
 */
#define LARGE_BODY	(1024 * 1024)

/* What parsing a usual body takes, kept from one to the next. */
#define SCRATCH_SIZE	(512 * 1024)

/*
 * What may be spent on explaining wrong signatures: bytes of bodies a second,
 * each hashed about ten times, and what one costs at least.
 */
#define DIAGNOSIS_INTERVAL_MS	1000
#define DIAGNOSIS_BUDGET		(2 * 1024 * 1024)
#define DIAGNOSIS_COST			4096

typedef enum Step
{
	STEP_PARSE,
	STEP_FILTER
} Step;

typedef struct Judgement Judgement;

/* What is done to each item that is PENDING. */
typedef void (*Work) (Judgement *judgement, CpwItem *item);

struct Judgement
{
	Work		work;
	CpwItem   **items;
	int			count;
	int			current;
	Step		step;
};

static MemoryContext scratch;

void
cpw_evaluation_take(CpwPost *post, const CpwRequest *request,
					const char *query, size_t query_length)
{
	post->headers = request->headers;
	post->header_size = request->header_size;
	post->malformed = request->malformed;
	post->content_length = request->content_length;
	post->peer = &request->peer;
	post->body = request->body;
	post->body_length = request->body_length;
	post->query = query;
	post->query_length = query_length;
	post->refused = request->refused;
	post->refusal = request->owner;
	post->skipped = 0;
	post->now = cpw_settings_now();
	post->match = CPW_MATCH_NONE;
	post->answer = NULL;
}

void
cpw_evaluation_describe(CpwItem *item)
{
	static const CpwHeaders none = {NULL, 0};
	CpwRequest *request = item->request;
	CpwDelivery *delivery = &item->delivery;
	const char *secret_header = item->webhook->secret_header;
	struct sockaddr_storage client;

	delivery->peer_address = cpw_address_from_socket(&request->peer);
	(void) cpw_address_of_client(&request->peer, &request->headers,
								 cpw_setting_trusted_proxies, &client);
	delivery->source_address = cpw_address_from_socket(&client);

	/* What is refused for its size is not stored in its size. */
	if (request->refused == CPW_VERDICT_HEADERS_TOO_LARGE)
		delivery->headers = cpw_payload_headers(&none, secret_header);
	else
		delivery->headers = cpw_payload_headers(&request->headers,
												secret_header);
	cpw_judgement_identify(&item->post, item->webhook,
						   &delivery->provider_delivery_id, &delivery->event);
}

void
cpw_evaluation_authenticate(CpwItem *item)
{
	item->post.match = CPW_MATCH_NONE;
	item->post.answer = NULL;
	item->delivery.verdict =
		cpw_judgement_authenticate(&item->post, item->webhook,
								   &item->delivery.reason);
	item->delivery.signature = cpw_signature_match_name(item->post.match);
}

/* Whether this second has room for looking into so many bytes. */
static bool
take_diagnosis_budget(size_t bytes)
{
	static int64 second;
	static size_t spent;
	int64		now = cpw_deadline_now();

	if (now - second >= DIAGNOSIS_INTERVAL_MS)
	{
		second = now;
		spent = 0;
	}
	bytes += DIAGNOSIS_COST;
	if (spent + bytes > DIAGNOSIS_BUDGET)
		return false;
	spent += bytes;
	return true;
}

void
cpw_evaluation_diagnose(CpwItem *item)
{
	CpwDelivery *delivery = &item->delivery;

	if (delivery->verdict == CPW_VERDICT_BAD_SIGNATURE &&
		take_diagnosis_budget(item->post.body_length))
		delivery->reason = cpw_judgement_diagnose(&item->post, item->webhook,
												  delivery->reason);
}

/* Leaves item->payload NULL when the verdict is set. */
static void
parse_body(CpwItem *item)
{
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	size_t		length;
	const char *json = cpw_judgement_find_json(&item->post, item->webhook, &length,
											   &item->delivery.verdict,
											   &item->delivery.reason);

	if (json != NULL)
	{
		Jsonb	   *payload = cpw_payload_parse(json, length);

		if (length <= LARGE_BODY)
		{
			item->payload = MemoryContextAlloc(caller, VARSIZE(payload));
			memcpy(item->payload, payload, VARSIZE(payload));
		}
		else
			item->payload = payload;
	}
	MemoryContextSwitchTo(caller);
	if (json == NULL || length <= LARGE_BODY)
		MemoryContextReset(scratch);
}

/* False when the verdict is set. */
static bool
parse(Judgement *judgement, CpwItem *item)
{
	judgement->step = STEP_PARSE;
	if (item->payload == NULL)
		parse_body(item);
	return item->payload != NULL;
}

/* Takes what the payload tells of itself. */
static void
read_one(Judgement *judgement, CpwItem *item)
{
	CpwDelivery *delivery = &item->delivery;
	CpwPayloadFindings findings;

	if (!cpw_scheme_reads_body(item->webhook->scheme) ||
		!parse(judgement, item))
		return;
	findings.payload = item->payload;
	findings.id = delivery->provider_delivery_id;
	findings.event = delivery->event;
	delivery->verdict = cpw_judgement_read_payload(&item->post, item->webhook,
												   &findings,
												   &delivery->reason);
	delivery->signature = cpw_signature_match_name(item->post.match);
	delivery->provider_delivery_id = findings.id;
	delivery->event = findings.event;
	item->read_payload = findings.payload;
}

static void
judge_one(Judgement *judgement, CpwItem *item)
{
	CpwDelivery *delivery = &item->delivery;
	Jsonb	   *payload;

	if (!parse(judgement, item))
		return;
	payload = item->read_payload ? item->read_payload : item->payload;
	delivery->payload = payload;
	judgement->step = STEP_FILTER;
	delivery->verdict =
		cpw_judgement_decide(&item->post, item->webhook, payload,
							 delivery->headers, &delivery->reason);
	if (delivery->verdict >= CPW_VERDICT_BAD_REQUEST)
		delivery->payload = NULL;
	if (item->post.answer != NULL)
		delivery->http_status = item->post.answer->status;
}

static void
judge_rest(void *arg)
{
	Judgement  *judgement = arg;

	for (; judgement->current < judgement->count; judgement->current++)
	{
		CpwItem    *item = judgement->items[judgement->current];

		if (item->delivery.verdict != CPW_VERDICT_PENDING)
			continue;
		cpw_memory_watch_next();
		cpw_transaction_set_timeout(cpw_setting_filter_timeout);
		judgement->work(judgement, item);
	}
}

/* What an error in the guard means for the item that it came from. */
static void
judge_error(CpwItem *item, Step step, const ErrorData *error)
{
	CpwDelivery *delivery = &item->delivery;
	const char *problem = error->message;

	delivery->verdict = cpw_judgement_of_error(error, step == STEP_FILTER,
											   &delivery->reason,
											   &item->detail);
	if (cpw_memory_watch_has_cancelled())
	{
		problem = "it takes too much memory";
		item->detail = "Filter takes too much memory.";
	}
	if (delivery->verdict != CPW_VERDICT_IGNORED)
		delivery->payload = NULL;
	if (item->delivery.verdict == CPW_VERDICT_UNAVAILABLE)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not evaluate a delivery for webhook \"%s\": %s",
						item->webhook->name, problem)));
}

/* Does that work to all, each error being one item's own. */
static void
run(Work work, CpwItem **items, int count)
{
	Judgement	judgement = {work, items, count, 0, STEP_PARSE};

	cpw_memory_watch_begin();
	while (judgement.current < count)
	{
		ErrorData  *error = cpw_guard_run(judge_rest, &judgement);

		if (error == NULL)
			break;
		judge_error(items[judgement.current], judgement.step, error);
		MemoryContextReset(scratch);
		judgement.current++;
	}
	cpw_memory_watch_end();
	cpw_transaction_restore_timeout();
}

void
cpw_evaluation_read(CpwItem **items, int count)
{
	bool		is_needed = false;

	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "cp_webhook parse",
										SCRATCH_SIZE, SCRATCH_SIZE,
										ALLOCSET_DEFAULT_MAXSIZE);
	cpw_evaluation_forget();
	for (int i = 0; i < count; i++)
	{
		/* What an earlier attempt has parsed is kept, unless it was large. */
		if (items[i]->request->body_length > LARGE_BODY)
			items[i]->payload = NULL;
		items[i]->read_payload = NULL;
		is_needed |= cpw_scheme_reads_body(items[i]->webhook->scheme);
	}
	if (is_needed)
		run(read_one, items, count);
}

void
cpw_evaluation_judge(CpwItem **items, int count)
{
	run(judge_one, items, count);
}

void
cpw_evaluation_forget(void)
{
	if (scratch != NULL)
		MemoryContextReset(scratch);
}
