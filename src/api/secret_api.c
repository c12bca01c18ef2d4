/*
 * secret_api.c
 *		rotate_secret_key(): the stored secrets under the key that seals now.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "store/access_keys.h"
#include "store/pipelines.h"
#include "store/registrations.h"
#include "store/session.h"
#include "store/webhooks.h"

PG_FUNCTION_INFO_V1(cp_webhook_rotate_secret_key);

/*
 * rotate_secret_key() returns how many rows were sealed anew: webhooks, versions
 * of pipelines, registrations, access keys. All or none.
 */
Datum
cp_webhook_rotate_secret_key(PG_FUNCTION_ARGS)
{
	int64		count;

	(void) fcinfo;
	cpw_session_open();
	count = cpw_webhooks_reseal() + cpw_pipelines_reseal() +
		cpw_registrations_reseal() + cpw_access_keys_reseal();
	cpw_session_close();
	PG_RETURN_INT64(count);
}
