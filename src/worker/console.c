/*
 * console.c
 *		The console on the api worker's port.
 *
 * Nothing changes by GET: such a request is a read-only transaction. What
 * changes something is a POST with a header that no form and no other page can
 * send, of JSON, from our own page; and the cookie is SameSite=Strict beside.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/browser.h"
#include "base/headers.h"
#include "base/hex_base64.h"
#include "base/sigv4.h"
#include "compat.h"
#include "miscadmin.h"
#include "pg/address.h"
#include "pg/errors.h"
#include "pg/json.h"
#include "pg/payload.h"
#include "pg/settings.h"
#include "store/console.h"
#include "store/console_sessions.h"
#include "store/version.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "worker/call.h"
#include "worker/console.h"
#include "worker/console_files.h"
#include "worker/failure.h"
#include "worker/live.h"
#include "worker/memory_watch.h"
#include "worker/transaction.h"

#define PREFIX			"/console/"
#define DATA			"api/"
#define SESSION			"session"	/* a link becomes a session */
#define SIGN_OUT		"sign_out"
#define LIVE			"live"

/* The header of our own page's requests: no form sends one. */
#define OWN_HEADER		"x-cp-webhook-console"

/* A request that takes longer is too much for a page, and for this worker. */
#define TIMEOUT_MS		2000

#define RETRY_AFTER_SECONDS		1

#define SECURITY_HEADERS \
	{"Content-Security-Policy", "default-src 'none'; script-src 'self';" \
	 " style-src 'self'; connect-src 'self'; img-src 'self';" \
	 " form-action 'none'; frame-ancestors 'none'; base-uri 'none'"}, \
	{"X-Content-Type-Options", "nosniff"}, \
	{"X-Frame-Options", "DENY"}, \
	{"Referrer-Policy", "no-referrer"}, \
	{"Cross-Origin-Opener-Policy", "same-origin"}, \
	{"Cross-Origin-Resource-Policy", "same-origin"}

static const CpwAnswerHeader page_headers[] = {
	SECURITY_HEADERS, {"Cache-Control", "no-cache"}, {NULL, NULL}
};
static const CpwAnswerHeader data_headers[] = {
	SECURITY_HEADERS, {"Cache-Control", "no-store"}, {NULL, NULL}
};
static const CpwAnswerHeader download_headers[] = {
	SECURITY_HEADERS, {"Cache-Control", "no-store"},
	{"Content-Disposition", "attachment; filename=\"payload.json\""},
	{NULL, NULL}
};

static CpwListener *listener;
static CpwWorkerSlot *slot;

/* Marks a request whose body is read as the console's. */
static char mark;

void
cpw_console_init(CpwListener *the_listener, CpwShared *shared,
				 CpwWorkerSlot *the_slot)
{
	listener = the_listener;
	slot = the_slot;
	cpw_live_init(listener, shared, slot);
}

/* ---- answers ---- */

/* {"error": name, "message": message} */
static void
answer_error(CpwRequest *request, int status, const char *name,
			 const char *message)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"error\":");
	escape_json(&body, name);
	appendStringInfoString(&body, ",\"message\":");
	escape_json(&body, message);
	appendStringInfoChar(&body, '}');
	request->answer_headers = data_headers;
	cpw_listener_answer(listener, request, status, body.data, body.len,
						status != 405 ? NULL
						: strcmp(name, "use_post") == 0 ? "POST" : "GET, HEAD",
						status == 503 ? RETRY_AFTER_SECONDS : 0);
}

static void
answer_json(CpwRequest *request, const char *text)
{
	if (request->answer_headers == NULL)
		request->answer_headers = data_headers;
	cpw_listener_answer(listener, request, 200, text, strlen(text), NULL, 0);
}

/* ---- cookies and hashes ---- */

/* Cookies do not know of ports: two consoles of one host have two names. */
static const char *
cookie_name(void)
{
	return psprintf("cp_webhook_console_%d", cpw_setting_api_port);
}

static void
hash_secret(const char *secret, size_t length,
			char digits[CPW_HASH_TEXT_SIZE])
{
	uint8		hash[CPW_SHA256_SIZE];

	if (!cpw_sigv4_hash(secret, length, hash))
		elog(ERROR, "could not compute a hash");
	cpw_hex_encode(hash, sizeof(hash), digits);
}

/* The hash of the session's cookie; false: there is none that could be one. */
static bool
read_cookie(const CpwRequest *request, char digits[CPW_HASH_TEXT_SIZE])
{
	size_t		length;
	const char *cookie = cpw_browser_cookie(&request->headers, cookie_name(),
											&length);

	if (cookie == NULL || length != CPW_TOKEN_LENGTH)
		return false;
	hash_secret(cookie, length, digits);
	return true;
}

