/*
 * webhooks.h
 *		The table webhook_definitions.
 */
#ifndef CPW_WEBHOOKS_H
#define CPW_WEBHOOKS_H

#include "postgres.h"

#include "pg/definition.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* What the API's ListWebhookItem shows. */
typedef struct CpwWebhookItem
{
	CpwDefinition definition;	/* the secrets are left out */
	char	   *url;
	char	   *arn;
	char	   *error_code;		/* NULL: none */
	char	   *error_message;
	TimestampTz last_triggered; /* 0: never */
	Jsonb	   *tags;			/* an array */
} CpwWebhookItem;

/*
 * Locks a webhook until the transaction ends. Returns false when there is
 * none, else sets what is stored of its authentication, palloc'd.
 */
extern bool cpw_webhooks_lock(const char *name,
							  CpwStoredAuthentication *stored);

/* The columns that cpw_webhooks_read_secrets() reads, of that table alias. */
#define CPW_SECRET_COLUMNS(alias) \
	alias ".secret, " alias ".previous_secret, " alias ".verify_token"

/*
 * Reads them from a result, the first one in that column, as they are stored,
 * palloc'd.
 */
extern void cpw_webhooks_read_secrets(uint64 row, int column,
									  CpwSecrets *sealed);

/*
 * Seals every secret by the key that seals now, where another one does. Returns
 * of how many webhooks; raises an error where one does not open.
 */
extern int64 cpw_webhooks_reseal(void);

extern bool cpw_webhooks_exists(const char *name);

/*
 * Of a webhook that is not in the transaction's snapshot: raises
 * serialization_failure where it is there all the same.
 */
extern void cpw_webhooks_require_new(const char *name);

/*
 * Serializes the making of webhooks until the transaction ends, and returns
 * how many are committed now or of its own making.
 */
extern int64 cpw_webhooks_lock_count(void);

/*
 * Stores a new webhook with an id and a URL of its own. Returns false when the
 * name is taken: by a transaction that committed meanwhile.
 */
extern bool cpw_webhooks_insert(const CpwDefinition *definition);

/*
 * Stores a new definition under a known name and id; the URL stays. An error
 * that the definition caused is cleared, one of a registration stays.
 */
extern void cpw_webhooks_update(const CpwDefinition *definition,
								const pg_uuid_t *id);

/* Deletes a webhook and its counters; false when there is none, else its id. */
extern bool cpw_webhooks_delete(const char *name, pg_uuid_t *id);

/* One webhook as it is shown; NULL when there is none. */
extern CpwWebhookItem *cpw_webhooks_find_item(const char *name);

/*
 * At most limit webhooks whose names come after the given one, in the order of
 * names. Returns their number.
 */
extern int	cpw_webhooks_list(const char *after, int limit,
							  CpwWebhookItem **items);

/*
 * The webhooks that target a pipeline; the secrets are left out. Raises
 * serialization_failure where they are others than in the transaction's
 * snapshot.
 */
extern int	cpw_webhooks_of_pipeline(const char *pipeline,
									 CpwDefinition **definitions);

/*
 * Sets or, with NULL, clears the error that a webhook's definition causes; one
 * of a registration stays. Nothing happens when it targets another pipeline
 * meanwhile.
 */
extern void cpw_webhooks_set_error(const CpwDefinition *definition,
								   const char *code, const char *message);

/*
 * Sets or, with NULL, clears the error of a webhook's registration; one that
 * its definition causes stays.
 */
extern void cpw_webhooks_set_registration_error(const pg_uuid_t *id,
												const char *code,
												const char *message);

#endif							/* CPW_WEBHOOKS_H */
