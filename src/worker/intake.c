/*
 * intake.c
 *		Requests -> verdicts.
 *
 * A request is seen twice: when its headers have arrived it is routed, and
 * either answered, or turned down for a reason that is worth a row, or let go
 * on to its body; when it is complete it joins a batch. Whatever became ready
 * while the last batch committed is the next one: no timer, no added delay.
 */
#include "postgres.h"

#include "base/media_type.h"
#include "base/headers.h"
#include "base/trigger_path.h"
#include "base/verdict.h"
#include "compat.h"
#include "pg/settings.h"
#include "pg/uuid7.h"
#include "portability/instr_time.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "worker/batch.h"
#include "worker/evaluation.h"
#include "worker/intake.h"
#include "worker/tally.h"

/* A client that met a passing fault may come back after so many seconds. */
#define RETRY_AFTER_SECONDS		1

/* Bodies of one batch together; a larger one is alone in its batch. */
#define BATCH_BYTES				(1024 * 1024 * 8)
#define LONE_BODY				(1024 * 1024)

/* Memory that is kept from one batch to the next. */
#define KEPT_SIZE				(1024 * 1024)

static CpwListener *listener;
static CpwWorkerSlot *slot;
static MemoryContext round_context;	/* of one cpw_intake_run() */
static MemoryContext batch_context; /* of one batch */

/* Requests that are turned down and will be recorded with the next batch. */
static CpwRequest *turned_down;
static CpwRequest **turned_down_end = &turned_down;

/* Requests that ask for the worker's health. */
static CpwRequest *health_checks;

void
cpw_intake_init(CpwListener *the_listener, CpwWorkerSlot *the_slot)
{
	listener = the_listener;
	slot = the_slot;
	cpw_batch_init(slot);
	round_context = AllocSetContextCreate(TopMemoryContext, "cp_webhook loop",
										  ALLOCSET_DEFAULT_SIZES);
	batch_context = AllocSetContextCreate(TopMemoryContext, "cp_webhook batch",
										  KEPT_SIZE, KEPT_SIZE,
										  ALLOCSET_DEFAULT_MAXSIZE);
}

static void
answer(CpwRequest *request, CpwVerdict verdict, const char *execution_id,
	   const char *detail, const char *allow)
{
	char		body[CPW_ANSWER_SIZE];
	size_t		length = cpw_verdict_body(verdict, execution_id, detail, body);

	cpw_counters_add(&slot->verdicts[verdict], 1);
	cpw_listener_answer(listener, request,
						cpw_verdict_meaning(verdict)->status, body, length,
						allow, verdict == CPW_VERDICT_UNAVAILABLE
						? RETRY_AFTER_SECONDS : 0);
}

/* Answers a handshake in its own words. */
static void
answer_challenge(CpwRequest *request, const CpwChallengeAnswer *own)
{
	cpw_counters_add(&slot->verdicts[CPW_VERDICT_PONG], 1);
	request->answer_type = own->type;

	/* It may hold a stranger's text: nobody shall guess what that is. */
	request->answer_header = "X-Content-Type-Options";
	strlcpy(request->answer_value, "nosniff", sizeof(request->answer_value));
	cpw_listener_answer(listener, request, own->status, own->body,
						own->length, NULL, 0);
}

/* ---- arrived ---- */

static void
copy_token(const CpwTarget *target, char token[CPW_TOKEN_LENGTH + 1])
{
	memcpy(token, target->token, CPW_TOKEN_LENGTH);
	token[CPW_TOKEN_LENGTH] = '\0';
}

static bool
method_is(const CpwRequest *request, const char *method)
{
	return strcmp(request->method, method) == 0;
}

static void
turn_down(CpwRequest *request, CpwVerdict verdict, const char *reason)
{
	request->refused = verdict;

	request->owner = unconstify(char *, reason);
	request->next = NULL;
	*turned_down_end = request;
	turned_down_end = &request->next;
}

/* The request is a POST on the URL of a known webhook. */
static void
admit(CpwRequest *request, const CpwWebhook *webhook, const CpwTarget *target)
{
	const char *reason = NULL;
	const CpwHeader *type;
	CpwVerdict	verdict;
	CpwPost		post;

	cpw_evaluation_take(&post, request, target->query, target->query_length);
	verdict = cpw_admission_check(&post, webhook, &reason);
	if (verdict != CPW_VERDICT_PENDING)
	{
		turn_down(request, verdict, reason);
		return;
	}
	type = cpw_headers_find(&request->headers, "content-type", NULL);
	cpw_listener_read_body(listener, request,
						   cpw_media_type_parse(type->value, type->value_length) ==
						   CPW_MEDIA_TYPE_JSON);
}

