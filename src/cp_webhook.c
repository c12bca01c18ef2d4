/*
 * cp_webhook.c
 *		The library's entry: magic, settings, workers. Nothing else.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg/settings.h"

CPW_MODULE_MAGIC("cp_webhook", CPW_VERSION);

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	cpw_settings_define();
}
