/*
 * receiver.c
 *		The main of a receiver: signals, reload, the loop. How it listens is in
 *		server.c, what it does with requests in intake.c.
 *
 * One loop, one wait, one CHECK_FOR_INTERRUPTS() per wake.
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
#include "worker/batch.h"
#include "worker/intake.h"
#include "worker/process.h"
#include "worker/receiver.h"
#include "worker/server.h"
#include "worker/tally.h"
#include "worker/webhook_cache.h"

static CpwServer server;

extern PGDLLEXPORT void cp_webhook_receiver_main(Datum number);

void
cpw_receiver_register(void)
{
	for (int i = 0; i < cpw_setting_workers; i++)
	{
		char		name[BGW_MAXLEN];

		snprintf(name, sizeof(name), "cp_webhook receiver %d", i);
		cpw_process_register("cp_webhook receiver", name,
							 "cp_webhook_receiver_main", i);
	}
}

static void
prepare(int number)
{
	server.wait_event = cpw_compat_wait_event("CpWebhookMain");
	server.shared = cpw_counters_shared();
	server.slot = &server.shared->slots[number];
	server.owner = (CpwEndpointsOwner)
	{
		.addresses_name = "cp_webhook.listen_addresses",
		.port_name = "cp_webhook.port",
		.addresses = &cpw_setting_listen_addresses,
		.port = &cpw_setting_port,
		.first_slot = 0,
		.slots = server.shared->workers,
	};
	cpw_process_begin(server.shared, server.slot, server.wait_event);
	cpw_process_set_lock_timeout(cpw_setting_lock_timeout);
	cpw_webhook_cache_init();
	cpw_server_begin(&server);
	cpw_intake_init(server.listener, server.slot);
	cpw_server_listen(&server);
}

void
cp_webhook_receiver_main(Datum number)
{
	MemoryContext loop;
	long		statistics_due = -1;

	loop = AllocSetContextCreate(TopMemoryContext, "cp_webhook main",
								 ALLOCSET_DEFAULT_SIZES);
	prepare(DatumGetInt32(number));

	/* Only now: connecting ends a transaction, and leaves another current. */
	MemoryContextSwitchTo(loop);
	pgstat_report_activity(STATE_IDLE, NULL);
	for (;;)
	{
		cpw_server_wait(&server, cpw_process_sooner(statistics_due,
													cpw_tally_timeout()));

		/* A cancel of a worker that does nothing cancels nothing. */
		QueryCancelPending = false;
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			cpw_server_reload(&server);
			cpw_webhook_cache_drop();
		}
		cpw_server_run(&server);
		if (cpw_intake_run())
			cpw_listener_move(server.listener);
		cpw_batch_write_counts(DatumGetInt32(number));
		statistics_due = cpw_process_report_statistics();
		cpw_server_tell_state(&server);
		Assert(CurrentMemoryContext == loop);
		MemoryContextReset(loop);
	}
}
