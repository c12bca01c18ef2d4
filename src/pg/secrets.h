/*
 * secrets.h
 *		The secrets of a webhook. They are read and written in one place
 *		(store/webhooks.c), and shown nowhere.
 *
 * Each is sealed (pg/secret.h) for a place of its own: the webhook's id and
 * the member's name, "webhook/<id>/PreviousSecretToken".
 */
#ifndef CPW_SECRETS_H
#define CPW_SECRETS_H

#include "postgres.h"

#include "utils/uuid.h"

/* Each as it was put, or as it is stored; NULL: there is none. */
typedef struct CpwSecrets
{
	char	   *token;			/* SecretToken */
	char	   *previous;		/* PreviousSecretToken */
	char	   *verify;			/* VerifyToken */
} CpwSecrets;

/*
 * What is stored of them for the webhook of that id, palloc'd. Raises what
 * cpw_secret_seal() raises.
 */
extern void cpw_secrets_seal(const CpwSecrets *secrets, const pg_uuid_t *id,
							 CpwSecrets *sealed);

/*
 * The secrets of what is stored, palloc'd. One that does not open is NULL, and
 * *problem a clause that says why; NULL: all of them open.
 */
extern void cpw_secrets_try_open(const CpwSecrets *sealed, const pg_uuid_t *id,
								 CpwSecrets *secrets, const char **problem);

/*
 * One of them, of that member; NULL for NULL. Raises what cpw_secret_open()
 * raises.
 */
extern char *cpw_secrets_open_one(const char *sealed, const pg_uuid_t *id,
								  const char *member);

/*
 * Seals them again by the key that seals now, where another one does. Returns
 * whether there was anything to do; raises an error where one does not open.
 */
extern bool cpw_secrets_reseal(CpwSecrets *sealed, const pg_uuid_t *id);

#endif							/* CPW_SECRETS_H */