/*
 * A handshake in the query of a scheme that has one. It is answered at once,
 * and leaves no row: who asks has shown nothing.
 */
static bool
take_handshake(CpwRequest *request, const CpwWebhook *webhook,
			   const CpwTarget *target)
{
	bool		is_get = method_is(request, "GET");
	const char *reason = NULL;
	CpwChallengeResult result;
	CpwChallengeAnswer own;
	CpwVerdict	verdict;
	CpwPost		post;

	if (request->malformed != NULL || (!is_get && !method_is(request, "POST")))
		return false;
	result = cpw_challenge_of_query(webhook->scheme, is_get, target->query,
									target->query_length, webhook->key,
									webhook->verify_token, &own);
	if (result == CPW_CHALLENGE_NONE)
		return false;
	if (webhook->unavailable != NULL)
	{
		answer(request, CPW_VERDICT_UNAVAILABLE, NULL, NULL, NULL);
		return true;
	}
	if (result == CPW_CHALLENGE_REFUSED)
	{
		answer(request, webhook->scheme->handshake == CPW_HANDSHAKE_META ?
			   CPW_VERDICT_BAD_SIGNATURE : CPW_VERDICT_BAD_REQUEST, NULL,
			   "The handshake is not one that can be answered.", NULL);
		return true;
	}
	cpw_evaluation_take(&post, request, target->query, target->query_length);
	verdict = cpw_admission_check_steps(CPW_STEP_ADDRESS, &post, webhook,
										&reason);
	if (verdict == CPW_VERDICT_PENDING)
		answer_challenge(request, &own);
	else
		answer(request, verdict, NULL, NULL, NULL);
	return true;
}

static void
route(CpwRequest *request, bool database_is_ready)
{
	CpwTarget	target;
	char		token[CPW_TOKEN_LENGTH + 1];
	CpwWebhook *webhook = NULL;

	cpw_target_parse(request->target, strlen(request->target), &target);
	if (request->malformed != NULL && target.kind != CPW_TARGET_TRIGGER)
	{
		answer(request, CPW_VERDICT_BAD_REQUEST, NULL, request->malformed, NULL);
		return;
	}
	if (target.kind == CPW_TARGET_HEALTHZ)
	{
		if (!method_is(request, "GET") && !method_is(request, "HEAD"))
			answer(request, CPW_VERDICT_METHOD_NOT_ALLOWED, NULL, NULL,
				   "GET, HEAD");
		else
		{
			request->next = health_checks;
			health_checks = request;
		}
		return;
	}
	if (target.kind != CPW_TARGET_TRIGGER)
	{
		answer(request, CPW_VERDICT_NOT_FOUND, NULL, NULL, NULL);
		return;
	}
	copy_token(&target, token);
	if (!cpw_webhook_cache_find(token, &webhook) || !database_is_ready)
		answer(request, CPW_VERDICT_UNAVAILABLE, NULL, NULL, NULL);
	else if (cpw_webhook_cache_mismatch() != NULL)
		answer(request, CPW_VERDICT_UNAVAILABLE, NULL, NULL, NULL);
	else if (request->malformed != NULL &&
			 (webhook == NULL || !method_is(request, "POST")))
		answer(request, CPW_VERDICT_BAD_REQUEST, NULL, request->malformed, NULL);
	else if (webhook == NULL)
		answer(request, CPW_VERDICT_NOT_FOUND, NULL, NULL, NULL);
	else if (take_handshake(request, webhook, &target))
		return;
	else if (!method_is(request, "POST"))
		answer(request, CPW_VERDICT_METHOD_NOT_ALLOWED, NULL, NULL, "POST");
	else
		admit(request, webhook, &target);
}

/* Loads what the cache does not know of the tokens that were asked for. */
static bool
load_unknown(CpwRequest *first)
{
	const char **tokens;
	CpwWebhook *webhook;
	int			requests = 0;
	int			count = 0;

	for (CpwRequest *request = first; request != NULL; request = request->next)
		requests++;
	tokens = palloc(sizeof(char *) * requests);
	for (CpwRequest *request = first; request != NULL; request = request->next)
	{
		CpwTarget	target;
		char	   *token;

		cpw_target_parse(request->target, strlen(request->target), &target);
		if (target.kind != CPW_TARGET_TRIGGER)
			continue;
		token = palloc(CPW_TOKEN_LENGTH + 1);
		copy_token(&target, token);
		tokens[count++] = token;
	}
	/* All or none: a load may throw out what was known before. */
	for (int i = 0; i < count; i++)
		if (!cpw_webhook_cache_find(tokens[i], &webhook))
			return cpw_batch_load_webhooks(tokens, count);
	return true;
}

