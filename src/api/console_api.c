/*
 * console_api.c
 *		console_url, end_console_sessions: who gets into the console.
 *
 * A link is as good as the role that asked for it, so nobody can ask for
 * another role's.
 */
#include "postgres.h"

#include "base/hex_base64.h"
#include "base/sigv4.h"
#include "compat.h"
#include "cp_webhook.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg/settings.h"
#include "store/console_sessions.h"
#include "store/session.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(cp_webhook_console_url);
PG_FUNCTION_INFO_V1(cp_webhook_end_console_sessions);

static void
check_console_is_on(void)
{
	if (cpw_setting_console && cpw_setting_api_port != 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the console is off"),
			 errdetail("cp_webhook.console is %s, cp_webhook.api_port is %d.",
					   cpw_setting_console ? "on" : "off",
					   cpw_setting_api_port),
			 errhint("Set cp_webhook.console = on and cp_webhook.api_port, and reload.")));
}

/*
 * console_url() returns a link with a token, of which only the hash is kept.
 * The token is behind the #, where no server and no log sees it: the page sends
 * it in a request of its own.
 */
Datum
cp_webhook_console_url(PG_FUNCTION_ARGS)
{
	uint8		bytes[CPW_TOKEN_BYTES];
	char		token[CPW_BASE64_SIZE(CPW_TOKEN_BYTES)];
	uint8		hash[CPW_SHA256_SIZE];
	char		digits[2 * CPW_SHA256_SIZE + 1];
	char	   *url;

	(void) fcinfo;
	check_console_is_on();
	if (!pg_strong_random(bytes, sizeof(bytes)) ||
		!cpw_sigv4_hash(token,
						cpw_base64_encode(CPW_BASE64_URL, bytes, sizeof(bytes),
										  token), hash))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	cpw_hex_encode(hash, sizeof(hash), digits);
	cpw_session_open();
	cpw_console_sessions_add_link(digits, GetOuterUserId(),
								  cpw_setting_console_link_lifetime);
	cpw_session_close();
	url = psprintf("%s/console/#%s", cpw_settings_console_public_url(), token);
	PG_RETURN_TEXT_P(cstring_to_text(url));
}

/*
 * end_console_sessions() returns how many links and sessions it ended: those of
 * the roles that the caller can become; superusers end those of dropped roles
 * as well.
 */
Datum
cp_webhook_end_console_sessions(PG_FUNCTION_ARGS)
{
	Oid			caller = GetOuterUserId();
	int64		ended = 0;
	Oid		   *roles;
	int			count;

	(void) fcinfo;
	cpw_session_open();
	count = cpw_console_sessions_roles(&roles);
	for (int i = 0; i < count; i++)
		if (superuser_arg(caller) || cpw_compat_may_become(caller, roles[i]))
			ended += cpw_console_sessions_end_of_role(roles[i]);
	cpw_session_close();
	PG_RETURN_INT64(ended);
}
