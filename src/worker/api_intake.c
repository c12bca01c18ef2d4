/*
 * api_intake.c
 *		Requests on the api worker's port -> answers.
 *
 * A call is a transaction of its own, one after the other; the network of one
 * is never waited for by another. Calls that write share the wait for the disk:
 * they are answered when it is over.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/headers.h"
#include "base/hex_base64.h"
#include "compat.h"
#include "lib/stringinfo.h"
#include "net/deadline.h"
#include "pg/metrics.h"
#include "pg/settings.h"
#include "pg/uuid7.h"
#include "pg/wire.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "worker/api_intake.h"
#include "worker/call.h"
#include "worker/console.h"
#include "worker/transaction.h"

#define WIRE_TYPE				"application/x-amz-json-1.1"
#define RETRY_AFTER_SECONDS		1
#define MAX_TOKEN_LENGTH		1024

/* Calls that share one wait for the disk: so many, so large, so long. */
#define MAX_WRITTEN				64
#define GROUP_BYTES				CPW_MAX_CALL_SIZE
#define GROUP_MS				20

static CpwListener *listener;
static CpwShared *shared;
static CpwWorkerSlot *slot;
static MemoryContext request_context;

/* The metrics' bearer token; closed: there is to be one, and is none. */
static char token[MAX_TOKEN_LENGTH + 1];
static bool is_closed;

void
cpw_api_intake_init(CpwListener *the_listener, CpwShared *the_shared,
					CpwWorkerSlot *the_slot)
{
	listener = the_listener;
	shared = the_shared;
	slot = the_slot;
	cpw_call_init(slot);
	cpw_console_init(listener, shared, slot);
	request_context = AllocSetContextCreate(TopMemoryContext,
											"cp_webhook request",
											ALLOCSET_DEFAULT_SIZES);
}

/* ---- the metrics' token ---- */

/* The file's first line; false: there is none that could be used. */
static bool
read_token(const char *name)
{
	int			fd = OpenTransientFile(name, O_RDONLY | PG_BINARY);
	ssize_t		length;

	if (fd < 0)
		return false;
	length = read(fd, token, MAX_TOKEN_LENGTH);
	CloseTransientFile(fd);
	if (length < 0)
		return false;
	token[length] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	return token[0] != '\0';
}

void
cpw_api_intake_load_token(void)
{
	const char *name = cpw_setting_metrics_token_file;

	explicit_bzero(token, sizeof(token));
	is_closed = *name != '\0' && !read_token(name);
	if (!is_closed)
		return;
	ereport(LOG,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("could not read a token from \"%s\"", name),
			 errdetail("The metrics answer 503 until there is one."),
			 errhint("Correct cp_webhook.metrics_token_file, or the file, and reload.")));
	cpw_counters_note_error(slot, psprintf("could not read a token from \"%s\"",
										   name));
}

/* Authorization: Bearer <token> */
static bool
has_token(const CpwRequest *request)
{
	static const char scheme[] = "Bearer ";
	const size_t prefix = sizeof(scheme) - 1;
	const size_t length = strlen(token);
	int			count;
	const CpwHeader *header = cpw_headers_find(&request->headers,
											   "authorization", &count);

	return count == 1 && header->value_length == prefix + length &&
		pg_strncasecmp(header->value, scheme, prefix) == 0 &&
		cpw_equal_in_constant_time(header->value + prefix, token, length);
}

/* ---- answers ---- */

/* {"error": name, "message": message}, as the receivers have it. */
static void
answer_error(CpwRequest *request, int status, const char *name,
			 const char *message, const char *allow)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"error\":");
	escape_json(&body, name);
	appendStringInfoString(&body, ",\"message\":");
	escape_json(&body, message);
	appendStringInfoChar(&body, '}');
	cpw_listener_answer(listener, request, status, body.data, body.len, allow,
						status == 503 ? RETRY_AFTER_SECONDS : 0);
}

static void
answer_text(CpwRequest *request, const char *type, const char *text)
{
	request->answer_type = type;
	cpw_listener_answer(listener, request, 200, text, strlen(text), NULL, 0);
}

static CpwCallOutcome
outcome_of(int status)
{
	if (status < 400)
		return CPW_CALL_SUCCEEDED;
	return status < 500 ? CPW_CALL_REFUSED : CPW_CALL_FAILED;
}

static void
answer_call(CpwCall *call)
{
	CpwRequest *request = call->request;
	StringInfoData body;
	pg_uuid_t	id;

	cpw_counters_add(&shared->api.calls[call->operation][outcome_of(call->status)],
					 1);
	cpw_uuid7_generate(&id, NULL);
	request->answer_type = WIRE_TYPE;
	request->answer_header = "x-amzn-RequestId";
	strlcpy(request->answer_value, cpw_uuid7_text(&id),
			sizeof(request->answer_value));
	initStringInfo(&body);
	if (call->error == NULL)
		appendStringInfoString(&body, call->text);
	else
	{
		appendStringInfoString(&body, "{\"__type\":");
		escape_json(&body, call->error);
		appendStringInfoString(&body, ",\"message\":");
		escape_json(&body, call->text);
		appendStringInfoChar(&body, '}');
	}
	cpw_listener_answer(listener, request, call->status, body.data, body.len,
						NULL, call->status == 503 ? RETRY_AFTER_SECONDS : 0);
}

/* ---- what there is to ask for ---- */

static void
answer_health(CpwRequest *request)
{
	answer_text(request, NULL, "{\"status\":\"ok\"}");
}

