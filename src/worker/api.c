/*
 * api.c
 *		The main of the api worker: signals, reload, the loop. How it listens is
 *		in server.c, what it does with requests in api_intake.c.
 *
 * It is there in every server that preloads the library, and listens only
 * where cp_webhook.api_port is set: so a reload turns it on and off.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "pg/counters.h"
#include "pg/settings.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "utils/memutils.h"
#include "worker/api.h"
#include "worker/api_intake.h"
#include "worker/call.h"
#include "worker/live.h"
#include "worker/process.h"
#include "worker/server.h"

static CpwServer server;

extern PGDLLEXPORT void cp_webhook_api_main(Datum number);

void
cpw_api_register(void)
{
	cpw_process_register("cp_webhook api", "cp_webhook api",
						 "cp_webhook_api_main", 0);
}

static void
prepare(void)
{
	server.wait_event = cpw_compat_wait_event("CpWebhookMain");
	server.shared = cpw_counters_shared();
	server.slot = &server.shared->slots[CPW_API_SLOT(server.shared)];
	server.max_body_size = CPW_MAX_CALL_SIZE;
	server.owner = (CpwEndpointsOwner)
	{
		.addresses_name = "cp_webhook.api_listen_addresses",
		.port_name = "cp_webhook.api_port",
		.addresses = &cpw_setting_api_listen_addresses,
		.port = &cpw_setting_api_port,
		.first_slot = CPW_API_SLOT(server.shared),
		.slots = 1,
	};
	cpw_process_begin(server.shared, server.slot, server.wait_event);
	cpw_process_set_lock_timeout(cpw_setting_lock_timeout);
	cpw_server_begin(&server);
	cpw_api_intake_init(server.listener, server.shared, server.slot);
	cpw_api_intake_load_token();
	cpw_server_listen(&server);
}

void
cp_webhook_api_main(Datum number)
{
	MemoryContext loop = AllocSetContextCreate(TopMemoryContext,
											   "cp_webhook main",
											   ALLOCSET_DEFAULT_SIZES);
	long		statistics_due = -1;

	(void) number;
	prepare();

	/* Only now: connecting ends a transaction, and leaves another current. */
	MemoryContextSwitchTo(loop);
	pgstat_report_activity(STATE_IDLE, NULL);
	for (;;)
	{
		cpw_server_wait(&server, cpw_process_sooner(statistics_due,
													cpw_live_timeout()));

		/* A cancel of a worker that does nothing cancels nothing. */
		QueryCancelPending = false;
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			cpw_server_reload(&server);
			cpw_api_intake_load_token();
		}
		cpw_server_run(&server);
		if (cpw_api_intake_run())
			cpw_listener_move(server.listener);
		if (cpw_live_run())
			cpw_listener_move(server.listener);
		statistics_due = cpw_process_report_statistics();
		cpw_server_tell_state(&server);
		Assert(CurrentMemoryContext == loop);
		MemoryContextReset(loop);
	}
}
