/*
 * provider.h
 *		The third parties that webhooks are registered with, as rows of one
 *		table: how their hooks are listed, made, changed and deleted, and what
 *		an answer of theirs means. Bytes alone: no network, no JSON is read.
 */
#ifndef CPW_PROVIDER_H
#define CPW_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds of the parts that a call is made of. */
#define CPW_PROVIDER_MAX_URL		4096
#define CPW_PROVIDER_MAX_BODY		16384
#define CPW_PROVIDER_MAX_EVENTS		16
#define CPW_PROVIDER_MAX_EVENT		100
#define CPW_PROVIDER_MAX_HEADERS	8

typedef enum CpwProviderCall
{
	CPW_CALL_LIST,
	CPW_CALL_CREATE,
	CPW_CALL_UPDATE,
	CPW_CALL_DELETE
} CpwProviderCall;

typedef struct CpwProvider
{
	const char *name;			/* the action's provider, in any case */
	const char *shown;			/* as messages call it */

	/* Where its API is; NULL: only the action can say. */
	const char *api_url;

	/* The path of a repository's hooks; one segment where it is encoded. */
	const char *hooks_path;
	bool		is_one_segment;
	const char *page_query;		/* with the number of a page behind it */

	/* Headers of every call; %s in authorization is the token. */
	const char *authorization;
	const char *headers[3];

	/* The method of an update; NULL: the hook is deleted and made again. */
	const char *update_method;

	/* Bodies: {url}, {events}, {secret} and {description} are replaced. */
	const char *create_body;
	const char *update_body;
	const char *secret;			/* what {secret} is; %s is the secret */
	const char *no_secret;		/* the same where there is none */

	/* Events are a list of names, or members that are true or false. */
	const char *default_event;
	const char *const (*event_members)[2];	/* event, member; ended by NULL */

	/* Where a list's hooks are (NULL: it is an array), a hook's id and URL. */
	const char *list_member;
	const char *id_member;
	const char *url_object;		/* NULL: url is a member of the hook */

	/* The authentications that its deliveries can pass. */
	const char *authentications[4];

	/* What a 403 or a 404 means beside that something is not there. */
	const char *right;
} CpwProvider;

/* The provider that an action names, or NULL. */
extern const CpwProvider *cpw_provider_find(const char *name);

/* All of them, for a message: "GitHub, GitLab, ...". */
extern const char *cpw_provider_names(void);

/* Whether deliveries of this provider can pass an authentication with a secret. */
extern bool cpw_provider_signs(const CpwProvider *provider,
							   const char *authentication);

/* ---- where an API is ---- */

typedef struct CpwApiUrl
{
	bool		is_https;
	const char *host;			/* of an IPv6 address without brackets */
	size_t		host_length;
	bool		is_loopback;	/* localhost, 127.0.0.0/8, ::1 */
} CpwApiUrl;

/*
 * Takes apart http(s)://host[:port][/path]. False for anything else: there is
 * no user, query or fragment in it, and nothing that needs an escape.
 */
extern bool cpw_provider_parse_url(const char *url, CpwApiUrl *parts);

/*
 * Whether a host is one of a list, separated by commas: names and addresses as
 * they are, ".example.com" for every name below, "*" for any.
 */
extern bool cpw_provider_host_is_allowed(const CpwApiUrl *url,
										 const char *list);

/* Owner/Repo, or a longer path: letters, digits, "._~-" and "/" between. */
extern bool cpw_provider_is_repository(const CpwProvider *provider,
									   const char *repository);

/* ---- a call ---- */

/* What a hook is to be. */
typedef struct CpwProviderHook
{
	const char *url;
	const char *secret;			/* NULL: none */
	const char *description;
	int			event_count;	/* 0: the provider's default */
	const char *events[CPW_PROVIDER_MAX_EVENTS];
} CpwProviderHook;

typedef struct CpwProviderRequest
{
	const char *method;
	char		url[CPW_PROVIDER_MAX_URL];
	int			header_count;
	char		headers[CPW_PROVIDER_MAX_HEADERS][2200];
	char		body[CPW_PROVIDER_MAX_BODY];	/* "": none */
} CpwProviderRequest;

/*
 * Writes a call: LIST of a page (from 1), CREATE and UPDATE with the hook,
 * UPDATE and DELETE with an id. token is for an authorization. False when
 * something is too long or holds what a header may not.
 */
extern bool cpw_provider_write(const CpwProvider *provider,
							   CpwProviderCall call, const char *api_url,
							   const char *repository, const char *token,
							   const char *hook_id, int page,
							   const CpwProviderHook *hook,
							   CpwProviderRequest *request);

/* The same hook gives the same bytes, for a fingerprint. Its length, or 0. */
extern size_t cpw_provider_describe(const CpwProvider *provider,
									const CpwProviderHook *hook,
									char body[CPW_PROVIDER_MAX_BODY]);

/* ---- an answer ---- */

typedef enum CpwAnswerKind
{
	CPW_ANSWER_DONE,
	CPW_ANSWER_GONE,			/* there is no such thing */
	CPW_ANSWER_LATER,			/* try again */
	CPW_ANSWER_REFUSED			/* trying again would not help */
} CpwAnswerKind;

/*
 * What an answer means. headers is the answer's header, line by line. *wait is
 * set to the seconds that it asks to wait, or 0; now is the time (Unix).
 */
extern CpwAnswerKind cpw_provider_judge(int status, const char *headers,
										int64_t now, int64_t *wait);

/* Whether the headers of a list tell of a next page. */
extern bool cpw_provider_has_next(const char *headers);

/* What is wrong, for a person: a clause without the status. NULL: unknown. */
extern const char *cpw_provider_explain(const CpwProvider *provider,
										int status, char *room, size_t size);

/*
 * The seconds until the next attempt: they double from one second to an hour.
 * random is in [0, 1): up to a quarter more or less.
 */
extern double cpw_provider_backoff(int attempts, double random);

#endif							/* CPW_PROVIDER_H */
