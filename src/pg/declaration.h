/*
 * declaration.h
 *		A pipeline's declaration: the rules that no shape says, the secrets in
 *		its actions' configurations. The JSON has passed its shape.
 */
#ifndef CPW_DECLARATION_H
#define CPW_DECLARATION_H

#include "postgres.h"

#include "pg/errors.h"
#include "utils/jsonb.h"

/* The execution mode of a pipeline that declares none. */
#define CPW_DEFAULT_EXECUTION_MODE	"SUPERSEDED"

/* Collects what is wrong with a declaration's stages and actions. */
extern void cpw_declaration_check(JsonbContainer *declaration,
								  CpwProblems *problems);

/*
 * The declaration as it is stored: with that version, without members that are
 * null, its secrets sealed (secret.h), and with the stored ones in the place of
 * "****". stored is the declaration of the version before, or NULL; a secret
 * that it has not under the same action and key is a problem.
 */
extern Jsonb *cpw_declaration_store(JsonbContainer *declaration, int version,
									Jsonb *stored, CpwProblems *problems);

/* The declaration as it is shown: each secret is "****". */
extern Jsonb *cpw_declaration_show(Jsonb *declaration);

/*
 * A stored declaration with its secrets sealed by the key that seals now;
 * *changed tells whether any was not. Raises an error where one does not open.
 */
extern Jsonb *cpw_declaration_reseal(Jsonb *declaration, bool *changed);

/*
 * An action's stored configuration with its secrets opened; NULL, and *problem
 * a clause that says why, where one does not open.
 */
extern Jsonb *cpw_declaration_open_configuration(Jsonb *configuration,
												 const char *pipeline,
												 const char *action,
												 const char **problem);

/*
 * Finds an action of the first stage. *configuration is its configuration as a
 * value of its own, or NULL when it has none.
 */
extern bool cpw_declaration_find_action(Jsonb *declaration, const char *name,
										Jsonb **configuration);

/* An action of the first stage, its secrets as they are stored; NULL: none. */
extern JsonbContainer *cpw_declaration_action(Jsonb *declaration,
											  const char *name);

/* Where an action's secret is stored, for cpw_secret_open(); palloc'd. */
extern char *cpw_declaration_secret_place(const char *pipeline,
										  const char *action, const char *key);

/* The execution mode, given or by default. */
extern char *cpw_declaration_execution_mode(JsonbContainer *declaration);

#endif							/* CPW_DECLARATION_H */
