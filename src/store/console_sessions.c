/*
 * console_sessions.c
 *		The table console_sessions.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "store/arguments.h"
#include "store/console_sessions.h"

#define HASH(parameter)	"pg_catalog.decode(" parameter ", 'hex')"
#define ROLE(parameter)	parameter "::pg_catalog.oid::pg_catalog.regrole"
#define ROLE_COLUMN		"role::pg_catalog.oid::pg_catalog.int8"
#define NOW				"pg_catalog.clock_timestamp()"

static CpwStatement add_link = {
	.sql = "INSERT INTO cp_webhook.console_sessions"
	" (hash, is_link, role, expires_at)"
	" VALUES (" HASH("$1") ", true, " ROLE("$2") ","
	" " NOW " + $3 * interval '1 second')",
	.expected = SPI_OK_INSERT,
	.parameters = 3,
	.types = {TEXTOID, INT8OID, INT4OID},
};

static CpwStatement open_session = {
	.sql = "WITH spent AS (DELETE FROM cp_webhook.console_sessions"
	" WHERE hash = " HASH("$1") " AND is_link AND expires_at > " NOW
	" RETURNING role)"
	" INSERT INTO cp_webhook.console_sessions"
	" (hash, is_link, role, expires_at)"
	" SELECT " HASH("$2") ", false, s.role,"
	" " NOW " + $3 * interval '1 minute' FROM spent s"
	" RETURNING " ROLE_COLUMN,
	.expected = SPI_OK_INSERT_RETURNING,
	.parameters = 3,
	.types = {TEXTOID, TEXTOID, INT4OID},
};

static CpwStatement find_session = {
	.sql = "SELECT " ROLE_COLUMN " FROM cp_webhook.console_sessions"
	" WHERE hash = " HASH("$1") " AND NOT is_link AND expires_at > " NOW,
	.expected = SPI_OK_SELECT,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement end_session = {
	.sql = "DELETE FROM cp_webhook.console_sessions"
	" WHERE hash = " HASH("$1") " AND NOT is_link",
	.expected = SPI_OK_DELETE,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement list_roles = {
	.sql = "SELECT DISTINCT " ROLE_COLUMN " FROM cp_webhook.console_sessions",
	.expected = SPI_OK_SELECT,
};

static CpwStatement end_of_role = {
	.sql = "DELETE FROM cp_webhook.console_sessions WHERE role = " ROLE("$1"),
	.expected = SPI_OK_DELETE,
	.parameters = 1,
	.types = {INT8OID},
};

void
cpw_console_sessions_add_link(const char *hash, Oid role, int seconds)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, hash);
	cpw_arguments_add_bigint(&arguments, (int64) role);
	cpw_arguments_add_int(&arguments, seconds);
	cpw_arguments_execute(&add_link, &arguments);
}

Oid
cpw_console_sessions_open(const char *link_hash, const char *session_hash,
						  int minutes)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, link_hash);
	cpw_arguments_add_text(&arguments, session_hash);
	cpw_arguments_add_int(&arguments, minutes);
	if (cpw_arguments_execute(&open_session, &arguments) == 0)
		return InvalidOid;
	return (Oid) cpw_statement_get_bigint(0, 1);
}

Oid
cpw_console_sessions_find(const char *hash)
{
	if (cpw_arguments_execute_text(&find_session, hash) == 0)
		return InvalidOid;
	return (Oid) cpw_statement_get_bigint(0, 1);
}

void
cpw_console_sessions_end(const char *hash)
{
	cpw_arguments_execute_text(&end_session, hash);
}

int
cpw_console_sessions_roles(Oid **roles)
{
	int			count = (int) cpw_statement_execute(&list_roles, NULL, NULL);

	*roles = palloc(sizeof(Oid) * Max(count, 1));
	for (int i = 0; i < count; i++)
		(*roles)[i] = (Oid) cpw_statement_get_bigint(i, 1);
	return count;
}

int64
cpw_console_sessions_end_of_role(Oid role)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_bigint(&arguments, (int64) role);
	return (int64) cpw_arguments_execute(&end_of_role, &arguments);
}
