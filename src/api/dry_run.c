/*
 * dry_run.c
 *		A delivery judged without being recorded.
 */
#include "postgres.h"

#include "api/dry_run.h"
#include "base/headers.h"
#include "base/json_scan.h"
#include "base/media_type.h"
#include "base/verdict.h"
#include "compat.h"
#include "pg/address.h"
#include "pg/guard.h"
#include "pg/payload.h"
#include "pg/settings.h"
#include "pg/uuid7.h"
#include "portability/instr_time.h"
#include "store/deliveries.h"

/* The bytes between a header's name and value, and behind it. */
#define HEADER_SEPARATORS	4

/* ---- the webhook ---- */

/* The key's memory is the library's: it goes with the context. */
static void
free_key(void *key)
{
	cpw_signature_key_free(key);
}

CpwWebhook *
cpw_dry_run_compile(const CpwRoute *route)
{
	CpwWebhook *webhook = cpw_webhook_compile(route);
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	callback->func = free_key;
	callback->arg = webhook->key;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return webhook;
}

/* ---- the headers ---- */

static char *
lower_case(const JsonbValue *name)
{
	char	   *lower = cpw_json_string(name);

	for (char *c = lower; *c != '\0'; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return lower;
}

/* The string members of an object as headers; others are left out. */
static void
read_headers(CpwPost *post, JsonbContainer *object)
{
	CpwHeader  *items;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	name;
	JsonbValue	value;

	if (object == NULL || !JsonContainerIsObject(object))
		return;
	items = palloc0(sizeof(CpwHeader) * Max(cpw_json_length(object), 1));
	iterator = JsonbIteratorInit(object);
	while ((token = JsonbIteratorNext(&iterator, &name, true)) != WJB_DONE)
	{
		CpwHeader  *item = &items[post->headers.count];

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type != jbvString)
			continue;
		item->name = lower_case(&name);
		item->name_length = strlen(item->name);
		item->value = cpw_json_string(&value);
		item->value_length = (size_t) value.val.string.len;
		post->header_size += item->name_length + item->value_length +
			HEADER_SEPARATORS;
		post->headers.count++;
	}
	post->headers.items = items;
	if (post->headers.count > CPW_MAX_HEADERS)
		post->header_size = SIZE_MAX;
}

static CpwMediaType
media_type_of(const CpwPost *post)
{
	const CpwHeader *type = cpw_headers_find(&post->headers, "content-type",
											 NULL);

	return type == NULL ? CPW_MEDIA_TYPE_OTHER :
		cpw_media_type_parse(type->value, type->value_length);
}

static void
set_query(CpwPost *post, const char *query)
{
	post->query = query != NULL ? query : "";
	if (*post->query == '?')
		post->query++;
	post->query_length = strlen(post->query);
}

/* ---- a delivery that a request describes ---- */

/* The bytes of a body, with the limits that a listener keeps. */
static void
take_bytes(CpwPost *post, const JsonbValue *value)
{
	CpwJsonScan scan = {0};

	post->body_length = (size_t) value->val.string.len;
	post->content_length = post->body_length;
	if (post->body_length == 0)
		return;
	post->body = cpw_json_string(value);
	if (media_type_of(post) != CPW_MEDIA_TYPE_JSON)
		return;
	cpw_json_scan(&scan, post->body, post->body_length);
	if (scan.structural > (size_t) cpw_setting_max_json_values)
		post->refused = CPW_VERDICT_BODY_TOO_LARGE;
}

void
cpw_dry_run_describe(CpwDryRun *run, JsonbContainer *request,
					 CpwProblems *problems)
{
	CpwPost    *post = &run->post;
	JsonbValue *body = cpw_json_get(request, "body");
	char	   *address = cpw_json_get_text(request, "sourceAddress");

	read_headers(post, cpw_json_get_container(request, "headers"));
	set_query(post, cpw_json_get_text(request, "query"));
	if (address == NULL)
		post->skipped |= CPW_STEP_ADDRESS;
	else if (!cpw_address_parse(address, &run->peer))
		cpw_errors_add_violation(problems, "sourceAddress", address,
								 "Member must be an IPv4 or IPv6 address");
	post->peer = &run->peer;
	if (body != NULL && body->type == jbvString)
	{
		take_bytes(post, body);
		return;
	}
	run->payload = cpw_json_copy(body);
	post->skipped |= CPW_STEP_SIGNATURE_FORM | CPW_STEP_SIGNATURE;
	if (cpw_headers_find(&post->headers, "content-type", NULL) == NULL)
		post->skipped |= CPW_STEP_MEDIA_TYPE;
}

/* ---- a recorded delivery ---- */

