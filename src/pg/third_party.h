/*
 * third_party.h
 *		Where a webhook is registered, as its target action says, what its hook
 *		is to be, and what the JSON of a provider's answer holds.
 */
#ifndef CPW_THIRD_PARTY_H
#define CPW_THIRD_PARTY_H

#include "postgres.h"

#include "base/provider.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef struct CpwThirdParty
{
	const CpwProvider *provider;
	char	   *api_url;
	char	   *repository;
	char	   *token;			/* a secret */
} CpwThirdParty;

/*
 * Reads the action of a stored declaration's first stage; its secrets are
 * opened. Returns NULL, or what a webhook's target action must be and this one
 * is not, as the end of "Member must be the name of a webhook whose ...".
 * Raises an error of class F0 where a secret does not open.
 */
extern char *cpw_third_party_read(Jsonb *declaration, const char *pipeline,
								  const char *action, CpwThirdParty *party);

/*
 * Why the settings forbid to talk to an API, or NULL; *code is then a name for
 * the reason.
 */
extern char *cpw_third_party_forbidden(const char *api_url, const char **code);

/*
 * The events that the filters let pass: those that rules on the header of an
 * event name. configuration is the target action's, for placeholders. Returns
 * their number, 0 where no rule names any; at most CPW_PROVIDER_MAX_EVENTS.
 */
extern int	cpw_third_party_events(Jsonb *filters, Jsonb *configuration,
								   const char **events);

/*
 * A hash of where a hook is and of what it is, as hexadecimal digits, palloc'd.
 * It is made of a secret: seal it.
 */
extern char *cpw_third_party_fingerprint(const CpwProvider *provider,
										 const char *api_url,
										 const char *repository,
										 const CpwProviderHook *hook);

/*
 * The three below run a guard: inside a transaction. What is not to be
 * understood is no error of theirs.
 *
 * Adds to ids (a List of palloc'd strings) the hooks of a list's page whose
 * URL ends in "/trigger/<url_token>". False when it is no such list. *has_next
 * is set where its body tells of another page.
 */
extern bool cpw_third_party_find_hooks(const CpwProvider *provider,
									   const char *body, size_t length,
									   const char *url_token, List **ids,
									   bool *has_next);

/* The id of the hook that was made; NULL when there is none. */
extern char *cpw_third_party_hook_id(const CpwProvider *provider,
									 const char *body, size_t length);

/*
 * What the provider says of an error, on one line, bounded, without the
 * secrets; NULL when it says nothing.
 */
extern char *cpw_third_party_complaint(const char *body, size_t length,
									   const char *const *secrets, int count);

/* A text without these secrets (NULL: none): "****" in their place. */
extern char *cpw_third_party_redact(const char *text,
									const char *const *secrets, int count);

#endif							/* CPW_THIRD_PARTY_H */
