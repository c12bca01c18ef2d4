/*
 * tags.c
 *		The table resource_tags.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "store/arguments.h"
#include "store/tags.h"

static CpwStatement add_tags = {
	.sql = "INSERT INTO cp_webhook.resource_tags"
	" (resource_type, resource_name, key, value)"
	" SELECT $1, $2, t.value ->> 'key', t.value ->> 'value'"
	" FROM pg_catalog.jsonb_array_elements($3) t"
	" ON CONFLICT (resource_type, resource_name, key)"
	" DO UPDATE SET value = excluded.value",
	.expected = SPI_OK_INSERT,
	.parameters = 3,
	.types = {TEXTOID, TEXTOID, JSONBOID},
};

static CpwStatement count_tags = {
	.sql = "SELECT pg_catalog.count(*)::pg_catalog.int4"
	" FROM cp_webhook.resource_tags"
	" WHERE resource_type = $1 AND resource_name = $2",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, TEXTOID},
};

static CpwStatement remove_tags = {
	.sql = "DELETE FROM cp_webhook.resource_tags"
	" WHERE resource_type = $1 AND resource_name = $2"
	" AND ($3 IS NULL OR $3 @> pg_catalog.to_jsonb(key))",
	.expected = SPI_OK_DELETE,
	.parameters = 3,
	.types = {TEXTOID, TEXTOID, JSONBOID},
};

static CpwStatement list_tags = {
	.sql = "SELECT COALESCE(pg_catalog.jsonb_agg("
	"pg_catalog.jsonb_build_object('key', t.key, 'value', t.value)"
	" ORDER BY t.key), '[]')"
	" FROM (SELECT key, value FROM cp_webhook.resource_tags"
	"       WHERE resource_type = $1 AND resource_name = $2 AND key > $3"
	"       ORDER BY key LIMIT $4) t",
	.expected = SPI_OK_SELECT,
	.parameters = 4,
	.types = {TEXTOID, TEXTOID, TEXTOID, INT4OID},
};

static void
add_resource(CpwArguments *arguments, const CpwResource *resource)
{
	cpw_arguments_add_text(arguments, resource->type);
	cpw_arguments_add_text(arguments, resource->name);
}

void
cpw_tags_add(const CpwResource *resource, Jsonb *tags)
{
	CpwArguments arguments = {0};

	add_resource(&arguments, resource);
	cpw_arguments_add_jsonb(&arguments, tags);
	cpw_arguments_execute(&add_tags, &arguments);
}

int
cpw_tags_count(const CpwResource *resource)
{
	CpwArguments arguments = {0};

	add_resource(&arguments, resource);
	cpw_arguments_execute_latest(&count_tags, &arguments);
	return cpw_statement_get_int(0, 1);
}

void
cpw_tags_remove(const CpwResource *resource, Jsonb *keys)
{
	CpwArguments arguments = {0};

	add_resource(&arguments, resource);
	cpw_arguments_add_jsonb(&arguments, keys);
	cpw_arguments_execute(&remove_tags, &arguments);
	if (keys == NULL && cpw_tags_count(resource) > 0)
		cpw_statement_raise_outdated(psprintf("Another transaction has tagged %s '%s' since this one began.",
											  resource->type, resource->name));
}

Jsonb *
cpw_tags_list(const CpwResource *resource, const char *after, int limit)
{
	CpwArguments arguments = {0};

	add_resource(&arguments, resource);
	cpw_arguments_add_text(&arguments, after);
	cpw_arguments_add_int(&arguments, limit);
	cpw_arguments_execute(&list_tags, &arguments);
	return cpw_statement_get_jsonb(0, 1, CurrentMemoryContext);
}