static bool
take_arrived(void)
{
	CpwRequest *request = cpw_listener_take_arrived(listener);
	bool		ready;

	if (request == NULL)
		return false;
	ready = load_unknown(request);
	while (request != NULL)
	{
		CpwRequest *next = request->next;

		route(request, ready);
		request = next;
	}
	return true;
}

static void
answer_health_checks(void)
{
	CpwVerdict	verdict;

	if (health_checks == NULL)
		return;
	verdict = cpw_batch_check_health() ? CPW_VERDICT_HEALTHY
		: CPW_VERDICT_UNAVAILABLE;
	while (health_checks != NULL)
	{
		CpwRequest *request = health_checks;

		health_checks = request->next;
		answer(request, verdict, NULL, NULL, NULL);
	}
}

/* ---- complete ---- */

static CpwItem *
make_item(CpwRequest *request)
{
	CpwItem    *item = palloc0(sizeof(CpwItem));
	CpwTarget	target;

	item->request = request;
	cpw_target_parse(request->target, strlen(request->target), &target);
	cpw_evaluation_take(&item->post, request, target.query,
						target.query_length);
	copy_token(&target, item->token);
	return item;
}

static void
answer_item(CpwItem *item)
{
	CpwVerdict	verdict = item->delivery.verdict;
	char	   *execution_id = NULL;

	if (verdict == CPW_VERDICT_PONG && item->post.answer != NULL)
	{
		answer_challenge(item->request, item->post.answer);
		return;
	}
	if (verdict == CPW_VERDICT_TRIGGERED || verdict == CPW_VERDICT_DUPLICATE)
		execution_id = cpw_uuid7_text(&item->delivery.execution);
	answer(item->request, verdict, execution_id, item->detail, NULL);
}

static void
run_batch(CpwItem **items, int count)
{
	instr_time	start;
	instr_time	end;

	INSTR_TIME_SET_CURRENT(start);
	cpw_batch_record(items, count);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	cpw_counters_add(&slot->batches, 1);
	cpw_counters_add(&slot->batched, count);
	cpw_counters_add(&slot->batch_microseconds, INSTR_TIME_GET_MICROSEC(end));
	cpw_counters_count(&slot->batch_sizes, count);
	cpw_counters_count_time(&slot->batch_times, INSTR_TIME_GET_MICROSEC(end));
	if ((uint64) count > pg_atomic_read_u64(&slot->largest_batch))
		pg_atomic_write_u64(&slot->largest_batch, count);
	for (int i = 0; i < count; i++)
	{
		cpw_counters_add(&slot->body_bytes, items[i]->request->body_length);
		answer_item(items[i]);
	}
}

/* The next batch of a list; returns where the list goes on. */
static CpwRequest *
record_some(CpwRequest *first)
{
	MemoryContext caller = MemoryContextSwitchTo(batch_context);
	CpwItem   **items = palloc(sizeof(CpwItem *) * cpw_setting_max_batch);
	size_t		bytes = 0;
	int			count = 0;

	while (first != NULL && count < cpw_setting_max_batch)
	{
		if (count > 0 && (first->body_length > LONE_BODY ||
						  bytes + first->body_length > BATCH_BYTES))
			break;
		bytes += first->body_length;
		items[count++] = make_item(first);
		first = first->next;
		if (bytes > LONE_BODY && count == 1)
			break;
	}
	run_batch(items, count);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(batch_context);
	return first;
}

static bool
take_complete(void)
{
	CpwRequest *first;

	*turned_down_end = cpw_listener_take_complete(listener);
	first = turned_down;
	turned_down = NULL;
	turned_down_end = &turned_down;
	if (first == NULL)
		return false;
	while (first != NULL)
	{
		first = record_some(first);
		/* The answers need not wait for the next batch. */
		if (first != NULL)
			cpw_listener_move(listener);
	}
	return true;
}

bool
cpw_intake_run(void)
{
	MemoryContext caller = MemoryContextSwitchTo(round_context);
	bool		worked;

	/* A request must not see a definition that is older than itself. */
	AcceptInvalidationMessages();
	worked = take_arrived();

	/* Bodies that came with their headers join this batch. */
	if (worked)
		cpw_listener_move(listener);
	worked |= take_complete();
	answer_health_checks();
	MemoryContextSwitchTo(caller);
	MemoryContextReset(round_context);
	return worked;
}
