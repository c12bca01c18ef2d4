/*
 * view_api.c
 *		The trigger by which a change of a definition drops the receivers'
 *		caches, and what the views show of settings, and what a path means.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "compat.h"
#include "fmgr.h"
#include "pg/json_path.h"
#include "pg/settings.h"
#include "pg/uuid7.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(cp_webhook_definitions_changed);
PG_FUNCTION_INFO_V1(cp_webhook_webhook_url);
PG_FUNCTION_INFO_V1(cp_webhook_webhook_arn);
PG_FUNCTION_INFO_V1(cp_webhook_uuid_at);
PG_FUNCTION_INFO_V1(cp_webhook_json_path);

/*
 * definitions_changed(): invalidates the table webhook_definitions, whichever
 * definition table changed; a receiver watches that one. Tolerates that the
 * table is gone.
 */
Datum
cp_webhook_definitions_changed(PG_FUNCTION_ARGS)
{
	Oid			schema = get_namespace_oid("cp_webhook", true);
	Oid			table = InvalidOid;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("definitions_changed() was not called as a trigger")));
	if (OidIsValid(schema))
		table = get_relname_relid("webhook_definitions", schema);
	if (OidIsValid(table))
		CacheInvalidateRelcacheByRelid(table);
	return PointerGetDatum(NULL);
}

/* webhook_url(token text) returns the URL on which a webhook takes POSTs. */
Datum
cp_webhook_webhook_url(PG_FUNCTION_ARGS)
{
	char	   *token = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(cpw_settings_webhook_url(token)));
}

/* webhook_arn(name text) returns a webhook's ARN. */
Datum
cp_webhook_webhook_arn(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(cpw_settings_webhook_arn(name)));
}

/* uuid_at(timestamptz) returns the least id of that instant. */
Datum
cp_webhook_uuid_at(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	cpw_uuid7_lower_bound(PG_GETARG_TIMESTAMPTZ(0), uuid);
	PG_RETURN_UUID_P(uuid);
}

/* json_path(path text) returns what a filter's path means. */
Datum
cp_webhook_json_path(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	CpwJsonPathUse use;

	PG_RETURN_JSONPATH_P(cpw_json_path_compile(path, &use));
}
