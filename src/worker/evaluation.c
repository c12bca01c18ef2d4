/*
 * evaluation.c
 *		One POST on its way from request to verdict.
 *
 * A hostile body raises hard errors in the server (nesting, sizes, memory), so
 * parsing and filtering run under a guard, before anything is written. The
 * guard is shared: it is only paid for again after an error.
 */
#include "postgres.h"

#include "base/headers.h"
#include "base/json_scan.h"
#include "base/media_type.h"
#include "compat.h"
#include "pg/address.h"
#include "pg/guard.h"
#include "pg/payload.h"
#include "pg/settings.h"
#include "utils/memutils.h"
#include "worker/admission.h"
#include "worker/evaluation.h"
#include "worker/transaction.h"

/*
 * A body above this is parsed where it stays: it is alone in its batch, and a
 * copy of its tree would be dear.
 */
#define LARGE_BODY	(1024 * 1024)

/* What parsing a usual body takes, kept from one to the next. */
#define SCRATCH_SIZE	(512 * 1024)

typedef enum Step
{
	STEP_PARSE,
	STEP_FILTER
} Step;

typedef struct Judgement
{
	CpwItem   **items;
	int			count;
	int			current;
	Step		step;
} Judgement;

static MemoryContext scratch;

static void
set_verdict(CpwItem *item, CpwVerdict verdict, const char *reason)
{
	item->delivery.verdict = verdict;
	item->delivery.reason = reason;
}

static const char *
header_text(const CpwHeader *header)
{
	if (header == NULL)
		return NULL;
	return cpw_payload_text(header->value, header->value_length);
}

void
cpw_evaluation_describe(CpwItem *item)
{
	static const CpwHeaders none = {NULL, 0};
	CpwRequest *request = item->request;
	CpwDelivery *delivery = &item->delivery;
	const CpwHeader *id = cpw_headers_delivery_id(&request->headers);
	const CpwHeader *event = cpw_headers_event(&request->headers);
	struct sockaddr_storage client;

	delivery->peer_address = cpw_address_from_socket(&request->peer);
	(void) cpw_address_of_client(&request->peer, &request->headers,
								 cpw_setting_trusted_proxies, &client);
	delivery->source_address = cpw_address_from_socket(&client);

	/* What is refused for its size is not stored in its size. */
	if (request->refused == CPW_VERDICT_HEADERS_TOO_LARGE)
		delivery->headers = cpw_payload_headers(&none);
	else
		delivery->headers = cpw_payload_headers(&request->headers);
	if (id != NULL && id->value_length <= CPW_MAX_ID_LENGTH)
		delivery->provider_delivery_id = header_text(id);
	if (event != NULL && event->value_length <= CPW_MAX_ID_LENGTH)
		delivery->event = header_text(event);
}

void
cpw_evaluation_authenticate(CpwItem *item)
{
	CpwRequest *request = item->request;
	CpwWebhook *webhook = item->webhook;
	CpwSignatureResult result;
	const char *reason = NULL;
	CpwVerdict	verdict;

	/* Refused at its headers, or while its body was read. */
	if (request->refused != CPW_VERDICT_PENDING)
	{
		reason = request->owner;
		if (reason == NULL && request->refused == CPW_VERDICT_BODY_TOO_LARGE)
			reason = "body is too large, or holds too many values";
		set_verdict(item, request->refused, reason);
		return;
	}

	/* The definition may be another one than when the headers came. */
	verdict = cpw_admission_check(request, webhook, &reason);
	if (verdict != CPW_VERDICT_PENDING)
	{
		set_verdict(item, verdict, reason);
		return;
	}
	if (webhook->authentication != CPW_AUTHENTICATION_GITHUB_HMAC)
		return;
	result = cpw_signature_verify(webhook->key, &request->headers,
								  request->body ? request->body : "",
								  request->body_length);
	if (result == CPW_SIGNATURE_VALID)
		return;
	if (result == CPW_SIGNATURE_FAILED)
		set_verdict(item, CPW_VERDICT_UNAVAILABLE,
					"the signature could not be computed");
	else
		set_verdict(item, CPW_VERDICT_BAD_SIGNATURE,
					cpw_signature_explain(webhook->authentication, result));
}

/* The JSON text of a request's body, or NULL with the verdict set. */
static const char *
find_json(CpwItem *item, size_t *length)
{
	CpwRequest *request = item->request;
	const CpwHeader *type = cpw_headers_find(&request->headers,
											 "content-type", NULL);
	CpwJsonScan scan = {0};
	const char *json;

	if (request->body_length == 0)
	{
		set_verdict(item, CPW_VERDICT_BAD_JSON, "the body is empty");
		return NULL;
	}
	*length = request->body_length;
	if (type == NULL || cpw_media_type_parse(type->value, type->value_length) !=
		CPW_MEDIA_TYPE_FORM)
		return request->body;
	json = cpw_payload_from_form(request->body, request->body_length, length);
	if (json == NULL)
	{
		set_verdict(item, CPW_VERDICT_BAD_JSON,
					"the form has no well encoded field \"payload\"");
		return NULL;
	}
	/* The listener counts values in JSON alone. */
	cpw_json_scan(&scan, json, *length);
	if (scan.structural > (size_t) cpw_setting_max_json_values)
	{
		set_verdict(item, CPW_VERDICT_BODY_TOO_LARGE,
					"the body holds too many values");
		return NULL;
	}
	return json;
}

