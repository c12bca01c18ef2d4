/*
 * authentication.h
 *		authenticationConfiguration: which member belongs to which scheme, what
 *		it may be, and what the verifier is told of it.
 *
 * One table of members, one of schemes. What is stored of a configuration is
 * what was put, without the values of secrets: where a secret is no required
 * member of its scheme, "****" stands for it, so that it is known to be there.
 */
#ifndef CPW_AUTHENTICATION_CONFIGURATION_H
#define CPW_AUTHENTICATION_CONFIGURATION_H

#include "postgres.h"

#include "base/signature_key.h"
#include "pg/errors.h"
#include "pg/json.h"
#include "pg/secrets.h"
#include "utils/inet.h"

/* What is stored of a webhook's authentication. */
typedef struct CpwStoredAuthentication
{
	pg_uuid_t	webhook_id;
	CpwSecrets	sealed;			/* as they are stored: opened when needed */
	Jsonb	   *configuration;
} CpwStoredAuthentication;

/*
 * Collects what is missing from a configuration, what does not belong to it,
 * and what is wrong with its values but for the secrets' own. place is where
 * the definition stands in the request. The JSON has passed its shape.
 */
extern void cpw_authentication_check(const char *authentication,
									 JsonbContainer *configuration,
									 const char *place,
									 CpwProblems *problems);

/* Whether that is a member of the authentication's configuration. */
extern bool cpw_authentication_takes(const char *authentication,
									 const char *member);

/* Takes the secrets out of a configuration. */
extern void cpw_authentication_read_secrets(JsonbContainer *configuration,
											CpwSecrets *secrets);

/* What is stored of it; expires replaces its member unless it is NULL. */
extern Jsonb *cpw_authentication_store(const char *authentication,
									   JsonbContainer *configuration,
									   const CpwSecrets *secrets,
									   const char *expires);

/* Adds the members as they are shown. */
extern void cpw_authentication_show(CpwJsonWriter *writer,
									const char *authentication,
									JsonbContainer *configuration);

/*
 * Puts stored secrets in the place of "****", keeps the secret before this one
 * where KeepPreviousSecretFor asks for it (*expires is then until when, else
 * NULL), and collects what is wrong with the secrets. stored is NULL for a new
 * webhook. A stored secret is opened only where it is needed, so that one that
 * no longer opens can be replaced; else cpw_secret_open() raises its error.
 */
extern void cpw_authentication_resolve(const char *authentication,
									   JsonbContainer *configuration,
									   const CpwStoredAuthentication *stored,
									   CpwSecrets *secrets, char **expires,
									   const char *place,
									   CpwProblems *problems);

/*
 * Fills in what the verifier needs to know. The texts are those of the
 * secrets, or palloc'd. False for an authentication that is none.
 */
extern bool cpw_authentication_settings(const char *authentication,
										JsonbContainer *configuration,
										const CpwSecrets *secrets,
										CpwSignatureSettings *settings);

/*
 * The ranges that addresses must be in (AllowedIPRange, AllowedIPRanges),
 * palloc'd; their number, 0: there is no rule. Raises what cidr_in() raises.
 */
extern int	cpw_authentication_ranges(JsonbContainer *configuration,
									  inet ***ranges);

/* Collects a problem with a member, or (NULL) with all of the configuration. */
extern void cpw_authentication_add_problem(CpwProblems *problems,
										   const char *place,
										   const char *member,
										   const char *hint,
										   const char *text);

#endif							/* CPW_AUTHENTICATION_CONFIGURATION_H */
