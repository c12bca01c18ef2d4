/*
 * source.h
 *		What a scheme finds in a payload: the sender's id, the event, and, where
 *		nothing is signed, the secret.
 */
#ifndef CPW_SOURCE_H
#define CPW_SOURCE_H

#include "postgres.h"

#include "pg/webhook.h"
#include "utils/jsonb.h"

/*
 * The text at the first path (base/scheme.h) that leads to a string, not
 * empty, or a number, palloc'd; NULL: there is none.
 */
extern char *cpw_source_find(Jsonb *payload, const char *const *paths);

/*
 * Whether every notification of a payload holds the webhook's secret: of
 * {"value": [{"clientState": ...}, ...]}, which has one at least.
 */
extern CpwSignatureResult cpw_source_check_secret(const CpwWebhook *webhook,
												  Jsonb *payload, int64 now,
												  CpwSignatureMatch *match);

/* The payload with "****" in the place of those secrets. */
extern Jsonb *cpw_source_mask_secret(const CpwWebhook *webhook,
									 Jsonb *payload);

#endif							/* CPW_SOURCE_H */
