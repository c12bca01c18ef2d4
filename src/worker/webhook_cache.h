/*
 * webhook_cache.h
 *		Token -> compiled webhook, dropped when a definition changes.
 *
 * The cache holds what was asked for, tokens that no webhook has included. A
 * change of any definition reaches it as a relcache invalidation; the caller
 * accepts invalidations before it takes requests, so that a request never sees
 * a definition older than itself.
 */
#ifndef CPW_WEBHOOK_CACHE_H
#define CPW_WEBHOOK_CACHE_H

#include "postgres.h"

#include "cp_webhook.h"
#include "pg/webhook.h"

/* Once a process, before anything else. */
extern void cpw_webhook_cache_init(void);

/*
 * The webhook of a token. False when the cache does not know the answer: then
 * load it. *webhook is NULL where no webhook has that token. The result lives
 * until invalidations are accepted, or the next load.
 */
extern bool cpw_webhook_cache_find(const char *token, CpwWebhook **webhook);

/*
 * Loads tokens (NUL-terminated, CPW_TOKEN_LENGTH characters), in a transaction
 * of a ready database. Raises errors of the server.
 */
extern void cpw_webhook_cache_load(const char *const *tokens, int count);

/* Forgets everything, as when settings changed or an error has come. */
extern void cpw_webhook_cache_drop(void);

/*
 * Why the extension in the database cannot be served by this library: NULL, or
 * a sentence. Known after a load.
 */
extern const char *cpw_webhook_cache_mismatch(void);

#endif							/* CPW_WEBHOOK_CACHE_H */