/*
 * No Path: the browser takes the folder of the URL that it has asked for, which
 * is below any prefix that a proxy may have put before ours.
 */
static void
set_cookie(CpwRequest *request, const char *value, bool is_over)
{
	bool		is_secure = cpw_settings_use_tls() ||
		(cpw_address_is_in_list(&request->peer, cpw_setting_trusted_proxies) &&
		 cpw_browser_is_forwarded_https(&request->headers));

	request->answer_header = "Set-Cookie";
	snprintf(request->answer_value, sizeof(request->answer_value),
			 "%s=%s; HttpOnly; SameSite=Strict%s%s", cookie_name(), value,
			 is_secure ? "; Secure" : "", is_over ? "; Max-Age=0" : "");
}

/* ---- inside the transaction ---- */

/* A request for data on its way to its answer. */
typedef struct Inquiry
{
	CpwRequest *request;
	const char *name;			/* what it asks for, and its length */
	size_t		length;
	MemoryContext context;		/* outlives the transaction */
	bool		is_parsing;		/* an error now is the request's */
	char		hash[CPW_HASH_TEXT_SIZE];

	/* The answer: an error where status is not 0 or 200. */
	int			status;
	const char *error;
	const char *text;
} Inquiry;

static void
refuse(Inquiry *inquiry, int status, const char *error, const char *text)
{
	inquiry->status = status;
	inquiry->error = error;
	inquiry->text = text;
}

static bool
asks_for(const Inquiry *inquiry, const char *name)
{
	return strlen(name) == inquiry->length &&
		memcmp(name, inquiry->name, inquiry->length) == 0;
}

static void
refuse_session(Inquiry *inquiry)
{
	refuse(inquiry, 401, "no_session",
		   "The console is opened by the link that SELECT cp_webhook.console_url() returns, once.");
}

static bool
check_version(Inquiry *inquiry)
{
	const char *version = cpw_version_of_extension();

	if (version != NULL && strcmp(version, CPW_VERSION) == 0)
		return true;
	refuse(inquiry, 503, "unavailable",
		   "The extension is not of this library's version.");
	return false;
}

/* The role of the request's session; InvalidOid: it is refused. */
static Oid
authenticate(Inquiry *inquiry)
{
	Oid			role = InvalidOid;

	if (read_cookie(inquiry->request, inquiry->hash))
		role = cpw_console_sessions_find(inquiry->hash);
	if (OidIsValid(role) &&
		SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
		return role;
	refuse_session(inquiry);
	return InvalidOid;
}

/* The parameters: an object, from the query or the body. */
static Jsonb *
read_parameters(Inquiry *inquiry)
{
	CpwRequest *request = inquiry->request;
	const char *query = strchr(request->target, '?');
	Jsonb	   *json;

	inquiry->is_parsing = true;
	if (strcmp(request->method, "POST") == 0)
		json = cpw_payload_parse(request->body != NULL ? request->body : "",
								 request->body_length);
	else
		json = cpw_payload_query(query != NULL ? query + 1 : "",
								 query != NULL ? strlen(query + 1) : 0);
	if (!JsonContainerIsObject(&json->root))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("the parameters are no object")));
	inquiry->is_parsing = false;
	return json;
}

/* A link's token becomes a session and its cookie. */
static void
begin_session(Inquiry *inquiry)
{
	Jsonb	   *parameters = read_parameters(inquiry);
	char	   *token = cpw_json_get_text(&parameters->root, "token");
	char		link_hash[CPW_HASH_TEXT_SIZE];
	uint8		bytes[CPW_TOKEN_BYTES];
	char		secret[CPW_BASE64_SIZE(CPW_TOKEN_BYTES)];
	Oid			role = InvalidOid;

	if (!pg_strong_random(bytes, sizeof(bytes)))
		elog(ERROR, "could not generate random values");
	(void) cpw_base64_encode(CPW_BASE64_URL, bytes, sizeof(bytes), secret);
	if (token != NULL && strlen(token) == CPW_TOKEN_LENGTH)
	{
		hash_secret(token, strlen(token), link_hash);
		hash_secret(secret, strlen(secret), inquiry->hash);
		role = cpw_console_sessions_open(link_hash, inquiry->hash,
										 cpw_setting_console_session_lifetime);
	}
	if (!OidIsValid(role) ||
		!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
	{
		refuse_session(inquiry);
		return;
	}
	set_cookie(inquiry->request, secret, false);
	inquiry->status = 200;
	inquiry->text = "{}";
}

static void
end_session(Inquiry *inquiry)
{
	if (!OidIsValid(authenticate(inquiry)))
		return;
	cpw_console_sessions_end(inquiry->hash);
	set_cookie(inquiry->request, "", true);
	inquiry->status = 200;
	inquiry->text = "{}";
}

/*
 * Makes what comes next the role's: its privileges, and its row security. Plans
 * are kept, and a partition that was empty when one was made must be read in
 * the order of its index when it is large.
 */
static void
become(Oid role, bool is_change)
{
	static const struct
	{
		const char *name;
		const char *value;
	}			settings[] = {
		{"row_security", "on"},
		{"enable_sort", "off"},
		{"enable_bitmapscan", "off"},
	};

	cpw_transaction_become(role);
	for (size_t i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i].name, settings[i].value,
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
								 true, 0, false);
	if (!is_change)
		XactReadOnly = true;
}

