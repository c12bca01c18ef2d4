/*
 * registrations.c
 *		The table third_party_registrations.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/counters.h"
#include "pg/secret.h"
#include "pg/uuid7.h"
#include "store/arguments.h"
#include "store/registrations.h"

#define TABLE	"cp_webhook.third_party_registrations"

/* A wish is due at once; what is being worked on is due when that has ended. */
#define WISH \
	" state = CASE WHEN state = 'working' THEN state ELSE 'pending' END," \
	" revision = revision + 1, attempts = 0," \
	" next_try_at = pg_catalog.clock_timestamp()," \
	" updated_at = pg_catalog.clock_timestamp()"

static CpwStatement find_current = {
	.sql = "SELECT id, wanted, provider, api_url, repository,"
	" system_identifier, url_token"
	" FROM " TABLE " WHERE webhook_id = $1 AND is_current FOR UPDATE",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {UUIDOID},
};

static CpwStatement find_wanted = {
	.sql = "SELECT FROM " TABLE " WHERE webhook_id = $1 AND is_current"
	" AND wanted = 'registered'",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {UUIDOID},
};

static CpwStatement find_place = {
	.sql = "SELECT id FROM " TABLE " WHERE webhook_id = $1 AND provider = $2"
	" AND api_url = $3 AND repository = $4 FOR UPDATE",
	.expected = SPI_OK_SELECT,
	.parameters = 4,
	.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID},
};

static CpwStatement leave_place = {
	.sql = "UPDATE " TABLE " SET is_current = false, wanted = 'deregistered',"
	WISH " WHERE id = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 1,
	.types = {UUIDOID},
};

static CpwStatement insert_place = {
	.sql = "INSERT INTO " TABLE " (id, webhook_id, webhook, url_token, wanted,"
	" provider, api_url, repository, access_token, system_identifier,"
	" next_try_at) VALUES ($1, $2, $3, $4, 'registered', $5, $6, $7, $8, $9,"
	" pg_catalog.clock_timestamp())",
	.expected = SPI_OK_INSERT,
	.parameters = 9,
	.types = {UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TEXTOID, INT8OID},
};

/* $4: the hook is written again, whatever is known of it. */
static CpwStatement wish_place = {
	.sql = "UPDATE " TABLE " SET is_current = true, wanted = 'registered',"
	" access_token = COALESCE($2, access_token), system_identifier = $3,"
	" fingerprint = CASE WHEN $4 THEN NULL ELSE fingerprint END,"
	WISH " WHERE id = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 4,
	.types = {UUIDOID, TEXTOID, INT8OID, BOOLOID},
};

/* Where a copy of another cluster's is given up nothing is left to be done. */
static CpwStatement forget_foreign = {
	.sql = "DELETE FROM " TABLE
	" WHERE webhook_id = $1 AND system_identifier <> $2",
	.expected = SPI_OK_DELETE,
	.parameters = 2,
	.types = {UUIDOID, INT8OID},
};

static CpwStatement wish_removal = {
	.sql = "UPDATE " TABLE " SET wanted = 'deregistered',"
	" is_current = is_current AND NOT $2," WISH
	" WHERE webhook_id = $1"
	" AND (wanted = 'registered' OR state <> 'deregistered' OR $2)",
	.expected = SPI_OK_UPDATE,
	.parameters = 2,
	.types = {UUIDOID, BOOLOID},
};

static CpwStatement lock_sealed = {
	.sql = "SELECT id, access_token, fingerprint FROM " TABLE
	" ORDER BY id FOR UPDATE",
	.expected = SPI_OK_SELECT,
};

static CpwStatement update_sealed = {
	.sql = "UPDATE " TABLE " SET access_token = $2, fingerprint = $3"
	" WHERE id = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 3,
	.types = {UUIDOID, TEXTOID, TEXTOID},
};

static CpwStatement reset_working = {
	.sql = "UPDATE " TABLE " SET state = 'pending',"
	" next_try_at = pg_catalog.clock_timestamp() WHERE state = 'working'",
	.expected = SPI_OK_UPDATE,
};

#define IS_THERE \
	"EXISTS (SELECT FROM cp_webhook.webhook_definitions w" \
	" WHERE w.id = r.webhook_id)"

static CpwStatement renew = {
	.sql = "UPDATE " TABLE " r SET wanted = CASE WHEN " IS_THERE
	" THEN 'registered' ELSE 'deregistered' END," WISH
	" WHERE r.wanted = 'registered' AND r.system_identifier = $2"
	" AND ((r.state = 'registered' AND r.public_url <> $1) OR NOT " IS_THERE ")",
	.expected = SPI_OK_UPDATE,
	.parameters = 2,
	.types = {TEXTOID, INT8OID},
};

