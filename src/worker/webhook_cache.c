/*
 * webhook_cache.c
 *		Token -> compiled webhook.
 *
 * A load runs a query, and locking its tables accepts invalidations: one that
 * comes then may be of a change that the query's snapshot does not see. So the
 * generation is compared afterwards and the query repeated.
 */
#include "postgres.h"

#include "compat.h"
#include "store/routes.h"
#include "store/version.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "worker/transaction.h"
#include "worker/webhook_cache.h"

/* More entries than these and all are forgotten: strangers make them too. */
#define MAX_ENTRIES		20000

typedef struct Entry
{
	char		token[CPW_TOKEN_LENGTH + 1];	/* the hash key */
	CpwWebhook *webhook;		/* NULL: no webhook has that token */
} Entry;

static HTAB *entries;
static MemoryContext context;	/* of the entries and their webhooks */
static uint64 generation = 1;	/* counts invalidations */
static uint64 loaded_generation;	/* what the entries are of */
static Oid	watched_table;
static char *mismatch;

static void
definitions_invalidated(Datum arg, Oid relation)
{
	(void) arg;
	if (relation == InvalidOid || watched_table == InvalidOid ||
		relation == watched_table)
		generation++;
}

void
cpw_webhook_cache_init(void)
{
	context = AllocSetContextCreate(TopMemoryContext,
									"cp_webhook definitions",
									ALLOCSET_DEFAULT_SIZES);
	CacheRegisterRelcacheCallback(definitions_invalidated, (Datum) 0);
}

void
cpw_webhook_cache_drop(void)
{
	generation++;
}

/* The library's memory of a key is not of the context. */
static void
free_keys(void)
{
	HASH_SEQ_STATUS status;
	Entry	   *entry;

	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->webhook != NULL)
			cpw_signature_key_free(entry->webhook->key);
}

static void
reset_entries(void)
{
	HASHCTL		control = {0};

	if (entries != NULL)
		free_keys();
	entries = NULL;
	mismatch = NULL;
	MemoryContextReset(context);
	control.keysize = sizeof(((Entry *) NULL)->token);
	control.entrysize = sizeof(Entry);
	control.hcxt = context;
	entries = hash_create("cp_webhook definitions", 256, &control,
						  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

bool
cpw_webhook_cache_find(const char *token, CpwWebhook **webhook)
{
	Entry	   *entry;

	if (entries == NULL || generation != loaded_generation)
		return false;
	entry = hash_search(entries, token, HASH_FIND, NULL);
	if (entry == NULL)
		return false;
	*webhook = entry->webhook;
	return true;
}

const char *
cpw_webhook_cache_mismatch(void)
{
	return mismatch;
}

/* One line for each version that is met, not for each request. */
static void
check_version(void)
{
	static char told[64];
	char	   *version = cpw_version_of_extension();

	if (version == NULL || strcmp(version, CPW_VERSION) == 0)
	{
		told[0] = '\0';
		return;
	}
	mismatch = MemoryContextStrdup(context,
								   psprintf("the library is of version %s, the extension of %s",
											CPW_VERSION, version));
	if (strncmp(told, version, sizeof(told) - 1) == 0)
		return;
	strlcpy(told, version, sizeof(told));
	ereport(LOG,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cp_webhook answers 503: %s", mismatch),
			 errhint("%s", cpw_version_advice(version))));
}

/* Once a load: its senders see only that there is something. */
static void
report_unavailable(const CpwWebhook *webhook)
{
	if (webhook->unavailable == NULL)
		return;
	ereport(LOG,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("could not open the secrets of webhook \"%s\", its deliveries get 503: %s",
					webhook->name, webhook->unavailable),
			 errhint("Correct cp_webhook.secret_key_file or its keys, and reload.")));
}

/* Of another version's tables nothing is read: no token has a webhook then. */
static void
load_once(const char *const *tokens, int count)
{
	MemoryContext caller = CurrentMemoryContext;
	CpwRoute   *routes = NULL;
	int			found = 0;

	if (mismatch == NULL)
		found = cpw_routes_find(tokens, count, &routes);
	MemoryContextSwitchTo(context);
	for (int i = 0; i < count; i++)
	{
		bool		known;
		Entry	   *entry = hash_search(entries, tokens[i], HASH_ENTER, &known);

		if (!known)
			entry->webhook = NULL;
	}
	for (int i = 0; i < found; i++)
	{
		Entry	   *entry = hash_search(entries, routes[i].token, HASH_FIND, NULL);

		if (entry != NULL && entry->webhook == NULL)
		{
			entry->webhook = cpw_webhook_compile(&routes[i]);
			report_unavailable(entry->webhook);
		}
	}
	MemoryContextSwitchTo(caller);
}

void
cpw_webhook_cache_load(const char *const *tokens, int count)
{
	for (;;)
	{
		if (entries == NULL || generation != loaded_generation ||
			hash_get_num_entries(entries) + count > MAX_ENTRIES)
		{
			reset_entries();
			watched_table = cpw_routes_table();
			loaded_generation = generation;
			check_version();
		}
		load_once(tokens, count);
		if (generation == loaded_generation)
			return;
	}
}
