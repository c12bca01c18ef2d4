/*
 * provider.c
 *		The third parties that webhooks are registered with.
 *
 * https://docs.github.com/rest/repos/webhooks
 * https://docs.gitlab.com/api/project_webhooks
 * https://docs.gitea.com/api (repository, hooks)
 * https://developer.atlassian.com/cloud/bitbucket/rest/api-group-repositories
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/instant.h"
#include "base/provider.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define COUNT_OF(array)		((int) (sizeof(array) / sizeof((array)[0])))

#define FIRST_PAUSE			1.0
#define LONGEST_PAUSE		3600.0

/* Longer than this nobody is asked to wait. */
#define LONGEST_WAIT		86400

/* ---- the table ---- */

#define GITHUB_CONFIG \
	"\"active\":true,\"events\":[{events}],\"config\":{\"url\":{url}," \
	"\"content_type\":\"json\",\"insecure_ssl\":\"0\"{secret}}}"

#define GITHUB_ROW \
	.hooks_path = "/repos/%s/hooks", \
	.page_query = "?per_page=100&page=", \
	.authorization = "Authorization: Bearer %s", \
	.headers = {"Accept: application/vnd.github+json", \
	"X-GitHub-Api-Version: 2022-11-28"}, \
	.update_method = "PATCH", \
	.create_body = "{\"name\":\"web\"," GITHUB_CONFIG, \
	.update_body = "{" GITHUB_CONFIG, \
	.secret = ",\"secret\":%s", \
	.no_secret = "", \
	.default_event = "push", \
	.id_member = "id", \
	.url_object = "config", \
	.authentications = {"GITHUB_HMAC"}, \
	.right = "admin:repo_hook"

#define GITLAB_BODY \
	"{\"url\":{url},\"enable_ssl_verification\":true{events}{secret}}"

/*
 * The secret is not changed by a PATCH: versions of before 2025 ignore it. So
 * there is no update.
 */
#define GITEA_ROW \
	.hooks_path = "/repos/%s/hooks", \
	.page_query = "?limit=50&page=", \
	.authorization = "Authorization: token %s", \
	.headers = {"Accept: application/json"}, \
	.create_body = "{\"type\":\"gitea\",\"active\":true," \
	"\"events\":[{events}],\"config\":{\"url\":{url}," \
	"\"content_type\":\"json\"{secret}}}", \
	.secret = ",\"secret\":%s", \
	.no_secret = "", \
	.default_event = "push", \
	.id_member = "id", \
	.url_object = "config", \
	.authentications = {"GITEA_HMAC", "GITHUB_HMAC"}, \
	.right = "write:repository, and its owner to be an administrator of it"

#define BITBUCKET_BODY \
	"{\"description\":{description},\"url\":{url},\"active\":true," \
	"\"events\":[{events}]{secret}}"

/* The events by X-Gitlab-Event, and the members that ask for them. */
static const char *const gitlab_events[][2] = {
	{"Push Hook", "push_events"},
	{"Tag Push Hook", "tag_push_events"},
	{"Merge Request Hook", "merge_requests_events"},
	{"Issue Hook", "issues_events"},
	{"Confidential Issue Hook", "confidential_issues_events"},
	{"Note Hook", "note_events"},
	{"Confidential Note Hook", "confidential_note_events"},
	{"Job Hook", "job_events"},
	{"Pipeline Hook", "pipeline_events"},
	{"Wiki Page Hook", "wiki_page_events"},
	{"Deployment Hook", "deployment_events"},
	{"Release Hook", "releases_events"},
	{NULL, NULL}
};