/* Those of an API that are taken come first among its own. */
static CpwStatement take_due = {
	.sql = "WITH places AS (SELECT id, state, next_try_at,"
	" pg_catalog.row_number() OVER (PARTITION BY api_url"
	"   ORDER BY state = 'working' DESC, next_try_at, id) AS place"
	" FROM " TABLE " WHERE system_identifier = $3 AND (state = 'working'"
	"   OR next_try_at <= pg_catalog.clock_timestamp())),"
	" due AS (SELECT t.id FROM " TABLE " t JOIN places p ON p.id = t.id"
	"  WHERE p.state <> 'working' AND p.place <= $2 AND t.state <> 'working'"
	"    AND t.next_try_at <= pg_catalog.clock_timestamp()"
	"  ORDER BY t.next_try_at, t.id LIMIT $1 FOR UPDATE OF t SKIP LOCKED)"
	" UPDATE " TABLE " r SET state = 'working' FROM due WHERE r.id = due.id"
	" RETURNING r.id, r.webhook_id, r.webhook, r.url_token,"
	" r.wanted = 'registered', r.revision, r.provider, r.api_url,"
	" r.repository, r.access_token, r.hook_id, r.fingerprint, r.creating_at,"
	" r.attempts, r.is_current",
	.expected = SPI_OK_UPDATE_RETURNING,
	.parameters = 3,
	.types = {INT4OID, INT4OID, INT8OID},
};

static CpwStatement find_next = {
	.sql = "SELECT pg_catalog.min(next_try_at) FROM " TABLE
	" WHERE next_try_at IS NOT NULL AND state <> 'working'"
	" AND system_identifier = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {INT8OID},
};

static CpwStatement begin_create = {
	.sql = "UPDATE " TABLE " SET creating_at = pg_catalog.clock_timestamp()"
	" WHERE id = $1 AND revision = $2",
	.expected = SPI_OK_UPDATE,
	.parameters = 2,
	.types = {UUIDOID, INT4OID},
};

static CpwStatement remove_useless = {
	.sql = "DELETE FROM " TABLE " r WHERE r.id = $1 AND r.revision = $2"
	" AND r.wanted = 'deregistered' AND (NOT r.is_current OR NOT EXISTS ("
	"SELECT FROM cp_webhook.webhook_definitions w WHERE w.id = r.webhook_id))",
	.expected = SPI_OK_DELETE,
	.parameters = 2,
	.types = {UUIDOID, INT4OID},
};

static CpwStatement end_attempt = {
	.sql = "UPDATE " TABLE " SET"
	" state = CASE WHEN revision = $2 THEN $3 ELSE 'pending' END,"
	" hook_id = $4, public_url = $5,"
	" fingerprint = CASE WHEN revision = $2 THEN $6 END, creating_at = $7,"
	" attempts = CASE WHEN revision = $2 THEN $8 ELSE 0 END,"
	" next_try_at = CASE WHEN revision = $2 THEN $9"
	"   ELSE pg_catalog.clock_timestamp() END,"
	" error_code = $10, last_error = $11,"
	" updated_at = pg_catalog.clock_timestamp()"
	" WHERE id = $1 RETURNING revision",
	.expected = SPI_OK_UPDATE_RETURNING,
	.parameters = 11,
	.types = {UUIDOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID, INT4OID, TIMESTAMPTZOID, TEXTOID, TEXTOID},
};

static char *
place_of(const pg_uuid_t *id, const char *what)
{
	return psprintf("registration/%s/%s", cpw_uuid7_text(id), what);
}

static int64
this_cluster(void)
{
	return (int64) GetSystemIdentifier();
}

static uint64
execute_uuid(CpwStatement *statement, const pg_uuid_t *id)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_uuid(&arguments, id);
	return cpw_arguments_execute(statement, &arguments);
}

/* NULL for 0. */
static void
add_instant(CpwArguments *arguments, TimestampTz instant)
{
	cpw_arguments_add_timestamp(arguments, instant);
	if (instant == 0)
		arguments->nulls[arguments->count - 1] = 'n';
}

/* ---- wishes ---- */

bool
cpw_registrations_exist(const pg_uuid_t *webhook_id)
{
	return execute_uuid(&find_wanted, webhook_id) > 0;
}

/* Wishes a known row; token NULL: it stays. */
static void
wish(const pg_uuid_t *id, const char *token, bool again)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_uuid(&arguments, id);
	cpw_arguments_add_text(&arguments,
						   cpw_secret_seal(token, place_of(id, "token")));
	cpw_arguments_add_bigint(&arguments, this_cluster());
	cpw_arguments_add_bool(&arguments, again);
	cpw_arguments_execute(&wish_place, &arguments);
}

