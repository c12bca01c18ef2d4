/*
 * registering.h
 *		The registration of a webhook follows its definition and its pipeline.
 */
#ifndef CPW_REGISTERING_H
#define CPW_REGISTERING_H

#include "postgres.h"

#include "pg/definition.h"
#include "utils/uuid.h"

/*
 * After a change of a webhook, which is locked, or of its pipeline, whose
 * declaration is given: where the webhook is registered the change is wished
 * for at the third party. An action that no longer says where leaves the hook
 * where it is.
 */
extern void cpw_registering_refresh(const CpwDefinition *definition,
									const pg_uuid_t *webhook_id,
									Jsonb *declaration);

/* The same for a webhook that is not locked yet. */
extern void cpw_registering_refresh_named(const CpwDefinition *definition,
										  Jsonb *declaration);

#endif							/* CPW_REGISTERING_H */
