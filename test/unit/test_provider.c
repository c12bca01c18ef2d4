/*
 * test_provider.c
 *		The third parties: URLs, hosts, requests, answers.
 */
#include <stdlib.h>

#include "base/provider.h"
#include "check.h"

static void
test_urls(void)
{
	static const struct
	{
		const char *url;
		bool		is_fine;
		bool		is_https;
		const char *host;
		bool		is_loopback;
	}			rows[] = {
		{"https://api.github.com", true, true, "api.github.com", false},
		{"https://git.example.com:8443/api/v3", true, true, "git.example.com", false},
		{"https://git.example.com/", true, true, "git.example.com", false},
		{"http://localhost:3000", true, false, "localhost", true},
		{"http://LOCALHOST", true, false, "LOCALHOST", true},
		{"http://127.0.0.1/x", true, false, "127.0.0.1", true},
		{"http://127.1.2.3:80", true, false, "127.1.2.3", true},
		{"http://[::1]:3000/x", true, false, "::1", true},
		{"https://[2001:db8::1]", true, true, "2001:db8::1", false},
		{"http://127.0.0.1.example.com", true, false, "127.0.0.1.example.com", false},
		{"http://localhost.example.com", true, false, "localhost.example.com", false},
		{"http://1270.0.0.1", true, false, "1270.0.0.1", false},
		{"", false, false, "", false},
		{"api.github.com", false, false, "", false},
		{"ftp://x", false, false, "", false},
		{"HTTPS://x", false, false, "", false},
		{"https://", false, false, "", false},
		{"https:///x", false, false, "", false},
		{"https://user@x", false, false, "", false},
		{"https://user:pw@x/", false, false, "", false},
		{"https://x:", false, false, "", false},
		{"https://x:123456", false, false, "", false},
		{"https://x:80y", false, false, "", false},
		{"https://x?a", false, false, "", false},
		{"https://x/?a", false, false, "", false},
		{"https://x/#a", false, false, "", false},
		{"https://x/a b", false, false, "", false},
		{"https://x/../y", false, false, "", false},
		{"https://x/%2e", false, false, "", false},
		{"https://[::1", false, false, "", false},
		{"https://[]", false, false, "", false},
		{"https://x\\y", false, false, "", false},
		{"https://x\n", false, false, "", false},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		CpwApiUrl	parts;
		bool		is_fine = cpw_provider_parse_url(rows[i].url, &parts);

		CHECK_FOR(rows[i].url, is_fine == rows[i].is_fine);
		if (!is_fine || !rows[i].is_fine)
			continue;
		CHECK_FOR(rows[i].url, parts.is_https == rows[i].is_https);
		CHECK_FOR(rows[i].url, parts.is_loopback == rows[i].is_loopback);
		CHECK_BYTES_FOR(rows[i].url, parts.host, parts.host_length,
						rows[i].host, strlen(rows[i].host));
	}
}

static void
test_hosts(void)
{
	static const struct
	{
		const char *list;
		const char *url;
		bool		is_allowed;
	}			rows[] = {
		{"", "https://x.example.com", false},
		{" , ", "https://x.example.com", false},
		{"*", "https://x.example.com", true},
		{"a, *", "http://[::1]:1", true},
		{"*.example.com", "https://x.example.com", false},
		{"x.example.com", "https://x.example.com", true},
		{"X.Example.Com", "https://x.example.com:99/y", true},
		{"a, x.example.com ,b", "https://x.example.com", true},
		{".example.com", "https://x.example.com", true},
		{".example.com", "https://y.x.example.com", true},
		{".example.com", "https://example.com", false},
		{".example.com", "https://xexample.com", false},
		{"example.com", "https://x.example.com", false},
		{"x.example.co", "https://x.example.com", false},
		{"x.example.com.evil.org", "https://x.example.com", false},
		{"x.example.com", "https://x.example.com.evil.org", false},
		{"127.0.0.1", "http://127.0.0.1:1", true},
		{"[::1]", "http://[::1]:1", true},
		{"::1", "http://[::1]:1", true},
		{"a", "http://[::1]:1", false},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		CpwApiUrl	parts;

		CHECK(cpw_provider_parse_url(rows[i].url, &parts));
		CHECK_FOR(rows[i].list,
				  cpw_provider_host_is_allowed(&parts, rows[i].list) == rows[i].is_allowed);
	}
}