static bool
find_row_of(const pg_uuid_t *webhook_id, const CpwThirdParty *party,
			pg_uuid_t *id)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_uuid(&arguments, webhook_id);
	cpw_arguments_add_text(&arguments, party->provider->name);
	cpw_arguments_add_text(&arguments, party->api_url);
	cpw_arguments_add_text(&arguments, party->repository);
	if (cpw_arguments_execute(&find_place, &arguments) == 0)
		return false;
	*id = cpw_statement_get_uuid(0, 1);
	return true;
}

static void
insert(const pg_uuid_t *webhook_id, const char *webhook,
	   const char *token, const CpwThirdParty *party)
{
	CpwArguments arguments = {0};
	pg_uuid_t	id;

	cpw_uuid7_generate(&id, NULL);
	cpw_arguments_add_uuid(&arguments, &id);
	cpw_arguments_add_uuid(&arguments, webhook_id);
	cpw_arguments_add_text(&arguments, webhook);
	cpw_arguments_add_text(&arguments, token);
	cpw_arguments_add_text(&arguments, party->provider->name);
	cpw_arguments_add_text(&arguments, party->api_url);
	cpw_arguments_add_text(&arguments, party->repository);
	cpw_arguments_add_text(&arguments, cpw_secret_seal(party->token,
													   place_of(&id, "token")));
	cpw_arguments_add_bigint(&arguments, this_cluster());
	cpw_arguments_execute(&insert_place, &arguments);
}

void
cpw_registrations_register(const pg_uuid_t *webhook_id, const char *webhook,
						   const char *token, const CpwThirdParty *party,
						   CpwRegistrationWish wish_kind)
{
	MemoryContext context = CurrentMemoryContext;
	bool		is_known = execute_uuid(&find_current, webhook_id) > 0;
	pg_uuid_t	current = {0};
	pg_uuid_t	place;
	bool		is_here = false;

	if (is_known)
	{
		bool		is_wanted = strcmp(cpw_statement_get_text(0, 2, context), "registered") == 0;
		bool		is_ours = cpw_statement_get_bigint(0, 6) == this_cluster();

		current = cpw_statement_get_uuid(0, 1);
		token = cpw_statement_get_text(0, 7, context);
		is_here = party == NULL ||
			(strcmp(cpw_statement_get_text(0, 3, context), party->provider->name) == 0 &&
			 strcmp(cpw_statement_get_text(0, 4, context), party->api_url) == 0 &&
			 strcmp(cpw_statement_get_text(0, 5, context), party->repository) == 0);
		if (wish_kind == CPW_REFRESH && !(is_wanted && is_ours))
			return;
	}
	else if (wish_kind == CPW_REFRESH)
		return;
	cpw_counters_wake_at_commit();
	if (is_here)
	{
		wish(&current, party != NULL ? party->token : NULL, wish_kind == CPW_REGISTER);
		return;
	}
	if (is_known)
		execute_uuid(&leave_place, &current);

	/* It may have been here before, and is still being removed. */
	if (find_row_of(webhook_id, party, &place))
		wish(&place, party->token, true);
	else
		insert(webhook_id, webhook, token, party);
}

bool
cpw_registrations_deregister(const pg_uuid_t *webhook_id, bool is_deleted)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_uuid(&arguments, webhook_id);
	cpw_arguments_add_bigint(&arguments, this_cluster());
	cpw_arguments_execute(&forget_foreign, &arguments);
	arguments.count = 0;
	cpw_arguments_add_uuid(&arguments, webhook_id);
	cpw_arguments_add_bool(&arguments, is_deleted);
	if (cpw_arguments_execute(&wish_removal, &arguments) == 0)
		return false;
	cpw_counters_wake_at_commit();
	return true;
}

/* ---- secrets ---- */

int64
cpw_registrations_reseal(void)
{
	MemoryContext context = CurrentMemoryContext;
	uint64		rows = cpw_statement_execute(&lock_sealed, NULL, NULL);
	CpwRegistration *all = palloc0(sizeof(CpwRegistration) * Max(rows, 1));
	int64		count = 0;

	for (uint64 row = 0; row < rows; row++)
	{
		all[row].id = cpw_statement_get_uuid(row, 1);
		all[row].access_token = cpw_statement_get_text(row, 2, context);
		all[row].fingerprint = cpw_statement_get_text(row, 3, context);
	}
	for (uint64 row = 0; row < rows; row++)
	{
		CpwArguments arguments = {0};
		bool		changed = cpw_secret_reseal(&all[row].access_token,
												place_of(&all[row].id, "token"));

		changed |= cpw_secret_reseal(&all[row].fingerprint,
									 place_of(&all[row].id, "fingerprint"));
		if (!changed)
			continue;
		cpw_arguments_add_uuid(&arguments, &all[row].id);
		cpw_arguments_add_text(&arguments, all[row].access_token);
		cpw_arguments_add_text(&arguments, all[row].fingerprint);
		cpw_arguments_execute(&update_sealed, &arguments);
		count++;
	}
	return count;
}

