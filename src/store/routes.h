/*
 * routes.h
 *		What a receiver needs to know of the webhooks behind tokens.
 */
#ifndef CPW_ROUTES_H
#define CPW_ROUTES_H

#include "postgres.h"

#include "pg/webhook.h"

/*
 * The webhooks of the tokens, in any order, in the current context: *routes,
 * and how many as the result. Tokens that no webhook has are left out.
 */
extern int	cpw_routes_find(const char *const *tokens, int count,
							CpwRoute **routes);

/* The webhook of a name, in the current context; NULL: there is none. */
extern CpwRoute *cpw_routes_find_by_name(const char *name);

/* The table whose invalidation means that definitions changed. */
extern Oid	cpw_routes_table(void);

#endif							/* CPW_ROUTES_H */