static void
work(void *arg)
{
	Inquiry    *inquiry = arg;
	int			question;
	Jsonb	   *parameters;
	Oid			role;

	if (!check_version(inquiry))
		return;
	if (asks_for(inquiry, SESSION))
	{
		begin_session(inquiry);
		return;
	}
	if (asks_for(inquiry, SIGN_OUT))
	{
		end_session(inquiry);
		return;
	}
	role = authenticate(inquiry);
	if (!OidIsValid(role))
		return;

	/* A dry run's filter may select any amount of a small body. */
	cpw_memory_watch_begin();
	question = cpw_console_find(inquiry->name, inquiry->length);
	parameters = read_parameters(inquiry);
	become(role, cpw_console_changes(question));
	inquiry->text = cpw_console_ask(question, parameters, inquiry->context);
	inquiry->status = 200;
	if (inquiry->text == NULL)
		refuse(inquiry, 404, "not_found", "There is none of it (any more).");
}

/* ---- what an error means ---- */

static void
refuse_error(Inquiry *inquiry, const ErrorData *error)
{
	int			state = error->sqlerrcode;
	int			category = ERRCODE_TO_CATEGORY(state);
	const char *name = cpw_errors_name_of_state(state);

	if (name != NULL)
		refuse(inquiry, 400, name,
			   error->detail != NULL && *error->detail != '\0'
			   ? psprintf("%s (%s)", cpw_errors_text(error), error->detail)
			   : cpw_errors_text(error));
	else if (inquiry->is_parsing || category == ERRCODE_DATA_EXCEPTION ||
			 category == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		refuse(inquiry, 400, "bad_request",
			   "A parameter cannot be understood.");
	else if (state == ERRCODE_INSUFFICIENT_PRIVILEGE)
		refuse(inquiry, 403, "access_denied", error->message);
	else if (state == ERRCODE_QUERY_CANCELED)
		refuse(inquiry, 503, "too_slow",
			   "This takes more time or memory than a page may; ask for less.");
	else
	{
		cpw_failure_tell(slot, psprintf("console/%s",
										pnstrdup(inquiry->name,
												 inquiry->length)), error);
		if (cpw_failure_may_pass(state))
			refuse(inquiry, 503, "unavailable",
				   "The database cannot perform this now; try again.");
		else
			refuse(inquiry, 500, "internal_failure",
				   "The request failed; the server's log says why.");
	}
}

static void
answer_inquiry(Inquiry *inquiry)
{
	CpwRequest *request = inquiry->request;

	if (inquiry->status != 200)
		answer_error(request, inquiry->status, inquiry->error, inquiry->text);
	else if (asks_for(inquiry, LIVE))
	{
		request->answer_type = "text/event-stream";
		request->answer_headers = data_headers;
		if (!cpw_live_open(request, inquiry->hash, inquiry->text))
		{
			request->answer_type = NULL;
			answer_error(request, 503, "too_many_streams",
						 "Too many pages watch deliveries come.");
		}
	}
	else
	{
		if (asks_for(inquiry, "payload"))
			request->answer_headers = download_headers;
		answer_json(request, inquiry->text);
	}
}

static void
perform(CpwRequest *request)
{
	const char *name = request->target + strlen(PREFIX DATA);
	Inquiry		inquiry = {
		.request = request,
		.name = name,
		.length = strcspn(name, "?"),
		.context = CurrentMemoryContext,
	};
	ErrorData  *error;
	bool		is_done;

	error = cpw_transaction_run("answering the console", TIMEOUT_MS,
								CPW_AS_OWNER, work, &inquiry, &is_done);
	if (error != NULL)
	{
		request->answer_header = NULL;
		refuse_error(&inquiry, error);
	}
	else if (inquiry.status == 0 || !is_done)
		refuse(&inquiry, 503, "unavailable",
			   "The database cannot confirm this now; look whether it is done.");
	answer_inquiry(&inquiry);
}

/* ---- routing ---- */

static void
serve_file(CpwRequest *request, const char *name, size_t length)
{
	if (length == 0)
	{
		name = "index.html";
		length = strlen(name);
	}
	for (size_t i = 0; i < lengthof(cpw_console_files); i++)
	{
		const CpwConsoleFile *file = &cpw_console_files[i];

		if (strlen(file->name) != length ||
			memcmp(file->name, name, length) != 0)
			continue;
		request->answer_type = file->type;
		request->answer_headers = page_headers;
		cpw_listener_answer(listener, request, 200, (const char *) file->bytes,
							file->length, NULL, 0);
		return;
	}
	answer_error(request, 404, "not_found", "There is nothing at this URL.");
}

/* What https://host[:port] the page's URL begins with; NULL: as it is asked. */
static const char *
own_origin(void)
{
	char	   *url = cpw_settings_console_public_url();
	char	   *host = strstr(url, "://") + 3;

	host[strcspn(host, "/")] = '\0';
	return url;
}

/* What can be said of a POST before its body is read. */
static void
admit_change(CpwRequest *request)
{
	const CpwHeaders *headers = &request->headers;
	const CpwHeader *type = cpw_headers_find(headers, "content-type", NULL);

	if (!cpw_browser_may_change(headers, own_origin()) ||
		!cpw_browser_says(headers, OWN_HEADER, "1"))
		answer_error(request, 403, "forbidden",
					 "This is for the console's own page.");
	else if (type == NULL ||
			 !cpw_browser_says(headers, "content-type", "application/json"))
		answer_error(request, 415, "unsupported_media_type",
					 "Content-Type must be application/json.");
	else if (request->content_length > CPW_MAX_CALL_SIZE)
		answer_error(request, 413, "body_too_large",
					 "The request is larger than 1 MB.");
	else
	{
		request->owner = &mark;
		cpw_listener_read_body(listener, request, true);
	}
}

static void
route_data(CpwRequest *request, const char *name, size_t length)
{
	bool		is_post = strcmp(request->method, "POST") == 0;
	bool		is_get = strcmp(request->method, "GET") == 0;
	int			question = cpw_console_find(name, length);
	bool		changes = question >= 0 && cpw_console_changes(question);

	if (question < 0)
	{
		changes = (length == strlen(SESSION) &&
				   memcmp(name, SESSION, length) == 0) ||
			(length == strlen(SIGN_OUT) && memcmp(name, SIGN_OUT, length) == 0);
		if (!changes)
		{
			answer_error(request, 404, "not_found",
						 "There is nothing at this URL.");
			return;
		}
	}
	if (changes ? !is_post : !is_get)
		answer_error(request, 405, changes ? "use_post" : "use_get",
					 "This URL does not take this method; see Allow.");
	else if (changes)
		admit_change(request);
	else if (!cpw_browser_may_read(&request->headers))
		answer_error(request, 403, "forbidden",
					 "This is for the console's own page.");
	else if (request->has_body)
		answer_error(request, 400, "bad_request", "A GET has no body.");
	else
		perform(request);
}

bool
cpw_console_route(CpwRequest *request)
{
	const char *target = request->target;
	size_t		length = strcspn(target, "?");

	if (!cpw_setting_console)
		return false;

	/* Relative: a proxy may have put a prefix before it. */
	if (length == strlen(PREFIX) - 1 && memcmp(target, PREFIX, length) == 0)
	{
		request->answer_header = "Location";
		strlcpy(request->answer_value, "console/",
				sizeof(request->answer_value));
		request->answer_headers = page_headers;
		cpw_listener_answer(listener, request, 307, "{}", 2, NULL, 0);
		return true;
	}
	if (length < strlen(PREFIX) || strncmp(target, PREFIX, strlen(PREFIX)) != 0)
		return false;
	target += strlen(PREFIX);
	length -= strlen(PREFIX);
	if (length >= strlen(DATA) && strncmp(target, DATA, strlen(DATA)) == 0)
		route_data(request, target + strlen(DATA), length - strlen(DATA));
	else if (strcmp(request->method, "GET") == 0 ||
			 strcmp(request->method, "HEAD") == 0)
		serve_file(request, target, length);
	else
		answer_error(request, 405, "use_get",
					 "This URL does not take this method; see Allow.");
	return true;
}

bool
cpw_console_perform(CpwRequest *request)
{
	if (request->owner != &mark)
		return false;
	if (request->refused == CPW_VERDICT_BODY_TOO_LARGE)
		answer_error(request, 413, "body_too_large",
					 "The request is larger than 1 MB, or has too many values.");
	else if (request->refused != CPW_VERDICT_PENDING)
		answer_error(request, 503, "unavailable",
					 "There is no memory for the request now; try again.");
	else
		perform(request);
	return true;
}
