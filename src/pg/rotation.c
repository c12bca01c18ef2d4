/*
 * rotation.c
 *		The secrets of a put: those that stay, those that go, those that are
 *		kept for a while.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "pg/authentication.h"
#include "pg/interval.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* The longest for which an old secret is kept by itself. */
#define MAX_KEPT_DAYS	366

/* ---- until when ---- */

/* An instant as RFC 3339 has it, in UTC, whole seconds. */
static char *
show_instant(TimestampTz instant)
{
	struct pg_tm tm;
	fsec_t		fraction;

	if (timestamp2tm(instant, NULL, &tm, &fraction, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year, tm.tm_mon,
					tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The end of an interval that begins now; NULL with a problem: it is none. */
static char *
end_of(const char *interval, const char *place, CpwProblems *problems)
{
	TimestampTz end;

	if (cpw_interval_after_now(interval, &end))
	{
		/* Now is no earlier than that of the interval: neither 0 nor more. */
		TimestampTz now = GetCurrentTimestamp();

		if (end > now && end - now <= MAX_KEPT_DAYS * USECS_PER_DAY)
			return show_instant(end);
	}
	cpw_authentication_add_problem(problems, place, "KeepPreviousSecretFor",
								   "Give an interval such as 1 day or 90 minutes.",
								   psprintf("'%s' is no interval of up to %d days",
											interval, MAX_KEPT_DAYS));
	return NULL;
}

/* ---- "****" ---- */

static bool
is_mask(const char *secret)
{
	return secret != NULL && strcmp(secret, CPW_MASK) == 0;
}

/* A secret that is stored, sealed; NULL: it is not, or the webhook is new. */
static char *
open_stored(const CpwStoredAuthentication *stored, const char *sealed,
			const char *member)
{
	return stored == NULL ? NULL :
		cpw_secrets_open_one(sealed, &stored->webhook_id, member);
}

/* Puts what is stored in the place of a mask. */
static void
unmask(char **secret, const CpwStoredAuthentication *stored,
	   const char *sealed, const char *member, const char *place,
	   CpwProblems *problems)
{
	char	   *opened;

	if (!is_mask(*secret))
		return;
	opened = open_stored(stored, sealed, member);
	if (opened != NULL)
		*secret = opened;
	else
		cpw_authentication_add_problem(problems, place, member,
									   "Give the secret itself.",
									   "'" CPW_MASK "' stands for the secret that is stored, and none is");
}

/* ---- the secret before this one ---- */

/*
 * With KeepPreviousSecretFor the old secret is looked after here: a new one
 * puts it beside itself, the same one leaves what stands there. What the
 * request gives itself, and is no mask, counts first.
 */
static void
keep_previous(JsonbContainer *configuration,
			  const CpwStoredAuthentication *stored, CpwSecrets *secrets,
			  char **expires, const char *place, CpwProblems *problems)
{
	char	   *interval = cpw_json_get_text(configuration,
											 "KeepPreviousSecretFor");
	char	   *end;
	char	   *token;

	if (interval == NULL)
		return;
	end = end_of(interval, place, problems);
	if (end == NULL || stored == NULL || stored->sealed.token == NULL ||
		secrets->token == NULL ||
		(secrets->previous != NULL && !is_mask(secrets->previous)))
		return;
	token = open_stored(stored, stored->sealed.token, "SecretToken");
	if (strcmp(secrets->token, token) != 0)
	{
		secrets->previous = token;
		*expires = end;
	}
	else if (stored->sealed.previous != NULL)
	{
		secrets->previous = open_stored(stored, stored->sealed.previous,
										"PreviousSecretToken");
		*expires = cpw_json_get_text(&stored->configuration->root,
									 "PreviousSecretTokenExpires");
	}
}

static void
check_previous(JsonbContainer *configuration, const CpwSecrets *secrets,
			   const char *expires, const char *place, CpwProblems *problems)
{
	bool		ends = expires != NULL ||
		cpw_json_get(configuration, "PreviousSecretTokenExpires") != NULL;

	if (secrets->previous != NULL && !ends)
		cpw_authentication_add_problem(problems, place, "PreviousSecretToken",
									   "Set PreviousSecretTokenExpires to the time from which on it is refused, such as 2031-01-31T12:00:00Z.",
									   "PreviousSecretToken needs PreviousSecretTokenExpires");
	if (secrets->previous == NULL && ends)
		cpw_authentication_add_problem(problems, place,
									   "PreviousSecretTokenExpires",
									   "Leave it out, or give PreviousSecretToken.",
									   "PreviousSecretTokenExpires needs PreviousSecretToken");
}

static void
check_secret(const char *secret, const char *member, CpwEncoding encoding,
			 const char *place, CpwProblems *problems)
{
	const char *fault;

	if (secret == NULL || is_mask(secret))
		return;
	fault = cpw_signature_secret_fault(encoding, secret, strlen(secret));
	if (fault != NULL)
		cpw_authentication_add_problem(problems, place, member,
									   "Give the secret as the sender shows it.",
									   psprintf("%s %s", member, fault));
}

void
cpw_authentication_resolve(const char *authentication,
						   JsonbContainer *configuration,
						   const CpwStoredAuthentication *stored,
						   CpwSecrets *secrets, char **expires,
						   const char *place, CpwProblems *problems)
{
	static const CpwSecrets none = {NULL, NULL, NULL};
	const CpwSecrets *kept = stored != NULL ? &stored->sealed : &none;
	CpwSignatureSettings settings;

	*expires = NULL;
	unmask(&secrets->token, stored, kept->token, "SecretToken", place,
		   problems);
	unmask(&secrets->verify, stored, kept->verify, "VerifyToken", place,
		   problems);
	if (!cpw_authentication_takes(authentication, "SecretToken") ||
		!cpw_authentication_settings(authentication, configuration, secrets,
									 &settings))
		return;
	check_secret(secrets->token, "SecretToken", settings.key_encoding, place,
				 problems);
	if (!cpw_authentication_takes(authentication, "PreviousSecretToken"))
		return;
	keep_previous(configuration, stored, secrets, expires, place, problems);
	unmask(&secrets->previous, stored, kept->previous, "PreviousSecretToken",
		   place, problems);
	check_previous(configuration, secrets, *expires, place, problems);
	check_secret(secrets->previous, "PreviousSecretToken",
				 settings.key_encoding, place, problems);
}
