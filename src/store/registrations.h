/*
 * registrations.h
 *		The table third_party_registrations: what is wished of third parties,
 *		and what has become of it.
 *
 * A row is one place (provider, API, repository) of one webhook. The current
 * one of a webhook is where it is to be; one that is not current is on its way
 * to be removed. Only what this cluster asked for is worked on, so that a
 * restored copy leaves the hooks of its original alone.
 */
#ifndef CPW_REGISTRATIONS_H
#define CPW_REGISTRATIONS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pg/third_party.h"
#include "utils/uuid.h"

/* ---- wishes: in the transaction of who has them ---- */

typedef enum CpwRegistrationWish
{
	CPW_REGISTER,				/* make it, or write it again */
	CPW_REFRESH					/* where it is registered, follow a change */
} CpwRegistrationWish;

/* Whether a webhook is wished to be registered. */
extern bool cpw_registrations_exist(const pg_uuid_t *webhook_id);

/*
 * Wishes a webhook, which is locked, to be registered at a place, and at no
 * other. A refresh does nothing to one that is not wished to be registered.
 * party may be NULL with a refresh: the place stays as it is. token is the end
 * of the webhook's URL, NULL with a refresh.
 */
extern void cpw_registrations_register(const pg_uuid_t *webhook_id,
									   const char *webhook, const char *token,
									   const CpwThirdParty *party,
									   CpwRegistrationWish wish);

/*
 * Wishes it to be registered nowhere, or has been deleted; false when it is
 * nowhere.
 */
extern bool cpw_registrations_deregister(const pg_uuid_t *webhook_id,
										 bool is_deleted);

/*
 * Seals tokens and fingerprints by the key that seals now, where another one
 * does. Returns how many rows; raises an error where one does not open.
 */
extern int64 cpw_registrations_reseal(void);

/* ---- the maintenance worker ---- */

/* A row that has been taken; all in the context that was current. */
typedef struct CpwRegistration
{
	pg_uuid_t	id;
	pg_uuid_t	webhook_id;
	char	   *webhook;
	char	   *url_token;
	bool		is_current;
	bool		is_wanted;
	int			revision;
	char	   *provider;
	char	   *api_url;
	char	   *repository;
	char	   *access_token;	/* NULL: it does not open, as problem says */
	const char *problem;
	char	   *hook_id;		/* NULL: none is known */
	char	   *fingerprint;	/* NULL: none, or it is to be written again */
	TimestampTz creating_at;	/* 0: no making is in doubt */
	int			attempts;
} CpwRegistration;

/* What an attempt came to; strings may be NULL, instants 0. */
typedef struct CpwRegistrationEnd
{
	const char *state;
	const char *hook_id;
	const char *public_url;
	const char *fingerprint;
	TimestampTz creating_at;
	int			attempts;
	TimestampTz next_try_at;
	const char *error_code;
	const char *error;
} CpwRegistrationEnd;

/* What a process before this one was working on is to be done again. */
extern void cpw_registrations_reset(void);

/*
 * Wishes again what is registered under another public_url, and the removal of
 * what belongs to a webhook that is there no longer. Returns how many.
 */
extern int64 cpw_registrations_review(const char *public_url);

/*
 * Takes rows that are due, at most limit, and at most per_api of one API
 * counting those that are taken already. They are "working" then.
 */
extern int	cpw_registrations_take(int limit, int per_api,
								   CpwRegistration **registrations);

/* Milliseconds until the next is due, at most that many. */
extern long cpw_registrations_next(long most);

/*
 * Notes, before a hook is made, that it may be. False when something else is
 * wished meanwhile: it must not be made then.
 */
extern bool cpw_registrations_begin_create(const CpwRegistration *registration);

/*
 * Ends an attempt. What was wished meanwhile is due at once; a row that nobody
 * needs any more is removed. False: another wish has come, so the state is not
 * that of the end.
 */
extern bool cpw_registrations_end(const CpwRegistration *registration,
								  const CpwRegistrationEnd *end);

#endif							/* CPW_REGISTRATIONS_H */
