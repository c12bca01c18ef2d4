/*
 * cp_webhook.c
 *		The library's entry: magic, settings, workers. Nothing else.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg/counters.h"
#include "pg/front.h"
#include "pg/settings.h"
#include "worker/api.h"
#include "worker/maintenance.h"
#include "worker/process.h"
#include "worker/receiver.h"

CPW_MODULE_MAGIC("cp_webhook", CPW_VERSION);

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	cpw_settings_define();

	/* Elsewhere the SQL functions work, and nothing listens. */
	if (!process_shared_preload_libraries_in_progress)
		return;
	cpw_counters_request();
	cpw_front_request();

	/* pg_upgrade's servers are not to take anything from outside. */
	if (!IsBinaryUpgrade)
	{
		cpw_receiver_register();
		cpw_maintenance_register();
		cpw_api_register();
		cpw_process_check_room();
	}
}
