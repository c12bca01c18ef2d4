/*
 * third_party.c
 *		Where a webhook is registered, what its hook is to be, what an answer
 *		holds.
 */
#include "postgres.h"

#include "base/trigger_path.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "pg/declaration.h"
#include "pg/errors.h"
#include "pg/filter.h"
#include "pg/guard.h"
#include "pg/json.h"
#include "pg/payload.h"
#include "pg/secret.h"
#include "pg/settings.h"
#include "pg/third_party.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* Of what a provider says, so much is shown. */
#define MAX_COMPLAINT		300

/* ---- the action ---- */

static bool
has_owner(JsonbContainer *type)
{
	char	   *owner = cpw_json_get_text(type, "owner");

	return owner != NULL &&
		(strcmp(owner, "ThirdParty") == 0 || strcmp(owner, "Custom") == 0);
}

/* Owner and Repo, or Project for what has more parts than two. */
static char *
read_repository(JsonbContainer *configuration, const CpwProvider *provider,
				char **problem)
{
	char	   *owner = cpw_json_get_text(configuration, "Owner");
	char	   *repo = cpw_json_get_text(configuration, "Repo");
	char	   *repository = NULL;

	if (provider->is_one_segment)
		repository = cpw_json_get_text(configuration, "Project");
	if (repository == NULL && (owner == NULL || repo == NULL))
	{
		*problem = psprintf("has '%s' in its configuration",
							owner == NULL ? "Owner" : "Repo");
		return NULL;
	}
	if (repository == NULL)
		repository = psprintf("%s/%s", owner, repo);
	if (!cpw_provider_is_repository(provider, repository))
	{
		*problem = psprintf("names a repository by 'Owner' and 'Repo', which '%s' is none",
							repository);
		return NULL;
	}
	return repository;
}

char *
cpw_third_party_read(Jsonb *declaration, const char *pipeline,
					 const char *action_name, CpwThirdParty *party)
{
	JsonbContainer *action = cpw_declaration_action(declaration, action_name);
	JsonbContainer *type = cpw_json_get_container(action, "actionTypeId");
	char	   *name = cpw_json_get_text(type, "provider");
	Jsonb	   *stored = cpw_json_copy(cpw_json_get(action, "configuration"));
	JsonbContainer *configuration = stored != NULL ? &stored->root : NULL;
	char	   *problem = NULL;
	CpwApiUrl	parts;

	memset(party, 0, sizeof(*party));
	party->provider = name != NULL && has_owner(type) ?
		cpw_provider_find(name) : NULL;
	if (party->provider == NULL)
		return psprintf("is of owner ThirdParty or Custom and of a provider of [%s]",
						cpw_provider_names());
	party->repository = read_repository(configuration, party->provider, &problem);
	if (problem != NULL)
		return problem;
	party->api_url = cpw_json_get_text(configuration, "ApiUrl");
	if (party->api_url == NULL && strcmp(party->provider->name, "GitHub") == 0)
		party->api_url = pstrdup(cpw_setting_github_api_url);
	if (party->api_url == NULL && party->provider->api_url != NULL)
		party->api_url = pstrdup(party->provider->api_url);
	if (party->api_url == NULL)
		return pstrdup("has 'ApiUrl' in its configuration");
	if (!cpw_provider_parse_url(party->api_url, &parts))
		return psprintf("has an http or https URL as 'ApiUrl' in its configuration, which '%s' is none",
						party->api_url);
	party->token = cpw_json_get_text(configuration, "OAuthToken");
	if (party->token == NULL)
		return pstrdup("has 'OAuthToken' in its configuration");
	party->token = cpw_secret_open(party->token,
								   cpw_declaration_secret_place(pipeline, action_name,
																"OAuthToken"));
	return NULL;
}

char *
cpw_third_party_forbidden(const char *api_url, const char **code)
{
	CpwApiUrl	parts;
	CpwApiUrl	github;

	if (!cpw_provider_parse_url(api_url, &parts))
	{
		*code = "InvalidApiUrl";
		return psprintf("\"%s\" is no URL of an API", api_url);
	}
	if (!cpw_provider_host_is_allowed(&parts, cpw_setting_registration_hosts) &&
		!(cpw_provider_parse_url(cpw_setting_github_api_url, &github) &&
		  github.host_length == parts.host_length &&
		  pg_strncasecmp(github.host, parts.host, parts.host_length) == 0))
	{
		*code = "HostNotAllowed";
		return psprintf("the host %.*s is not one of cp_webhook.registration_hosts",
						(int) parts.host_length, parts.host);
	}
	if (!parts.is_https && !parts.is_loopback &&
		!cpw_setting_registration_allow_http)
	{
		*code = "HttpNotAllowed";
		return psprintf("%s is not https, and cp_webhook.registration_allow_http is off",
						api_url);
	}
	return NULL;
}

