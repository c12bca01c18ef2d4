/*
 * attempt.c
 *		One attempt at a registration, step by step.
 */
#include "postgres.h"

#include <time.h>

#include "common/pg_prng.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "pg/notification.h"
#include "pg/settings.h"
#include "store/routes.h"
#include "store/webhooks.h"
#include "utils/timestamp.h"
#include "worker/attempt.h"

/*
 * A hook whose creation was not answered may still come to be. For so long no
 * other one is made; after the longer time the doubt is over.
 */
#define GRACE_MS				5000
#define SETTLED_MS				60000

/* Pages of a list; more hooks than these nobody has. */
#define MAX_PAGES				50

/* What is shown of an error. */
#define MAX_ERROR				600

#define REGISTERED				"registered"
#define DEREGISTERED			"deregistered"
#define PENDING					"pending"
#define FAILED					"failed"

static TimestampTz
after_ms(TimestampTz instant, double milliseconds)
{
	return instant + (TimestampTz) (milliseconds * 1000);
}

/* ---- ends ---- */

static void
tell(CpwAttempt *attempt, const CpwRegistrationEnd *end)
{
	CpwRegistrationNotification notification = {
		.webhook = attempt->row.webhook,
		.outcome = strcmp(end->state, PENDING) == 0 ? "retrying" : end->state,
		.provider = attempt->row.provider,
		.repository = attempt->row.repository,
		.hook_id = end->hook_id,
		.error_code = end->error_code,
		.error = end->error,
		.next_try_at = strcmp(end->state, PENDING) == 0 ? end->next_try_at : 0,
	};

	if (!attempt->is_quiet)
		cpw_notification_send_registration(&notification);
}

/*
 * Notes an end. The webhook's row comes first, as it does for who changes it:
 * two that lock in different orders wait for each other. A wish that came
 * meanwhile is told of when it has ended itself.
 */
static bool
end_with(CpwAttempt *attempt, CpwRegistrationEnd *end, bool is_told)
{
	if (is_told && attempt->row.is_current)
		cpw_webhooks_set_registration_error(&attempt->row.webhook_id,
											end->error_code, end->error);
	if (cpw_registrations_end(&attempt->row, end) && is_told)
		tell(attempt, end);
	return false;
}

/* What was wished is so. */
static bool
end_well(CpwAttempt *attempt)
{
	CpwRegistrationEnd end = {0};
	TimestampTz settled = after_ms(attempt->doubt, SETTLED_MS);

	if (attempt->row.is_wanted)
	{
		end.state = REGISTERED;
		end.hook_id = attempt->known_id;
		end.public_url = attempt->public_url;
		end.fingerprint = attempt->fingerprint;
	}
	else
		end.state = DEREGISTERED;

	/* What may still come is looked for once more. */
	if (attempt->doubt != 0 &&
		(!attempt->has_listed || attempt->listed_at < settled))
	{
		end.creating_at = attempt->doubt;
		end.next_try_at = Max(settled, GetCurrentTimestamp());
	}
	return end_with(attempt, &end, true);
}

/* It has not come to an end; what is known stays. */
static bool
end_badly(CpwAttempt *attempt, const char *state, TimestampTz next_try_at,
		  int attempts, const char *code, const char *error)
{
	CpwRegistrationEnd end = {
		.state = state,
		.hook_id = attempt->known_id,
		.creating_at = attempt->doubt,
		.attempts = attempts,
		.next_try_at = next_try_at,
		.error_code = code,
		.error = error,
	};

	return end_with(attempt, &end, code != NULL);
}

static char *
shorten(CpwAttempt *attempt, const char *error)
{
	const char *secrets[] = {attempt->row.access_token, attempt->hook.secret};
	char	   *text = cpw_third_party_redact(error, secrets, lengthof(secrets));

	text[pg_mbcliplen(text, (int) strlen(text), MAX_ERROR)] = '\0';
	return text;
}

/* Later, after wait seconds at least. */
static bool
end_for_now(CpwAttempt *attempt, int64 wait, const char *code,
			const char *error)
{
	int			attempts = attempt->row.attempts + 1;
	double		pause = cpw_provider_backoff(attempts,
											 pg_prng_double(&pg_global_prng_state));

	pause = Max(pause, (double) wait);
	return end_badly(attempt, PENDING,
					 after_ms(GetCurrentTimestamp(), pause * 1000), attempts,
					 code, shorten(attempt, error));
}

