/*
 * secret.h
 *		Secrets on their way to a table and back: sealed with the keys of
 *		cp_webhook.secret_key_file, where that is set.
 *
 * The file has a key a line (base/seal.h); the first one seals, all of them
 * open. place says where a secret is stored: "webhook/<id>/SecretToken",
 * "pipeline/<name>/<action>/OAuthToken"; it opens only there.
 */
#ifndef CPW_SECRET_H
#define CPW_SECRET_H

#include "postgres.h"

/*
 * What is stored of a secret, palloc'd; NULL for NULL. Raises an error of
 * class F0 when the file cannot be used.
 */
extern char *cpw_secret_seal(const char *secret, const char *place);

/*
 * The secret of what is stored, palloc'd; NULL for NULL. Where it does not open
 * the result is NULL and *problem a clause that says why.
 */
extern char *cpw_secret_try_open(const char *stored, const char *place,
								 const char **problem);

/* The same; raises an error of class F0 in place of the problem. */
extern char *cpw_secret_open(const char *stored, const char *place);

/*
 * Sets *stored (NULL: nothing is) to what cpw_secret_seal() would make of it
 * now, palloc'd. False where it is so already. Raises what the other two do.
 */
extern bool cpw_secret_reseal(char **stored, const char *place);

#endif							/* CPW_SECRET_H */