/* Whether every receiver listens. */
static bool
receivers_listen(void)
{
	bool		all = true;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->workers; i++)
		all &= shared->slots[i].pid != 0 &&
			shared->slots[i].listening[0] != '\0';
	LWLockRelease(shared->lock);
	return all;
}

static void
answer_readiness(CpwRequest *request)
{
	const char *reason = "A receiver does not listen.";

	if (cpw_call_check_database(&reason) && receivers_listen())
		answer_text(request, NULL, "{\"status\":\"ok\"}");
	else
		answer_error(request, 503, "unavailable", reason, NULL);
}

static void
answer_metrics(CpwRequest *request)
{
	StringInfoData text;

	if (is_closed)
		answer_error(request, 503, "unavailable",
					 "The metrics' token cannot be read.", NULL);
	else if (token[0] != '\0' && !has_token(request))
	{
		request->answer_header = "WWW-Authenticate";
		strlcpy(request->answer_value, "Bearer",
				sizeof(request->answer_value));
		answer_error(request, 401, "unauthorized",
					 "The metrics ask for the bearer token of cp_webhook.metrics_token_file.",
					 NULL);
	}
	else
	{
		initStringInfo(&text);
		cpw_metrics_append(&text, shared);
		answer_text(request, CPW_METRICS_TYPE, text.data);
	}
}

static void
admit_call(CpwRequest *request)
{
	CpwCall		call = {.request = request};

	cpw_call_admit(&call);
	if (call.status != 0)
		answer_call(&call);
	else
		cpw_listener_read_body(listener, request, true);
}

static const struct
{
	const char *path;
	bool		is_post;		/* else GET and HEAD */
	void		(*take) (CpwRequest *request);
}			routes[] = {
	{"/", true, admit_call},
	{"/healthz", false, answer_health},
	{"/readyz", false, answer_readiness},
	{"/metrics", false, answer_metrics},
};

static void
route(CpwRequest *request)
{
	size_t		length = strcspn(request->target, "?");
	bool		is_post = strcmp(request->method, "POST") == 0;
	bool		is_get = strcmp(request->method, "GET") == 0 ||
		strcmp(request->method, "HEAD") == 0;

	if (request->malformed != NULL)
	{
		answer_error(request, 400, "bad_request", request->malformed, NULL);
		return;
	}
	if (request->header_size > (size_t) cpw_setting_max_header_size)
	{
		answer_error(request, 431, "headers_too_large",
					 "The headers have more bytes than are taken.", NULL);
		return;
	}
	if (cpw_console_route(request))
		return;
	for (size_t i = 0; i < lengthof(routes); i++)
	{
		if (strlen(routes[i].path) != length ||
			memcmp(routes[i].path, request->target, length) != 0)
			continue;
		if (routes[i].is_post ? is_post : is_get)
			routes[i].take(request);
		else
			answer_error(request, 405, "method_not_allowed",
						 "This URL does not take this method; see Allow.",
						 routes[i].is_post ? "POST" : "GET, HEAD");
		return;
	}
	answer_error(request, 404, "not_found",
				 "There is nothing at this URL; calls are POSTs on /.", NULL);
}

/* Makes the call; its answer is due. */
static void
perform(CpwCall *call, CpwRequest *request)
{
	const CpwHeader *target;
	instr_time	start;
	instr_time	end;

	INSTR_TIME_SET_CURRENT(start);
	target = cpw_headers_find(&request->headers, "x-amz-target", NULL);
	*call = (CpwCall) {.request = request};
	call->operation = cpw_wire_find_operation(target->value,
											  target->value_length);
	cpw_call_run(call);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	cpw_counters_add(&shared->api.microseconds[call->operation],
					 INSTR_TIME_GET_MICROSEC(end));
}

/*
 * Some of a list of complete requests; returns where it goes on. What was only
 * read is answered at once, what was written after one wait for the disk.
 */
static CpwRequest *
perform_some(CpwRequest *request)
{
	CpwCall		written[MAX_WRITTEN];
	int			count = 0;
	size_t		bytes = 0;
	int64		until = cpw_deadline_now() + GROUP_MS;

	while (request != NULL && count < MAX_WRITTEN && bytes < GROUP_BYTES &&
		   cpw_deadline_now() < until)
	{
		CpwRequest *next = request->next;
		CpwCall    *call = &written[count];

		bytes += request->body_length;
		if (!cpw_console_perform(request))
		{
			perform(call, request);
			if (call->has_written)
				count++;
			else
				answer_call(call);
		}
		request = next;
	}
	if (count > 0)
		cpw_transaction_flush();
	for (int i = 0; i < count; i++)
		answer_call(&written[i]);
	return request;
}

static CpwRequest *
route_one(CpwRequest *request)
{
	CpwRequest *next = request->next;

	route(request);
	return next;
}

/* Each step in a memory of its own. */
static bool
take(CpwRequest *request, CpwRequest *(*step) (CpwRequest *request))
{
	bool		worked = request != NULL;

	while (request != NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(request_context);

		request = step(request);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(request_context);
		/* The answers need not wait for the others. */
		if (request != NULL)
			cpw_listener_move(listener);
	}
	return worked;
}

bool
cpw_api_intake_run(void)
{
	bool		worked;

	AcceptInvalidationMessages();
	worked = take(cpw_listener_take_arrived(listener), route_one);

	/* Bodies that came with their headers. */
	if (worked)
		cpw_listener_move(listener);
	return take(cpw_listener_take_complete(listener), perform_some) || worked;
}