static bool
end_for_good(CpwAttempt *attempt, const char *code, const char *error)
{
	return end_badly(attempt, FAILED, 0, attempt->row.attempts + 1, code,
					 shorten(attempt, error));
}

/* ---- steps ---- */

static bool
call(CpwAttempt *attempt, CpwProviderCall what, const char *hook_id)
{
	attempt->call = what;
	attempt->hook_id = hook_id != NULL ? pstrdup(hook_id) : NULL;
	return true;
}

static bool
list_page(CpwAttempt *attempt, int page)
{
	if (page == 1)
	{
		attempt->listed_at = GetCurrentTimestamp();
		attempt->has_listed = false;
		attempt->found = NIL;
	}
	attempt->page = page;
	return call(attempt, CPW_CALL_LIST, NULL);
}

/* Noted before it is done: a crash from here on leaves a doubt. */
static bool
create(CpwAttempt *attempt)
{
	if (!cpw_registrations_begin_create(&attempt->row))
		return end_badly(attempt, PENDING, GetCurrentTimestamp(), 0, NULL, NULL);
	attempt->is_creating = true;
	return call(attempt, CPW_CALL_CREATE, NULL);
}

/* The hook is there, or is not, as the list says; what is left to be done? */
static bool
go_on_from_list(CpwAttempt *attempt)
{
	bool		replaces = attempt->row.is_wanted &&
		attempt->provider->update_method == NULL;

	if (attempt->surplus != NIL)
	{
		char	   *id = linitial(attempt->surplus);

		attempt->surplus = list_delete_first(list_copy(attempt->surplus));
		return call(attempt, CPW_CALL_DELETE, id);
	}
	if (!attempt->row.is_wanted)
		return end_well(attempt);
	if (attempt->known_id == NULL || replaces)
		return create(attempt);
	return call(attempt, CPW_CALL_UPDATE, attempt->known_id);
}

/* All hooks are known: those of ours are in found. */
static bool
use_list(CpwAttempt *attempt)
{
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *cell;
	char	   *kept = NULL;

	attempt->has_listed = true;
	if (attempt->found == NIL && attempt->doubt != 0 &&
		attempt->listed_at < after_ms(attempt->doubt, GRACE_MS))
	{
		attempt->known_id = NULL;
		return end_badly(attempt, PENDING,
						 Max(now, after_ms(attempt->doubt, GRACE_MS + 100)),
						 attempt->row.attempts, NULL, NULL);
	}
	foreach(cell, attempt->found)
		if (kept == NULL || (attempt->known_id != NULL &&
							 strcmp(lfirst(cell), attempt->known_id) == 0))
			kept = lfirst(cell);

	/* What is as it is to be stays so. */
	if (attempt->row.is_wanted && list_length(attempt->found) == 1 &&
		attempt->known_id != NULL && attempt->row.fingerprint != NULL &&
		strcmp(kept, attempt->known_id) == 0 &&
		strcmp(attempt->row.fingerprint, attempt->fingerprint) == 0)
		return end_well(attempt);
	attempt->known_id = kept != NULL ? pstrdup(kept) : NULL;
	if (!attempt->row.is_wanted || attempt->provider->update_method == NULL)
	{
		attempt->surplus = attempt->found;
		return go_on_from_list(attempt);
	}
	foreach(cell, attempt->found)
		if (strcmp(lfirst(cell), kept) != 0)
			attempt->surplus = lappend(attempt->surplus, lfirst(cell));
	return go_on_from_list(attempt);
}

/* ---- beginning ---- */

/* What the hook is to be, from the webhook as it is now; false: it has ended. */
static bool
read_webhook(CpwAttempt *attempt)
{
	CpwRoute   *route = cpw_routes_find_by_name(attempt->row.webhook);
	CpwProviderHook *hook = &attempt->hook;

	if (route == NULL ||
		memcmp(&route->id, &attempt->row.webhook_id, sizeof(pg_uuid_t)) != 0)
	{
		/* It went without delete_webhook; so does the hook. */
		attempt->row.is_wanted = false;
		return true;
	}
	if (route->secret_problem != NULL)
		return end_for_now(attempt, 60, "SecretUnavailable", route->secret_problem);
	hook->url = cpw_settings_webhook_url(attempt->row.url_token);
	hook->secret = route->secrets.token;
	hook->description = psprintf("cp_webhook %s", attempt->row.webhook);
	hook->event_count = cpw_third_party_events(route->filters,
											   route->action_configuration,
											   hook->events);
	attempt->public_url = cpw_settings_public_url();
	attempt->fingerprint =
		cpw_third_party_fingerprint(attempt->provider, attempt->row.api_url,
									attempt->row.repository, hook);
	return true;
}