/* ---- the worker ---- */

void
cpw_registrations_reset(void)
{
	cpw_statement_execute(&reset_working, NULL, NULL);
}

int64
cpw_registrations_review(const char *public_url)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, public_url);
	cpw_arguments_add_bigint(&arguments, this_cluster());
	return (int64) cpw_arguments_execute(&renew, &arguments);
}

static void
read_row(uint64 row, CpwRegistration *registration)
{
	MemoryContext context = CurrentMemoryContext;
	const char *problem;

	registration->id = cpw_statement_get_uuid(row, 1);
	registration->webhook_id = cpw_statement_get_uuid(row, 2);
	registration->webhook = cpw_statement_get_text(row, 3, context);
	registration->url_token = cpw_statement_get_text(row, 4, context);
	registration->is_wanted = cpw_statement_get_bool(row, 5);
	registration->revision = cpw_statement_get_int(row, 6);
	registration->provider = cpw_statement_get_text(row, 7, context);
	registration->api_url = cpw_statement_get_text(row, 8, context);
	registration->repository = cpw_statement_get_text(row, 9, context);
	registration->access_token = cpw_statement_get_text(row, 10, context);
	registration->hook_id = cpw_statement_get_text(row, 11, context);
	registration->fingerprint = cpw_statement_get_text(row, 12, context);
	registration->creating_at = cpw_statement_get_timestamp(row, 13);
	registration->attempts = cpw_statement_get_int(row, 14);
	registration->is_current = cpw_statement_get_bool(row, 15);
	registration->access_token =
		cpw_secret_try_open(registration->access_token,
							place_of(&registration->id, "token"),
							&registration->problem);

	/* One that does not open only makes the hook be written again. */
	registration->fingerprint =
		cpw_secret_try_open(registration->fingerprint,
							place_of(&registration->id, "fingerprint"),
							&problem);
}

int
cpw_registrations_take(int limit, int per_api, CpwRegistration **registrations)
{
	CpwArguments arguments = {0};
	uint64		rows;

	cpw_arguments_add_int(&arguments, limit);
	cpw_arguments_add_int(&arguments, per_api);
	cpw_arguments_add_bigint(&arguments, this_cluster());
	rows = cpw_arguments_execute(&take_due, &arguments);
	*registrations = palloc0(sizeof(CpwRegistration) * Max(rows, 1));
	for (uint64 row = 0; row < rows; row++)
		read_row(row, &(*registrations)[row]);
	return (int) rows;
}

long
cpw_registrations_next(long most)
{
	CpwArguments arguments = {0};
	TimestampTz next;

	cpw_arguments_add_bigint(&arguments, this_cluster());
	cpw_arguments_execute(&find_next, &arguments);
	next = cpw_statement_get_timestamp(0, 1);
	if (next == 0)
		return most;
	return Min(most, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next));
}

bool
cpw_registrations_begin_create(const CpwRegistration *registration)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_uuid(&arguments, &registration->id);
	cpw_arguments_add_int(&arguments, registration->revision);
	return cpw_arguments_execute(&begin_create, &arguments) > 0;
}

bool
cpw_registrations_end(const CpwRegistration *registration,
					  const CpwRegistrationEnd *end)
{
	CpwArguments arguments = {0};

	if (strcmp(end->state, "deregistered") == 0 && end->next_try_at == 0)
	{
		cpw_arguments_add_uuid(&arguments, &registration->id);
		cpw_arguments_add_int(&arguments, registration->revision);
		if (cpw_arguments_execute(&remove_useless, &arguments) > 0)
			return true;
		arguments.count = 0;
	}
	cpw_arguments_add_uuid(&arguments, &registration->id);
	cpw_arguments_add_int(&arguments, registration->revision);
	cpw_arguments_add_text(&arguments, end->state);
	cpw_arguments_add_text(&arguments, end->hook_id);
	cpw_arguments_add_text(&arguments, end->public_url);
	cpw_arguments_add_text(&arguments,
						   cpw_secret_seal(end->fingerprint,
										   place_of(&registration->id, "fingerprint")));
	add_instant(&arguments, end->creating_at);
	cpw_arguments_add_int(&arguments, end->attempts);
	add_instant(&arguments, end->next_try_at);
	cpw_arguments_add_text(&arguments, end->error_code);
	cpw_arguments_add_text(&arguments, end->error);
	return cpw_arguments_execute(&end_attempt, &arguments) > 0 &&
		cpw_statement_get_int(0, 1) == registration->revision;
}