static const CpwProvider providers[] = {
	{.name = "GitHub",.shown = "GitHub",
	.api_url = "https://api.github.com", GITHUB_ROW},
	{.name = "GitHubEnterprise",.shown = "GitHub Enterprise", GITHUB_ROW},
	{.name = "GitLab",.shown = "GitLab",
		.api_url = "https://gitlab.com/api/v4",
		.hooks_path = "/projects/%s/hooks",
		.is_one_segment = true,
		.page_query = "?per_page=100&page=",
		.authorization = "PRIVATE-TOKEN: %s",
		.headers = {"Accept: application/json"},
		.update_method = "PUT",
		.create_body = GITLAB_BODY,
		.update_body = GITLAB_BODY,
		.secret = ",\"token\":%s",
		.no_secret = ",\"token\":\"\"",
		.default_event = "Push Hook",
		.event_members = gitlab_events,
		.id_member = "id",
		.authentications = {"GITLAB_TOKEN"},
	.right = "the scope api and the role Maintainer"},
	{.name = "Gitea",.shown = "Gitea", GITEA_ROW},
	{.name = "Forgejo",.shown = "Forgejo", GITEA_ROW},
	{.name = "Bitbucket",.shown = "Bitbucket",
		.api_url = "https://api.bitbucket.org/2.0",
		.hooks_path = "/repositories/%s/hooks",
		.page_query = "?pagelen=100&page=",
		.authorization = "Authorization: Bearer %s",
		.headers = {"Accept: application/json"},
		.update_method = "PUT",
		.create_body = BITBUCKET_BODY,
		.update_body = BITBUCKET_BODY,
		.secret = ",\"secret\":%s",
		.no_secret = ",\"secret\":null",
		.default_event = "repo:push",
		.list_member = "values",
		.id_member = "uuid",
		.authentications = {"BITBUCKET_HMAC"},
	.right = "the scope webhook and to administer the repository"},
};

const CpwProvider *
cpw_provider_find(const char *name)
{
	for (int i = 0; i < COUNT_OF(providers); i++)
		if (strcasecmp(providers[i].name, name) == 0)
			return &providers[i];
	return NULL;
}

const char *
cpw_provider_names(void)
{
	return "GitHub, GitHubEnterprise, GitLab, Gitea, Forgejo, Bitbucket";
}

bool
cpw_provider_signs(const CpwProvider *provider, const char *authentication)
{
	for (int i = 0; i < COUNT_OF(provider->authentications); i++)
		if (provider->authentications[i] != NULL &&
			strcmp(provider->authentications[i], authentication) == 0)
			return true;
	return false;
}

/* ---- where an API is ---- */

#define LETTERS		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS		"0123456789"

static bool
is_loopback(const char *host, size_t length)
{
	if (length == 9 && strncasecmp(host, "localhost", 9) == 0)
		return true;
	if (length == 3 && memcmp(host, "::1", 3) == 0)
		return true;

	/* 127.0.0.0/8, and no name that only begins so. */
	return length >= 9 && memcmp(host, "127.", 4) == 0 &&
		strspn(host, DIGITS ".") >= length;
}

bool
cpw_provider_parse_url(const char *url, CpwApiUrl *parts)
{
	const char *rest;

	memset(parts, 0, sizeof(*parts));
	if (strncmp(url, "https://", 8) == 0)
		parts->is_https = true;
	else if (strncmp(url, "http://", 7) != 0)
		return false;
	parts->host = strstr(url, "://") + 3;
	if (*parts->host == '[')
	{
		parts->host++;
		parts->host_length = strspn(parts->host, DIGITS "abcdefABCDEF:.");
		rest = parts->host + parts->host_length;
		if (*rest++ != ']')
			return false;
	}
	else
	{
		parts->host_length = strspn(parts->host, LETTERS DIGITS ".-");
		rest = parts->host + parts->host_length;
	}
	if (parts->host_length == 0 || parts->host_length > 253)
		return false;
	parts->is_loopback = is_loopback(parts->host, parts->host_length);
	if (*rest == ':')
	{
		size_t		digits = strspn(rest + 1, DIGITS);

		if (digits == 0 || digits > 5)
			return false;
		rest += 1 + digits;
	}
	if (*rest == '\0')
		return true;
	return *rest == '/' && strspn(rest, LETTERS DIGITS "/._~-") == strlen(rest) &&
		strstr(rest, "..") == NULL && strlen(url) <= 1000;
}

bool
cpw_provider_host_is_allowed(const CpwApiUrl *url, const char *list)
{
	while (*list != '\0')
	{
		size_t		length;

		list += strspn(list, ", \t[]");
		length = strcspn(list, ", \t[]");
		if (length == 0)
			continue;
		if ((length == 1 && *list == '*') ||
			(*list == '.' ? url->host_length > length &&
			strncasecmp(url->host + url->host_length - length, list, length) == 0
			: url->host_length == length &&
			strncasecmp(url->host, list, length) == 0))
			return true;
		list += length;
	}
	return false;
}