static CpwVerdict
verdict_of_status(int status)
{
	static const struct
	{
		int			status;
		CpwVerdict	verdict;
	}			rows[] = {
		{400, CPW_VERDICT_BAD_JSON},
		{401, CPW_VERDICT_BAD_SIGNATURE},
		{403, CPW_VERDICT_ADDRESS_DENIED},
		{413, CPW_VERDICT_BODY_TOO_LARGE},
		{415, CPW_VERDICT_UNSUPPORTED_MEDIA_TYPE},
		{431, CPW_VERDICT_HEADERS_TOO_LARGE},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
		if (rows[i].status == status)
			return rows[i].verdict;
	return CPW_VERDICT_BAD_REQUEST;
}

void
cpw_dry_run_recall(CpwDryRun *run, const CpwRecorded *recorded,
				   const char *query)
{
	CpwPost    *post = &run->post;

	run->recorded = recorded;
	run->headers = recorded->headers;
	run->payload = recorded->payload;
	read_headers(post, &recorded->headers->root);
	set_query(post, query);
	post->skipped = CPW_STEP_LIMITS | CPW_STEP_SIGNATURE;
	post->peer = &run->peer;
	if (recorded->source_address == NULL ||
		!cpw_address_parse(recorded->source_address, &run->peer))
		post->skipped |= CPW_STEP_ADDRESS;
	if (run->payload != NULL)
		return;

	/* Without a payload nothing more can be said than was said then. */
	post->refusal = recorded->reason;
	if (strcmp(recorded->outcome, "duplicate") == 0)
	{
		post->refused = CPW_VERDICT_DUPLICATE;
		post->refusal = "no payload is kept of a duplicate: test the delivery that it repeats";
	}
	else
		post->refused = verdict_of_status(recorded->http_status);
}

/* ---- the judgement ---- */

static void
parse(void *arg)
{
	CpwDryRun  *run = arg;
	size_t		length;
	const char *json = cpw_judgement_find_json(&run->post, run->webhook, &length,
											   &run->parse_verdict,
											   &run->parse_reason);

	if (json != NULL)
		run->payload = cpw_payload_parse(json, length);
}

/* What the payload tells of itself, as the scheme reads it. */
static void
read_payload(void *arg)
{
	CpwDryRun  *run = arg;
	CpwPayloadFindings findings = {run->payload, run->id, NULL};

	run->source_verdict = cpw_judgement_read_payload(&run->post, run->webhook,
													 &findings,
													 &run->source_reason);
	run->payload = findings.payload;
	run->id = findings.id;
}

static void
decide(void *arg)
{
	CpwDryRun  *run = arg;

	run->verdict = cpw_judgement_decide(&run->post, run->webhook,
										run->payload, run->headers,
										&run->reason);
}

/* Whether the sender's id has triggered before. */
static void
look_for_key(CpwDryRun *run)
{
	CpwDelivery delivery = {.webhook_id = run->webhook->id};
	CpwDelivery *deliveries[] = {&delivery};

	if (run->id == NULL)
		return;
	delivery.provider_delivery_id = run->id;
	cpw_uuid7_generate(&delivery.execution, NULL);
	cpw_deliveries_find_keys(deliveries, 1);
	if (delivery.verdict != CPW_VERDICT_DUPLICATE)
		return;
	run->verdict = CPW_VERDICT_DUPLICATE;
	run->execution = cpw_uuid7_text(&delivery.execution);
}

/* The payload is wanted also where the verdict stands: its steps are shown. */
static void
judge_payload(CpwDryRun *run)
{
	ErrorData  *error;
	const char *detail;

	if (run->payload == NULL && run->post.refused == CPW_VERDICT_PENDING)
	{
		error = cpw_guard_run_cancelable(parse, run);
		if (error != NULL)
			run->parse_verdict = cpw_judgement_of_error(error, false,
														&run->parse_reason,
														&detail);
	}
	if (run->payload != NULL)
	{
		error = cpw_guard_run_cancelable(read_payload, run);
		if (error != NULL)
			run->source_verdict = cpw_judgement_of_error(error, false,
														 &run->source_reason,
														 &detail);
	}
	if (run->verdict == CPW_VERDICT_PENDING)
	{
		run->verdict = run->parse_verdict;
		run->reason = run->parse_reason;
	}
	if (run->verdict == CPW_VERDICT_PENDING)
	{
		run->verdict = run->source_verdict;
		run->reason = run->source_reason;
	}
	if (run->verdict == CPW_VERDICT_PENDING && run->recorded == NULL)
		look_for_key(run);
	if (run->verdict != CPW_VERDICT_PENDING)
		return;
	error = cpw_guard_run_cancelable(decide, run);
	if (error != NULL)
		run->verdict = cpw_judgement_of_error(error, true, &run->reason,
											  &detail);
}

void
cpw_dry_run_judge(CpwDryRun *run)
{
	CpwPost    *post = &run->post;
	const char *event;
	instr_time	start;
	instr_time	end;

	post->now = cpw_settings_now();
	if (run->recorded == NULL)
		run->headers = cpw_payload_headers(&post->headers,
										   run->webhook->secret_header);
	cpw_judgement_identify(post, run->webhook, &run->id, &event);
	run->verdict = cpw_judgement_authenticate(post, run->webhook,
											  &run->reason);
	if (run->verdict == CPW_VERDICT_BAD_SIGNATURE &&
		post->refused == CPW_VERDICT_PENDING)
		run->reason = cpw_judgement_diagnose(post, run->webhook, run->reason);
	INSTR_TIME_SET_CURRENT(start);
	judge_payload(run);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	run->milliseconds = INSTR_TIME_GET_MILLISEC(end);
}

const char *
cpw_dry_run_outcome(CpwVerdict verdict)
{
	const char *outcome = cpw_verdict_meaning(verdict)->outcome;

	return outcome != NULL ? outcome : "unavailable";
}