/* Leaves item->payload NULL when the verdict is set. */
static void
parse_body(CpwItem *item)
{
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	size_t		length;
	const char *json = find_json(item, &length);

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

static void
filter(CpwItem *item)
{
	CpwWebhook *webhook = item->webhook;
	Jsonb	   *variables = NULL;

	if (webhook->uses_variables)
		variables = cpw_payload_variables(item->delivery.headers,
										  cpw_payload_query(item->target.query,
															item->target.query_length));
	for (int i = 0; i < webhook->filter_count; i++)
	{
		const CpwFilter *rule = webhook->filters[i];
		const char *wanted = webhook->wanted[i];
		char	   *found;

		switch (cpw_filter_evaluate(rule, wanted, item->payload, variables,
									&found))
		{
			case CPW_FILTER_PASSES:
				continue;
			case CPW_FILTER_FINDS_NOTHING:
				set_verdict(item, CPW_VERDICT_IGNORED,
							psprintf("filter %d: %s selects nothing",
									 i + 1, rule->json_path));
				return;
			case CPW_FILTER_DIFFERS:
				if (wanted != NULL)
					set_verdict(item, CPW_VERDICT_IGNORED,
								psprintf("filter %d: %s is %s, wanted \"%s\"",
										 i + 1, rule->json_path, found,
										 webhook->shown[i]));
				else
					set_verdict(item, CPW_VERDICT_IGNORED,
								psprintf("filter %d: %s is %s", i + 1,
										 rule->json_path, found));
				return;
		}
	}
	item->delivery.verdict = CPW_VERDICT_TRIGGERED;
}

static void
judge_one(Judgement *judgement, CpwItem *item)
{
	judgement->step = STEP_PARSE;
	if (item->payload == NULL)
	{
		parse_body(item);
		if (item->payload == NULL)
			return;
	}
	item->delivery.payload = item->payload;
	judgement->step = STEP_FILTER;
	if (cpw_headers_is_ping(&item->request->headers))
		item->delivery.verdict = CPW_VERDICT_PONG;
	else if (item->webhook->broken != NULL)
		set_verdict(item, CPW_VERDICT_IGNORED, item->webhook->broken);
	else
		filter(item);
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
		cpw_transaction_set_timeout(cpw_setting_filter_timeout);
		judge_one(judgement, item);
	}
}

/* What an error in the guard means for the item that it came from. */
static void
judge_error(CpwItem *item, Step step, const ErrorData *error)
{
	int			class = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	item->delivery.payload = NULL;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
	{
		set_verdict(item, CPW_VERDICT_UNAVAILABLE, "filter too slow");
		item->detail = "Filter too slow.";
	}
	else if (class == ERRCODE_INSUFFICIENT_RESOURCES ||
			 class == ERRCODE_INTERNAL_ERROR)
		set_verdict(item, CPW_VERDICT_UNAVAILABLE, error->message);
	else if (step == STEP_FILTER)
	{
		item->delivery.payload = item->payload;
		set_verdict(item, CPW_VERDICT_IGNORED,
					psprintf("filter cannot be evaluated: %s", error->message));
	}
	else if (error->sqlerrcode == ERRCODE_STATEMENT_TOO_COMPLEX)
	{
		set_verdict(item, CPW_VERDICT_BAD_JSON, "the body is nested too deeply");
		item->detail = "The body is nested too deeply.";
	}
	else if (error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		set_verdict(item, CPW_VERDICT_BODY_TOO_LARGE, error->message);
	else
		set_verdict(item, CPW_VERDICT_BAD_JSON, error->message);
	if (item->delivery.verdict == CPW_VERDICT_UNAVAILABLE)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not evaluate a delivery for webhook \"%s\": %s",
						item->webhook->name, error->message)));
}

void
cpw_evaluation_judge(CpwItem **items, int count)
{
	Judgement	judgement = {items, count, 0, STEP_PARSE};

	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "cp_webhook parse",
										SCRATCH_SIZE, SCRATCH_SIZE,
										ALLOCSET_DEFAULT_MAXSIZE);
	cpw_evaluation_forget();

	/* What an earlier attempt has parsed is kept, unless it was large. */
	for (int i = 0; i < count; i++)
		if (items[i]->request->body_length > LARGE_BODY)
			items[i]->payload = NULL;
	while (judgement.current < count)
	{
		ErrorData  *error = cpw_guard_run(judge_rest, &judgement);

		if (error == NULL)
			break;
		judge_error(items[judgement.current], judgement.step, error);
		MemoryContextReset(scratch);
		judgement.current++;
	}
	cpw_transaction_restore_timeout();
}

void
cpw_evaluation_forget(void)
{
	if (scratch != NULL)
		MemoryContextReset(scratch);
}
