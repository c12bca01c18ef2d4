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
#include "fmgr.h"
#include "pg/address.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "store/routes.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
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

/* ---- compiling ---- */

static CpwAuthentication
authentication_of(const char *name)
{
	static const struct
	{
		const char *name;
		CpwAuthentication authentication;
	}			names[] = {
		{"GITHUB_HMAC", CPW_AUTHENTICATION_GITHUB_HMAC},
		{"IP", CPW_AUTHENTICATION_IP},
		{"UNAUTHENTICATED", CPW_AUTHENTICATION_UNAUTHENTICATED},
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].authentication;
	return CPW_AUTHENTICATION_NONE;
}

/* A string member of an object, palloc'd, or NULL. */
static char *
get_string(JsonbContainer *object, const char *name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(object, name,
													 (int) strlen(name), NULL);

	if (value == NULL || value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

typedef struct Compilation
{
	const CpwRoute *route;
	CpwWebhook *webhook;
} Compilation;

static void
compile_filters(const CpwRoute *route, CpwWebhook *webhook)
{
	JsonbContainer *rules = &route->filters->root;
	int			count = (int) JsonContainerSize(rules);

	webhook->filters = palloc0(sizeof(CpwFilter *) * Max(count, 1));
	webhook->wanted = palloc0(sizeof(char *) * Max(count, 1));
	webhook->shown = palloc0(sizeof(char *) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		JsonbValue *rule = getIthJsonbValueFromContainer(rules, i);
		CpwFilter  *filter;
		char	   *missing;

		filter = cpw_filter_compile(get_string(rule->val.binary.data, "jsonPath"),
									get_string(rule->val.binary.data, "matchEquals"));
		webhook->filters[i] = filter;
		webhook->uses_variables |= filter->uses_variables;
		if (filter->match_equals == NULL)
			continue;
		webhook->wanted[i] = cpw_filter_expand(filter->match_equals,
											   route->action_configuration,
											   &missing);
		webhook->shown[i] = cpw_filter_wants_secret(filter->match_equals)
			? filter->match_equals : webhook->wanted[i];
		if (webhook->wanted[i] == NULL && webhook->broken == NULL)
			webhook->broken =
				psprintf("filter %d: action \"%s\" has no configuration \"%s\"",
						 i + 1, route->action, missing);
	}
	webhook->filter_count = count;
}

/* The part that an odd definition can make fail. */
static void
compile(void *arg)
{
	Compilation *compilation = arg;
	const CpwRoute *route = compilation->route;
	CpwWebhook *webhook = compilation->webhook;

	if (webhook->authentication == CPW_AUTHENTICATION_IP)
	{
		char	   *range = get_string(&route->configuration->root,
									   "AllowedIPRange");

		if (range != NULL)
			webhook->range = DatumGetInetPP(DirectFunctionCall1(cidr_in,
																CStringGetDatum(range)));
	}
	compile_filters(route, webhook);
}

static CpwWebhook *
make_webhook(const CpwRoute *route)
{
	CpwWebhook *webhook = palloc0(sizeof(CpwWebhook));
	Compilation compilation = {route, webhook};
	ErrorData  *error;

	webhook->id = route->id;
	webhook->name = pstrdup(route->name);
	webhook->arn = cpw_settings_webhook_arn(route->name);
	webhook->pipeline = pstrdup(route->pipeline);
	webhook->version = route->version;
	webhook->action = pstrdup(route->action);
	webhook->authentication = authentication_of(route->authentication);
	if (route->version == 0)
		webhook->broken = pstrdup("pipeline not found");
	if (route->problem != NULL)
	{
		webhook->unavailable = pstrdup(route->problem);
		ereport(LOG,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("could not open the secrets of webhook \"%s\", its deliveries get 503: %s",
						route->name, route->problem),
				 errhint("Correct cp_webhook.secret_key_file or its keys, and reload.")));
		return webhook;
	}
	error = cpw_guard_run(compile, &compilation);
	if (error != NULL)
	{
		webhook->filter_count = 0;
		webhook->broken = psprintf("definition cannot be evaluated: %s",
								   error->message);
	}
	if (webhook->authentication == CPW_AUTHENTICATION_GITHUB_HMAC &&
		route->secret != NULL)
		webhook->key = cpw_signature_key_create(webhook->authentication,
												route->secret,
												strlen(route->secret));
	return webhook;
}

static void
check_version(void)
{
	char	   *version = cpw_routes_extension_version();

	if (version == NULL || strcmp(version, CPW_VERSION) == 0)
		return;
	mismatch = MemoryContextStrdup(context,
								   psprintf("the library is of version %s, the extension of %s",
											CPW_VERSION, version));
}

static void
load_once(const char *const *tokens, int count)
{
	MemoryContext caller = CurrentMemoryContext;
	CpwRoute   *routes;
	int			found;

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
			entry->webhook = make_webhook(&routes[i]);
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
