/*
 * registering.c
 *		The registration of a webhook follows its definition and its pipeline.
 */
#include "postgres.h"

#include "api/registering.h"
#include "compat.h"
#include "pg/third_party.h"
#include "store/registrations.h"
#include "store/webhooks.h"

void
cpw_registering_refresh(const CpwDefinition *definition,
						const pg_uuid_t *webhook_id, Jsonb *declaration)
{
	CpwThirdParty party;
	char	   *problem;

	if (!cpw_registrations_exist(webhook_id))
		return;
	problem = cpw_third_party_read(declaration, definition->pipeline,
								   definition->action, &party);
	cpw_registrations_register(webhook_id, definition->name, NULL,
							   problem == NULL ? &party : NULL, CPW_REFRESH);
}

void
cpw_registering_refresh_named(const CpwDefinition *definition,
							  Jsonb *declaration)
{
	CpwStoredAuthentication stored;

	if (cpw_webhooks_lock(definition->name, &stored))
		cpw_registering_refresh(definition, &stored.webhook_id, declaration);
}
