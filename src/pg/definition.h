/*
 * definition.h
 *		A webhook's definition between the API's JSON and C, and the rules for
 *		it that no shape says. The JSON has passed its shape.
 */
#ifndef CPW_DEFINITION_H
#define CPW_DEFINITION_H

#include "postgres.h"

#include "cp_webhook.h"
#include "pg/authentication.h"
#include "pg/errors.h"
#include "utils/jsonb.h"

typedef struct CpwDefinition
{
	char	   *name;
	char	   *pipeline;
	char	   *action;
	char	   *authentication; /* the API's word */
	CpwSecrets	secrets;		/* of the authentication */
	Jsonb	   *configuration;	/* of the authentication, without the secrets */
	Jsonb	   *filters;
	const char *place;			/* the request's member; NULL: of no request */
	JsonbContainer *given;		/* the configuration in the request */
} CpwDefinition;

/*
 * Reads a WebhookDefinition, the request's member of that name, and collects
 * what its authentication lacks.
 */
extern CpwDefinition *cpw_definition_read(JsonbContainer *request,
										  const char *place,
										  CpwProblems *problems);

/*
 * Puts stored secrets in the place of "****", so that a caller that writes back
 * what it read changes nothing, and keeps the secret before this one where the
 * configuration asks for it. stored is NULL where there is no such webhook.
 */
extern void cpw_definition_keep_secrets(CpwDefinition *definition,
										const CpwStoredAuthentication *stored,
										CpwProblems *problems);

/* Collects what is wrong with the paths of the filters. */
extern void cpw_definition_check_filters(const CpwDefinition *definition,
										 CpwProblems *problems);

/*
 * Tells the client (NOTICE) of filters that read what the signature does not
 * cover. The filters have been checked.
 */
extern void cpw_definition_warn(const CpwDefinition *definition);

/*
 * Collects why the webhook could not start its pipeline, whose current
 * declaration is given (NULL: there is no such pipeline): the target action is
 * none of the first stage, or a filter names a key that the action's
 * configuration lacks.
 */
extern void cpw_definition_check_target(const CpwDefinition *definition,
										Jsonb *declaration,
										CpwProblems *problems);

/* The WebhookDefinition with its secrets masked. */
extern Jsonb *cpw_definition_show(const CpwDefinition *definition);

/*
 * Collects what is wrong with a request's tags beyond their shape, by
 * themselves: how many, the reserved prefix, repetitions. NULL is fine.
 */
extern void cpw_definition_check_tags(JsonbContainer *tags,
									  CpwProblems *problems);

/* Whether a tag's key has the prefix that is reserved. */
extern bool cpw_definition_is_reserved_key(const char *key);

#define CPW_MAX_TAGS	50

#endif							/* CPW_DEFINITION_H */