/* ---- events ---- */

static const char *const event_headers[] = {
	"x-github-event", "x-gitea-event", "x-gogs-event", "x-forgejo-event",
	"x-gitlab-event", "x-event-key"
};

static int
add_event(const char **events, int count, const char *event, size_t length)
{
	if (length == 0 || length > CPW_PROVIDER_MAX_EVENT ||
		count == CPW_PROVIDER_MAX_EVENTS)
		return count;
	for (int i = 0; i < count; i++)
		if (strlen(events[i]) == length && memcmp(events[i], event, length) == 0)
			return count;
	events[count] = pnstrdup(event, length);
	return count + 1;
}

/* The strings that a path compares with: == "push". */
static int
add_compared(const char **events, int count, const char *path)
{
	const char *equals;

	while ((equals = strstr(path, "==")) != NULL)
	{
		const char *text = equals + 2 + strspn(equals + 2, " \t\r\n");
		size_t		length;

		path = equals + 2;
		if (*text != '"')
			continue;
		length = strcspn(text + 1, "\"\\");
		if (text[1 + length] == '"')
			count = add_event(events, count, text + 1, length);
	}
	return count;
}

int
cpw_third_party_events(Jsonb *filters, Jsonb *configuration,
					   const char **events)
{
	int			count = 0;

	for (int i = 0; i < cpw_json_length(&filters->root); i++)
	{
		JsonbContainer *rule = cpw_json_element(&filters->root, i);
		char	   *path = cpw_json_get_text(rule, "jsonPath");
		char	   *wanted = cpw_json_get_text(rule, "matchEquals");
		bool		names_header = false;

		for (size_t j = 0; j < lengthof(event_headers); j++)
			if (strstr(path, event_headers[j]) != NULL)
				names_header = strstr(path, "$headers") != NULL;
		if (!names_header)
			continue;
		if (wanted != NULL)
			wanted = cpw_filter_expand(wanted, configuration, false, NULL);
		if (wanted != NULL)
			count = add_event(events, count, wanted, strlen(wanted));
		else
			count = add_compared(events, count, path);
	}
	return count;
}

char *
cpw_third_party_fingerprint(const CpwProvider *provider, const char *api_url,
							const char *repository,
							const CpwProviderHook *hook)
{
	char	   *body = palloc(CPW_PROVIDER_MAX_BODY);
	size_t		length = cpw_provider_describe(provider, hook, body);
	char	   *place = psprintf("%s\n%s\n%s\n", provider->name, api_url,
								 repository);
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *text = palloc0(2 * sizeof(digest) + 1);

	if (context == NULL || pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) place, strlen(place)) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) body, length) < 0 ||
		pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a hash");
	pg_cryptohash_free(context);
	explicit_bzero(body, length);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return text;
}

/* ---- answers ---- */

typedef struct Parse
{
	const char *body;
	size_t		length;
	Jsonb	   *value;
} Parse;

static void
parse(void *arg)
{
	Parse	   *job = arg;

	job->value = cpw_payload_parse(job->body, job->length);
}

/* NULL for what is no JSON. */
static Jsonb *
parse_body(const char *body, size_t length)
{
	Parse		job = {body, length, NULL};
	ErrorData  *error = cpw_guard_run_cancelable(parse, &job);

	if (error == NULL)
		return job.value;
	FreeErrorData(error);
	return NULL;
}

/* A member that is a string or a number, as text. */
static char *
scalar_text(JsonbContainer *object, const char *name)
{
	JsonbValue *value = cpw_json_get(object, name);

	if (value == NULL)
		return NULL;
	if (value->type == jbvNumeric)
		return numeric_normalize(value->val.numeric);
	return value->type == jbvString ? cpw_json_string(value) : NULL;
}

static bool
ends_in(const char *text, const char *ending)
{
	size_t		length = strlen(text);
	size_t		wanted = strlen(ending);

	return length >= wanted && strcmp(text + length - wanted, ending) == 0;
}