static void
test_names(void)
{
	static const char *const names[] = {
		"GitHub", "GitHubEnterprise", "GitLab", "Gitea", "Forgejo", "Bitbucket"
	};
	const CpwProvider *github = cpw_provider_find("gitHUB");
	const CpwProvider *gitlab = cpw_provider_find("GitLab");

	for (size_t i = 0; i < COUNT_OF(names); i++)
	{
		const CpwProvider *provider = cpw_provider_find(names[i]);

		CHECK_FOR(names[i], provider != NULL && strcmp(provider->name, names[i]) == 0);
		CHECK_FOR(names[i], strstr(cpw_provider_names(), names[i]) != NULL);
	}
	CHECK(cpw_provider_find("GitHubs") == NULL);
	CHECK(cpw_provider_find("") == NULL);
	CHECK(cpw_provider_signs(github, "GITHUB_HMAC"));
	CHECK(!cpw_provider_signs(gitlab, "GITHUB_HMAC"));
	CHECK(cpw_provider_signs(gitlab, "GITLAB_TOKEN"));

	CHECK(cpw_provider_is_repository(github, "octo/site"));
	CHECK(cpw_provider_is_repository(github, "o-c.t_o/si.te"));
	CHECK(!cpw_provider_is_repository(github, "octo"));
	CHECK(!cpw_provider_is_repository(github, "octo/"));
	CHECK(!cpw_provider_is_repository(github, "/site"));
	CHECK(!cpw_provider_is_repository(github, "octo/site/x"));
	CHECK(!cpw_provider_is_repository(github, "octo/.."));
	CHECK(!cpw_provider_is_repository(github, "./site"));
	CHECK(!cpw_provider_is_repository(github, "octo/si te"));
	CHECK(!cpw_provider_is_repository(github, "octo/site?x"));
	CHECK(!cpw_provider_is_repository(github, "octo/%2e"));
	CHECK(cpw_provider_is_repository(gitlab, "octo/deep/site"));
	CHECK(!cpw_provider_is_repository(gitlab, "octo"));
	CHECK(!cpw_provider_is_repository(gitlab, "octo/../site"));
}

/* A token, a secret and a URL as hostile as they can be. */
static void
test_requests(void)
{
	static CpwProviderRequest request;
	const CpwProvider *github = cpw_provider_find("GitHub");
	const CpwProvider *gitlab = cpw_provider_find("GitLab");
	const CpwProvider *bitbucket = cpw_provider_find("Bitbucket");
	CpwProviderHook hook = {.url = "https://x/trigger/t",.secret = "a\"b\\c\x01",.description = "d"};
	char	   *many = guarded_room(5000);

	CHECK(cpw_provider_write(github, CPW_CALL_CREATE, "https://a//", "o/r", "tok", NULL, 0, &hook, &request));
	CHECK(strcmp(request.method, "POST") == 0);
	CHECK(strcmp(request.url, "https://a/repos/o/r/hooks") == 0);
	CHECK(strcmp(request.headers[0], "Authorization: Bearer tok") == 0);
	CHECK(strcmp(request.body, "{\"name\":\"web\",\"active\":true,\"events\":[\"push\"],"
				 "\"config\":{\"url\":\"https://x/trigger/t\",\"content_type\":\"json\","
				 "\"insecure_ssl\":\"0\",\"secret\":\"a\\\"b\\\\c\\u0001\"}}") == 0);
	CHECK(cpw_provider_write(github, CPW_CALL_LIST, "https://a", "o/r", "tok", NULL, 7, NULL, &request));
	CHECK(strcmp(request.url, "https://a/repos/o/r/hooks?per_page=100&page=7") == 0);
	CHECK(request.body[0] == '\0');
	hook.secret = NULL;
	hook.events[hook.event_count++] = "a\"";
	hook.events[hook.event_count++] = "b";
	CHECK(cpw_provider_write(github, CPW_CALL_UPDATE, "https://a", "o/r", "tok", "1/2", 0, &hook, &request));
	CHECK(strcmp(request.url, "https://a/repos/o/r/hooks/1%2F2") == 0);
	CHECK(strstr(request.body, "\"events\":[\"a\\\"\",\"b\"]") != NULL);
	CHECK(strstr(request.body, "secret") == NULL);
	CHECK(cpw_provider_write(bitbucket, CPW_CALL_DELETE, "https://a", "o/r", "tok", "{x}", 0, NULL, &request));
	CHECK(strcmp(request.url, "https://a/repositories/o/r/hooks/%7Bx%7D") == 0);
	hook.event_count = 0;
	CHECK(cpw_provider_write(gitlab, CPW_CALL_CREATE, "https://a", "o/d/r", "tok", NULL, 0, &hook, &request));
	CHECK(strcmp(request.url, "https://a/projects/o%2Fd%2Fr/hooks") == 0);
	CHECK(strstr(request.body, "\"push_events\":true,\"tag_push_events\":false") != NULL);
	CHECK(strstr(request.body, "\"token\":\"\"") != NULL);

	/* No token can begin a header of its own, and nothing is cut silently. */
	CHECK(!cpw_provider_write(github, CPW_CALL_LIST, "https://a", "o/r", "t\r\nX: y", NULL, 1, NULL, &request));
	CHECK(!cpw_provider_write(github, CPW_CALL_LIST, "https://a", "o/r", "t\x7f", NULL, 1, NULL, &request));
	memset(many, 'x', 4999);
	many[4999] = '\0';
	CHECK(!cpw_provider_write(github, CPW_CALL_LIST, "https://a", "o/r", many, NULL, 1, NULL, &request));
	CHECK(!cpw_provider_write(github, CPW_CALL_DELETE, "https://a", "o/r", "t", many, 1, NULL, &request));
	hook.url = many;
	memset(many, 1, 4999);
	CHECK(!cpw_provider_write(github, CPW_CALL_CREATE, "https://a", "o/r", "t", NULL, 1, &hook, &request));
	guarded_release();
}