bool
cpw_attempt_begin(CpwAttempt *attempt)
{
	CpwRegistration *row = &attempt->row;
	const char *code;
	char	   *problem;

	attempt->known_id = row->hook_id;
	attempt->doubt = row->creating_at;
	attempt->provider = cpw_provider_find(row->provider);
	if (attempt->provider == NULL)
		return end_for_good(attempt, "UnknownProvider", "this version does not know the provider");
	if (row->is_wanted && !read_webhook(attempt))
		return false;
	if (row->problem != NULL)
		return end_for_now(attempt, 60, "SecretUnavailable", row->problem);

	/* Nothing was ever made, or all is as it is to be. */
	if (attempt->doubt == 0 && !row->is_wanted && row->hook_id == NULL)
		return end_well(attempt);
	if (attempt->doubt == 0 && row->is_wanted && row->hook_id != NULL &&
		row->fingerprint != NULL &&
		strcmp(row->fingerprint, attempt->fingerprint) == 0)
		return end_well(attempt);
	problem = cpw_third_party_forbidden(row->api_url, &code);
	if (problem != NULL)
		return end_for_good(attempt, code, problem);
	if (attempt->doubt != 0 || row->hook_id == NULL)
		return list_page(attempt, 1);
	return call(attempt, row->is_wanted && attempt->provider->update_method != NULL
				? CPW_CALL_UPDATE : CPW_CALL_DELETE, row->hook_id);
}

/* ---- answers ---- */

static char *
read_complaint(CpwAttempt *attempt, const CpwHttpAnswer *answer)
{
	const char *secrets[] = {attempt->row.access_token, attempt->hook.secret};

	return cpw_third_party_complaint(answer->body, answer->length, secrets,
									 lengthof(secrets));
}

/*
 * GitHub's secondary rate limit may come as a 403 whose headers don't tell of
 * it: a minute is to be waited then.
 * https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api
 */
static bool
is_limited(CpwAttempt *attempt, const CpwHttpAnswer *answer)
{
	char	   *complaint = answer->status == 403 ?
		read_complaint(attempt, answer) : NULL;

	return complaint != NULL && strstr(complaint, "rate limit") != NULL;
}

/* "404 from GitHub: ..." */
static char *
describe(CpwAttempt *attempt, const CpwHttpAnswer *answer)
{
	char		room[200];
	const char *meaning = cpw_provider_explain(attempt->provider, answer->status,
											   room, sizeof(room));
	char	   *complaint = read_complaint(attempt, answer);

	if (meaning != NULL && complaint != NULL && answer->status != 404)
		return psprintf("%d from %s: %s (%s)", answer->status,
						attempt->provider->shown, meaning, complaint);
	return psprintf("%d from %s: %s", answer->status, attempt->provider->shown,
					meaning != NULL ? meaning :
					complaint != NULL ? complaint :
					answer->status >= 500 ? "it is not available" :
					"it refuses the request");
}

static bool
end_without_answer(CpwAttempt *attempt, const CpwHttpAnswer *answer)
{
	static const char *const codes[] = {
		[CPW_HTTP_CONNECTION] = "ConnectionFailed",
		[CPW_HTTP_TIMEOUT] = "TimedOut",
		[CPW_HTTP_TLS] = "TlsFailed",
		[CPW_HTTP_TOO_LARGE] = "AnswerTooLarge",
	};

	return end_for_now(attempt, 0, codes[answer->failure],
					   psprintf("no answer from %s at %s: %s",
								attempt->provider->shown, attempt->row.api_url,
								answer->text));
}

/* The answer is none of this provider. */
static bool
end_without_sense(CpwAttempt *attempt)
{
	return end_for_now(attempt, 0, "BadAnswer",
					   psprintf("%s at %s sent what is no answer of it",
								attempt->provider->shown, attempt->row.api_url));
}

