/*
 * secrets.c
 *		The secrets of a webhook, sealed and opened, each in its place.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/secret.h"
#include "pg/secrets.h"
#include "pg/uuid7.h"

typedef struct SecretRule
{
	const char *member;			/* of authenticationConfiguration */
	size_t		offset;			/* in CpwSecrets */
} SecretRule;

static const SecretRule rules[] = {
	{"SecretToken", offsetof(CpwSecrets, token)},
	{"PreviousSecretToken", offsetof(CpwSecrets, previous)},
	{"VerifyToken", offsetof(CpwSecrets, verify)},
};

/* All of the struct is in the table. */
StaticAssertDecl(sizeof(CpwSecrets) == lengthof(rules) * sizeof(char *),
				 "a secret has no place");

static char **
secret_of(CpwSecrets *secrets, const SecretRule *rule)
{
	return (char **) ((char *) secrets + rule->offset);
}

static char *
stored_of(const CpwSecrets *secrets, const SecretRule *rule)
{
	return *(char *const *) ((const char *) secrets + rule->offset);
}

static char *
place_of(const pg_uuid_t *id, const char *member)
{
	return psprintf("webhook/%s/%s", cpw_uuid7_text(id), member);
}

void
cpw_secrets_seal(const CpwSecrets *secrets, const pg_uuid_t *id,
				 CpwSecrets *sealed)
{
	for (size_t i = 0; i < lengthof(rules); i++)
		*secret_of(sealed, &rules[i]) =
			cpw_secret_seal(stored_of(secrets, &rules[i]),
							place_of(id, rules[i].member));
}

void
cpw_secrets_try_open(const CpwSecrets *sealed, const pg_uuid_t *id,
					 CpwSecrets *secrets, const char **problem)
{
	*problem = NULL;
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		const char *of_this;

		*secret_of(secrets, &rules[i]) =
			cpw_secret_try_open(stored_of(sealed, &rules[i]),
								place_of(id, rules[i].member), &of_this);
		if (*problem == NULL)
			*problem = of_this;
	}
}

char *
cpw_secrets_open_one(const char *sealed, const pg_uuid_t *id,
					 const char *member)
{
	return cpw_secret_open(sealed, place_of(id, member));
}

bool
cpw_secrets_reseal(CpwSecrets *sealed, const pg_uuid_t *id)
{
	bool		changed = false;

	for (size_t i = 0; i < lengthof(rules); i++)
		changed |= cpw_secret_reseal(secret_of(sealed, &rules[i]),
									 place_of(id, rules[i].member));
	return changed;
}