static void
test_answers(void)
{
	static const struct
	{
		int			status;
		const char *headers;
		CpwAnswerKind kind;
		int64_t		wait;
	}			rows[] = {
		{200, "", CPW_ANSWER_DONE, 0},
		{201, "", CPW_ANSWER_DONE, 0},
		{204, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1060\r\n", CPW_ANSWER_DONE, 0},
		{301, "", CPW_ANSWER_REFUSED, 0},
		{400, "", CPW_ANSWER_REFUSED, 0},
		{401, "", CPW_ANSWER_REFUSED, 0},
		{403, "", CPW_ANSWER_REFUSED, 0},
		{403, "X-RateLimit-Remaining: 12\r\n", CPW_ANSWER_REFUSED, 0},
		{403, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1060\r\n", CPW_ANSWER_LATER, 61},
		{403, "retry-after: 30\r\n", CPW_ANSWER_LATER, 30},
		{404, "", CPW_ANSWER_GONE, 0},
		{410, "", CPW_ANSWER_GONE, 0},
		{408, "", CPW_ANSWER_LATER, 0},
		{409, "", CPW_ANSWER_REFUSED, 0},
		{422, "", CPW_ANSWER_REFUSED, 0},
		{429, "", CPW_ANSWER_LATER, 0},
		{429, "Retry-After: 5\r\nX-RateLimit-Reset: 9999\r\n", CPW_ANSWER_LATER, 5},
		{429, "RateLimit-Reset: 1100\r\n", CPW_ANSWER_LATER, 101},
		{429, "X-RateLimit-Reset: 900\r\n", CPW_ANSWER_LATER, 0},
		{429, "Retry-After: soon\r\n", CPW_ANSWER_LATER, 0},
		{429, "Retry-After: 99999999999999999999\r\n", CPW_ANSWER_LATER, 86400},
		{429, "Retry-After: Thu, 01 Jan 1970 00:17:10 GMT\r\nX: 1\r\n", CPW_ANSWER_LATER, 30},
		{429, "Retry-After: Thu, 01 Jan 1970 00:16:00 GMT\r\n", CPW_ANSWER_LATER, 0},
		{429, "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n", CPW_ANSWER_LATER, 86400},
		{403, "Retry-After: Thu, 01 Jan 1970 00:17:10 GMT", CPW_ANSWER_LATER, 30},
		{429, "X-Retry-After: 5\r\n", CPW_ANSWER_LATER, 0},
		{500, "", CPW_ANSWER_LATER, 0},
		{503, "HTTP/1.1 503 X\r\nRETRY-AFTER:\t9\r\n", CPW_ANSWER_LATER, 9},
	};
	static const struct
	{
		const char *headers;
		bool		has_next;
	}			pages[] = {
		{"", false},
		{"Link: <https://x?page=2>; rel=\"next\", <https://x?page=9>; rel=\"last\"\r\n", true},
		{"link: <https://x?page=1>; rel=\"prev\"\r\nX: rel=\"next\"\r\n", false},
		{"Link: <https://x>; rel=next\r\n", true},
		{"X-Next-Page: 2\r\n", true},
		{"X-Next-Page: \r\n", false},
		{"X-Next-Page:", false},
	};
	char		room[200];
	const CpwProvider *github = cpw_provider_find("GitHub");

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		int64_t		wait = -1;

		CHECK_FOR(rows[i].headers, cpw_provider_judge(rows[i].status, rows[i].headers, 1000, &wait) == rows[i].kind);
		CHECK_FOR(rows[i].headers, wait == rows[i].wait);
	}
	for (size_t i = 0; i < COUNT_OF(pages); i++)
		CHECK_FOR(pages[i].headers, cpw_provider_has_next(pages[i].headers) == pages[i].has_next);
	CHECK(strcmp(cpw_provider_explain(github, 404, room, sizeof(room)),
				 "the token needs admin:repo_hook, or the repository does not exist") == 0);
	CHECK(cpw_provider_explain(github, 422, room, sizeof(room)) == NULL);
}

static void
test_backoff(void)
{
	CHECK(cpw_provider_backoff(1, 0.5) == 1.0);
	CHECK(cpw_provider_backoff(2, 0.5) == 2.0);
	CHECK(cpw_provider_backoff(5, 0.5) == 16.0);
	CHECK(cpw_provider_backoff(5, 0.0) == 12.0);
	CHECK(cpw_provider_backoff(5, 0.9999) < 20.0);
	CHECK(cpw_provider_backoff(100, 0.5) == 3600.0);
	CHECK(cpw_provider_backoff(2000000000, 0.5) == 3600.0);
}

void
test_provider(void)
{
	test_urls();
	test_hosts();
	test_names();
	test_requests();
	test_answers();
	test_backoff();
}