static bool
after_list(CpwAttempt *attempt, const CpwHttpAnswer *answer)
{
	bool		has_next = cpw_provider_has_next(answer->headers);

	attempt->found = list_copy(attempt->found);
	if (!cpw_third_party_find_hooks(attempt->provider, answer->body,
									answer->length, attempt->row.url_token,
									&attempt->found, &has_next))
		return end_without_sense(attempt);
	if (has_next && attempt->page >= MAX_PAGES)
		return end_for_good(attempt, "TooManyHooks",
							psprintf("the repository has more hooks than fit on %d pages",
									 MAX_PAGES));
	return has_next ? list_page(attempt, attempt->page + 1) :
		use_list(attempt);
}

static bool
after_create(CpwAttempt *attempt, const CpwHttpAnswer *answer)
{
	char	   *id = cpw_third_party_hook_id(attempt->provider, answer->body,
											 answer->length);

	if (id == NULL)
		return end_without_sense(attempt);
	attempt->known_id = id;
	return end_well(attempt);
}

static bool
after_delete(CpwAttempt *attempt, CpwAnswerKind kind)
{
	bool		was_known = attempt->known_id != NULL &&
		strcmp(attempt->known_id, attempt->hook_id) == 0;

	/* Gone, or not for this token to see: the list tells. */
	if (kind == CPW_ANSWER_GONE && !attempt->has_listed)
		return list_page(attempt, 1);
	if (was_known)
		attempt->known_id = NULL;
	return go_on_from_list(attempt);
}

bool
cpw_attempt_go_on(CpwAttempt *attempt, const CpwHttpAnswer *answer)
{
	bool		is_create = attempt->call == CPW_CALL_CREATE;
	TimestampTz before = attempt->doubt;
	CpwAnswerKind kind = CPW_ANSWER_LATER;
	int64		wait = 0;

	if (answer->failure == CPW_HTTP_FINE)
		kind = cpw_provider_judge(answer->status, answer->headers,
								  (int64) time(NULL), &wait);

	/*
	 * Made or not: only a whole answer tells, and of one below 500 that it is
	 * not made. (A 2xx without an id is put in doubt as well.)
	 */
	if (is_create && (answer->failure != CPW_HTTP_FINE ? answer->was_sent :
					  answer->status >= 500 || kind == CPW_ANSWER_DONE))
		attempt->doubt = GetCurrentTimestamp();
	if (answer->failure != CPW_HTTP_FINE)
		return end_without_answer(attempt, answer);
	if (kind == CPW_ANSWER_REFUSED && is_limited(attempt, answer))
	{
		kind = CPW_ANSWER_LATER;
		wait = 60;
	}
	if (kind == CPW_ANSWER_LATER)
		return end_for_now(attempt, wait, psprintf("%d", answer->status),
						   describe(attempt, answer));
	if (attempt->call == CPW_CALL_DELETE &&
		(kind == CPW_ANSWER_DONE || kind == CPW_ANSWER_GONE))
		return after_delete(attempt, kind);
	if (attempt->call == CPW_CALL_UPDATE && kind == CPW_ANSWER_GONE)
	{
		attempt->known_id = NULL;
		return list_page(attempt, 1);
	}
	if (answer->status == 410 && !attempt->row.is_wanted)
	{
		/* The repository itself is gone, and says so. */
		attempt->known_id = NULL;
		attempt->doubt = 0;
		return end_well(attempt);
	}
	if (kind != CPW_ANSWER_DONE)
		return end_for_good(attempt, psprintf("%d", answer->status),
							describe(attempt, answer));
	switch (attempt->call)
	{
		case CPW_CALL_LIST:
			return after_list(attempt, answer);
		case CPW_CALL_CREATE:
			if (cpw_third_party_hook_id(attempt->provider, answer->body,
										answer->length) != NULL)
				attempt->doubt = before;
			return after_create(attempt, answer);
		default:
			return end_well(attempt);
	}
}

bool
cpw_attempt_write(const CpwAttempt *attempt, CpwProviderRequest *request)
{
	return cpw_provider_write(attempt->provider, attempt->call,
							  attempt->row.api_url, attempt->row.repository,
							  attempt->row.access_token, attempt->hook_id,
							  attempt->page, &attempt->hook, request);
}
