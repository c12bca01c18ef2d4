/*
 * version.c
 *		Whether the extension in this database is of this library's version.
 *
 * There is no invalidation of an extension's row. But a script that updates
 * the extension ends with a change of webhook_definitions (sql/update/write),
 * and that is one which every process hears of.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "compat.h"
#include "store/routes.h"
#include "store/version.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"

static bool watches;
static bool is_known_right;		/* since the last invalidation */
static Oid	watched_table;

static void
definitions_invalidated(Datum arg, Oid relation)
{
	(void) arg;
	if (relation == InvalidOid || relation == watched_table)
		is_known_right = false;
}

char *
cpw_version_of_extension(void)
{
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	char	   *version = NULL;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("cp_webhook"));
	scan = systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1,
							  &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		is_null;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion,
										 RelationGetDescr(catalog), &is_null);

		if (!is_null)
			version = TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return version;
}

/* Whether one version comes before another: numbers between dots. */
static bool
is_older(const char *one, const char *other)
{
	for (;;)
	{
		char	   *one_end;
		char	   *other_end;
		long		left = strtol(one, &one_end, 10);
		long		right = strtol(other, &other_end, 10);

		if (left != right)
			return left < right;
		if (*one_end != '.' || *other_end != '.')
			return *other_end == '.';
		one = one_end + 1;
		other = other_end + 1;
	}
}

char *
cpw_version_advice(const char *version)
{
	if (is_older(version, CPW_VERSION))
		return pstrdup("Run ALTER EXTENSION cp_webhook UPDATE in this database.");
	return psprintf("Install the library of version %s, if it is not, and restart the server.",
					version);
}

void
cpw_version_require(void)
{
	char	   *version;

	if (is_known_right)
		return;
	if (!watches)
		CacheRegisterRelcacheCallback(definitions_invalidated, (Datum) 0);
	watches = true;

	/* An invalidation that comes while it is looked up must count. */
	watched_table = cpw_routes_table();
	is_known_right = OidIsValid(watched_table);
	version = cpw_version_of_extension();
	if (version == NULL || strcmp(version, CPW_VERSION) == 0)
		return;
	is_known_right = false;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cp_webhook in this database is of version %s, its library of %s",
					version, CPW_VERSION),
			 errhint("%s", cpw_version_advice(version))));
}
