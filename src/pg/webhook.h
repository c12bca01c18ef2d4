/*
 * webhook.h
 *		A webhook compiled: what a delivery on it is judged by.
 */
#ifndef CPW_WEBHOOK_H
#define CPW_WEBHOOK_H

#include "postgres.h"

#include "base/signature.h"
#include "cp_webhook.h"
#include "pg/filter.h"
#include "pg/secrets.h"
#include "utils/inet.h"
#include "utils/uuid.h"

/* A webhook's definition with what its pipeline adds to it. */
typedef struct CpwRoute
{
	char	   *token;			/* NULL: a definition that is not put */
	pg_uuid_t	id;
	char	   *name;
	char	   *pipeline;
	int			version;		/* of the pipeline; 0: there is none */
	char	   *action;
	char	   *authentication;
	CpwSecrets	sealed;			/* its secrets as they are stored */
	CpwSecrets	secrets;
	Jsonb	   *configuration;	/* of the authentication, without secrets */
	Jsonb	   *filters;		/* array of filter rules */
	Jsonb	   *action_configuration;	/* NULL where there is none */

	/* Why a secret does not open; NULL: it does, or there is none. */
	const char *secret_problem;
	const char *configuration_problem;	/* action_configuration is NULL then */
} CpwRoute;

typedef struct CpwWebhook
{
	pg_uuid_t	id;
	char	   *name;
	char	   *arn;
	char	   *pipeline;
	int			version;		/* of the pipeline; 0: there is none */
	char	   *action;
	CpwAuthentication authentication;
	const CpwScheme *scheme;	/* NULL: unknown to this version */
	CpwSignatureKey *key;		/* where something is signed or compared */
	char	   *secret;			/* what the key was made of, to explain */
	char	   *previous_secret;
	char	   *verify_token;	/* META; NULL: none */
	char	   *token;			/* of its URL; NULL: it has none yet */
	const char *secret_header;	/* whose value is a secret, in lower case */
	inet	  **ranges;			/* one of them has the client's address */
	int			range_count;	/* 0: any address will do; -1: none will */
	int			filter_count;
	CpwFilter **filters;
	char	  **wanted;			/* matchEquals with placeholders replaced */
	const char **shown;			/* the same as it is shown: no secret in it */
	bool		uses_variables;

	/* Why none can be judged for now, as a reason; NULL: nothing is wrong. */
	const char *unavailable;

	/* Why no delivery can pass, as a reason; NULL: nothing is wrong. */
	char	   *broken;
} CpwWebhook;

/*
 * Compiles a webhook in the current context; its key is the library's memory
 * (cpw_signature_key_free). A definition that cannot be compiled makes a
 * broken one. Inside a transaction: it runs a guard.
 */
extern CpwWebhook *cpw_webhook_compile(const CpwRoute *route);

/*
 * A warning of one clause where a filter (number: counted from 1) reads what
 * the webhook's signature does not cover; else NULL. Where nothing is signed
 * at all no part of a request is less trusted than another.
 */
extern char *cpw_webhook_unsigned_warning(CpwAuthentication authentication,
										  const CpwFilter *filter, int number);

/* The API's word for an authentication; NONE for an unknown one. */
extern CpwAuthentication cpw_webhook_authentication(const char *name);

#endif							/* CPW_WEBHOOK_H */