bool
cpw_provider_is_repository(const CpwProvider *provider, const char *repository)
{
	int			segments = 1;

	if (strspn(repository, LETTERS DIGITS "/._~-") != strlen(repository) ||
		strlen(repository) > 500)
		return false;
	for (const char *segment = repository;; segments++)
	{
		size_t		length = strcspn(segment, "/");

		if (length == 0 || (length == 1 && segment[0] == '.') ||
			(length == 2 && memcmp(segment, "..", 2) == 0))
			return false;
		if (segment[length] == '\0')
			break;
		segment += length + 1;
	}
	return segments == 2 || (provider->is_one_segment && segments > 1);
}

/* ---- answers ---- */

/* The value of the first header of that name (lower case), or NULL. */
static const char *
find_header(const char *headers, const char *name)
{
	size_t		length = strlen(name);

	while (*headers != '\0')
	{
		if (strncasecmp(headers, name, length) == 0 && headers[length] == ':')
			return headers + length + 1 + strspn(headers + length + 1, " \t");
		headers += strcspn(headers, "\n");
		headers += *headers == '\n';
	}
	return NULL;
}

/* A header that is a number; -1 without one. */
static int64_t
find_number(const char *headers, const char *name)
{
	const char *value = find_header(headers, name);

	if (value == NULL || strspn(value, DIGITS) == 0)
		return -1;
	return strtoll(value, NULL, 10);
}

/* Seconds, or a date (RFC 9110, 10.2.3); -1 without one. */
static int64_t
find_retry_after(const char *headers, int64_t now)
{
	const char *value = find_header(headers, "retry-after");
	int64_t		instant;

	if (value == NULL || strspn(value, DIGITS) > 0)
		return find_number(headers, "retry-after");
	if (!cpw_instant_parse(value, strcspn(value, "\r\n"), &instant))
		return -1;
	return instant > now ? instant - now : 0;
}

static int64_t
at_most_a_day(int64_t seconds)
{
	return seconds < 0 ? 0 : seconds > LONGEST_WAIT ? LONGEST_WAIT : seconds;
}

CpwAnswerKind
cpw_provider_judge(int status, const char *headers, int64_t now, int64_t *wait)
{
	int64_t		retry_after = find_retry_after(headers, now);
	int64_t		remaining = find_number(headers, "x-ratelimit-remaining");
	int64_t		reset = find_number(headers, "x-ratelimit-reset");
	bool		is_limited;

	*wait = 0;
	if (remaining < 0)
		remaining = find_number(headers, "ratelimit-remaining");
	if (reset < 0)
		reset = find_number(headers, "ratelimit-reset");
	is_limited = status == 429 ||
		(status == 403 && (retry_after >= 0 || remaining == 0));
	if (retry_after >= 0)
		*wait = at_most_a_day(retry_after);
	else if (is_limited && reset > 0)
		*wait = at_most_a_day(reset - now + 1);
	if (status >= 200 && status < 300)
		return CPW_ANSWER_DONE;
	if (is_limited || status == 408 || status >= 500)
		return CPW_ANSWER_LATER;
	return status == 404 || status == 410 ? CPW_ANSWER_GONE :
		CPW_ANSWER_REFUSED;
}

bool
cpw_provider_has_next(const char *headers)
{
	const char *next = find_header(headers, "x-next-page");
	const char *link = find_header(headers, "link");

	if (next != NULL && strchr(DIGITS, *next) != NULL && *next != '\0')
		return true;
	if (link == NULL)
		return false;

	/* Only of that line: rel="next" among its links (RFC 8288). */
	for (const char *end = link + strcspn(link, "\r\n"); link < end; link++)
		if (strncasecmp(link, "rel=\"next\"", 10) == 0 ||
			strncasecmp(link, "rel=next", 8) == 0)
			return true;
	return false;
}

const char *
cpw_provider_explain(const CpwProvider *provider, int status, char *room,
					 size_t size)
{
	switch (status)
	{
		case 401:
			return "the token is not accepted";
		case 403:
			snprintf(room, size, "the token needs %s", provider->right);
			return room;
		case 404:
			snprintf(room, size,
					 "the token needs %s, or the repository does not exist",
					 provider->right);
			return room;
		case 429:
			return "there were too many requests";
		default:
			if (status >= 300 && status < 400)
				return "it redirects to another host";
			return NULL;
	}
}

double
cpw_provider_backoff(int attempts, double random)
{
	double		pause = FIRST_PAUSE;

	for (int i = 1; i < attempts && pause < LONGEST_PAUSE; i++)
		pause *= 2;
	if (pause > LONGEST_PAUSE)
		pause = LONGEST_PAUSE;
	return pause * (0.75 + random / 2);
}
