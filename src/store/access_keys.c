/*
 * access_keys.c
 *		The table access_keys.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/secret.h"
#include "store/access_keys.h"
#include "store/arguments.h"

#define COLUMNS	"id, role::pg_catalog.oid::pg_catalog.int8," \
	" status = 'Active', created_at"

static CpwStatement add_key = {
	.sql = "INSERT INTO cp_webhook.access_keys (id, role, secret)"
	" VALUES ($1, $2::pg_catalog.oid::pg_catalog.regrole, $3)",
	.expected = SPI_OK_INSERT,
	.parameters = 3,
	.types = {TEXTOID, INT8OID, TEXTOID},
};

static CpwStatement lock_key = {
	.sql = "SELECT " COLUMNS " FROM cp_webhook.access_keys"
	" WHERE id = $1 FOR UPDATE",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement find_key = {
	.sql = "SELECT " COLUMNS ", secret FROM cp_webhook.access_keys"
	" WHERE id = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement set_active = {
	.sql = "UPDATE cp_webhook.access_keys"
	" SET status = CASE WHEN $2 THEN 'Active' ELSE 'Inactive' END"
	" WHERE id = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 2,
	.types = {TEXTOID, BOOLOID},
};

static CpwStatement remove_key = {
	.sql = "DELETE FROM cp_webhook.access_keys WHERE id = $1",
	.expected = SPI_OK_DELETE,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement list_keys = {
	.sql = "SELECT " COLUMNS " FROM cp_webhook.access_keys"
	" ORDER BY created_at, id",
	.expected = SPI_OK_SELECT,
};

static CpwStatement lock_secrets = {
	.sql = "SELECT id, secret FROM cp_webhook.access_keys"
	" ORDER BY id FOR NO KEY UPDATE",
	.expected = SPI_OK_SELECT,
};

static CpwStatement set_secret = {
	.sql = "UPDATE cp_webhook.access_keys SET secret = $2 WHERE id = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 2,
	.types = {TEXTOID, TEXTOID},
};

/* Where a key's secret is stored, for cpw_secret_seal(). */
static char *
secret_place(const char *id)
{
	return psprintf("access_key/%s", id);
}

static void
read_row(uint64 row, CpwAccessKey *key)
{
	key->id = cpw_statement_get_text(row, 1, CurrentMemoryContext);
	key->role = (Oid) cpw_statement_get_bigint(row, 2);
	key->is_active = cpw_statement_get_bool(row, 3);
	key->created_at = cpw_statement_get_timestamp(row, 4);
}

void
cpw_access_keys_add(const char *id, Oid role, const char *secret)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, id);
	cpw_arguments_add_bigint(&arguments, (int64) role);
	cpw_arguments_add_text(&arguments,
						   cpw_secret_seal(secret, secret_place(id)));
	cpw_arguments_execute(&add_key, &arguments);
}

bool
cpw_access_keys_lock(const char *id, CpwAccessKey *key)
{
	if (cpw_arguments_execute_text(&lock_key, id) == 0)
		return false;
	read_row(0, key);
	return true;
}

bool
cpw_access_keys_find(const char *id, CpwAccessKey *key, char **secret)
{
	char	   *stored;

	if (cpw_arguments_execute_text(&find_key, id) == 0)
		return false;
	read_row(0, key);
	stored = cpw_statement_get_text(0, 5, CurrentMemoryContext);
	SPI_freetuptable(SPI_tuptable);
	*secret = cpw_secret_open(stored, secret_place(id));
	return true;
}

void
cpw_access_keys_set_active(const char *id, bool active)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, id);
	cpw_arguments_add_bool(&arguments, active);
	cpw_arguments_execute(&set_active, &arguments);
}

void
cpw_access_keys_remove(const char *id)
{
	cpw_arguments_execute_text(&remove_key, id);
}

int
cpw_access_keys_list(CpwAccessKey **keys)
{
	int			count = (int) cpw_statement_execute(&list_keys, NULL, NULL);

	*keys = palloc(sizeof(CpwAccessKey) * Max(count, 1));
	for (int i = 0; i < count; i++)
		read_row(i, &(*keys)[i]);
	return count;
}

int64
cpw_access_keys_reseal(void)
{
	MemoryContext context = CurrentMemoryContext;
	int			rows = (int) cpw_statement_execute(&lock_secrets, NULL, NULL);
	char	  **ids = palloc(sizeof(char *) * Max(rows, 1));
	char	  **secrets = palloc(sizeof(char *) * Max(rows, 1));
	int64		count = 0;

	for (int i = 0; i < rows; i++)
	{
		ids[i] = cpw_statement_get_text(i, 1, context);
		secrets[i] = cpw_statement_get_text(i, 2, context);
	}
	for (int i = 0; i < rows; i++)
	{
		CpwArguments arguments = {0};

		if (!cpw_secret_reseal(&secrets[i], secret_place(ids[i])))
			continue;
		cpw_arguments_add_text(&arguments, ids[i]);
		cpw_arguments_add_text(&arguments, secrets[i]);
		cpw_arguments_execute(&set_secret, &arguments);
		count++;
	}
	return count;
}
