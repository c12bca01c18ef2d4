/*
 * access_keys.c
 *		The table access_keys.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
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
	cpw_arguments_add_text(&arguments, secret);
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
	if (cpw_arguments_execute_text(&find_key, id) == 0)
		return false;
	read_row(0, key);
	*secret = cpw_statement_get_text(0, 5, CurrentMemoryContext);
	SPI_freetuptable(SPI_tuptable);
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