bool
cpw_third_party_find_hooks(const CpwProvider *provider, const char *body,
						   size_t length, const char *url_token, List **ids,
						   bool *has_next)
{
	Jsonb	   *answer = parse_body(body, length);
	char	   *ending = psprintf(CPW_TRIGGER_PREFIX "%s", url_token);
	JsonbContainer *hooks;

	if (answer == NULL)
		return false;
	hooks = &answer->root;
	if (provider->list_member != NULL)
	{
		*has_next = cpw_json_get_text(hooks, "next") != NULL;
		hooks = cpw_json_get_container(hooks, provider->list_member);
	}
	if (hooks == NULL || !JsonContainerIsArray(hooks) || JsonContainerIsScalar(hooks))
		return false;
	for (int i = 0; i < cpw_json_length(hooks); i++)
	{
		JsonbContainer *hook = cpw_json_element(hooks, i);
		JsonbContainer *holder = provider->url_object == NULL ? hook :
			cpw_json_get_container(hook, provider->url_object);
		char	   *url = cpw_json_get_text(holder, "url");
		char	   *id = scalar_text(hook, provider->id_member);

		if (url != NULL && id != NULL && ends_in(url, ending))
			*ids = lappend(*ids, id);
	}
	return true;
}

char *
cpw_third_party_hook_id(const CpwProvider *provider, const char *body,
						size_t length)
{
	Jsonb	   *answer = parse_body(body, length);

	return answer == NULL ? NULL :
		scalar_text(&answer->root, provider->id_member);
}

/* From left to right, so that a mask is never looked at again. */
static char *
redact_one(const char *text, const char *secret)
{
	StringInfoData result;
	const char *found;

	initStringInfo(&result);
	while ((found = strstr(text, secret)) != NULL)
	{
		appendBinaryStringInfo(&result, text, (int) (found - text));
		appendStringInfoString(&result, CPW_MASK);
		text = found + strlen(secret);
	}
	appendStringInfoString(&result, text);
	return result.data;
}

char *
cpw_third_party_redact(const char *text, const char *const *secrets, int count)
{
	char	   *result = pstrdup(text);

	/* What is shorter stands in every other word. */
	for (int i = 0; i < count; i++)
		if (secrets[i] != NULL && strlen(secrets[i]) >= 3)
			result = redact_one(result, secrets[i]);
	return result;
}

/*
 * {"message": ..., "errors": [{"message"}]} of GitHub and Gitea, {"message"}
 * (of any type) or {"error"} of GitLab, {"error": {"message"}} of Bitbucket.
 */
static char *
find_complaint(JsonbContainer *answer)
{
	static const char *const members[] = {"message", "error"};
	JsonbContainer *errors = cpw_json_get_container(answer, "errors");
	StringInfoData text;

	initStringInfo(&text);
	for (size_t i = 0; i < lengthof(members) && text.len == 0; i++)
	{
		JsonbContainer *inner = cpw_json_get_container(answer, members[i]);
		char	   *plain = scalar_text(inner != NULL ? inner : answer,
										inner != NULL ? "message" : members[i]);

		if (plain != NULL)
			appendStringInfoString(&text, plain);
		else if (inner != NULL)
			(void) JsonbToCString(&text, inner, 0);
	}
	for (int i = 0; i < Min(cpw_json_length(errors), 3); i++)
	{
		char	   *one = scalar_text(cpw_json_element(errors, i), "message");

		if (one != NULL)
			appendStringInfo(&text, "%s%s", text.len > 0 ? ": " : "", one);
	}
	return text.len > 0 ? text.data : NULL;
}

char *
cpw_third_party_complaint(const char *body, size_t length,
						  const char *const *secrets, int count)
{
	Jsonb	   *answer = length > 0 ? parse_body(body, length) : NULL;
	char	   *text;

	if (answer == NULL || !JB_ROOT_IS_OBJECT(answer))
		return NULL;
	text = find_complaint(&answer->root);
	if (text == NULL)
		return NULL;
	text = cpw_third_party_redact(text, secrets, count);
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char) *c < 0x20 || *c == 0x7f)
			*c = ' ';
	text[pg_mbcliplen(text, (int) strlen(text), MAX_COMPLAINT)] = '\0';
	return text;
}
