/*
 * routes.h
 *		What a receiver needs to know of the webhooks behind tokens.
 */
#ifndef CPW_ROUTES_H
#define CPW_ROUTES_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/uuid.h"

/* A webhook's definition with what its pipeline adds to it. */
typedef struct CpwRoute
{
	char	   *token;
	pg_uuid_t	id;
	char	   *name;
	char	   *pipeline;
	int			version;		/* of the pipeline; 0: there is none */
	char	   *action;
	char	   *authentication;
	char	   *secret;			/* NULL where there is none */
	Jsonb	   *configuration;	/* of the authentication, without secrets */
	Jsonb	   *filters;		/* array of filter rules */
	Jsonb	   *action_configuration;	/* NULL where there is none */

	/* Why a secret does not open; NULL: it does, or there is none. */
	const char *secret_problem;
	const char *configuration_problem;	/* of action_configuration, NULL then */
} CpwRoute;

/*
 * The webhooks of the tokens, in any order, in the current context: *routes,
 * and how many as the result. Tokens that no webhook has are left out.
 */
extern int	cpw_routes_find(const char *const *tokens, int count,
							CpwRoute **routes);

/* The version of the extension as it was created, palloc'd; NULL: none. */
extern char *cpw_routes_extension_version(void);

/* The table whose invalidation means that definitions changed. */
extern Oid	cpw_routes_table(void);

#endif							/* CPW_ROUTES_H */
