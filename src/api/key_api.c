/*
 * key_api.c
 *		create_access_key, list_access_keys, update_access_key,
 *		delete_access_key: who may sign requests on the AWS wire.
 *
 * EXECUTE is not enough: a key is as good as its role, so only who may become
 * that role makes, sees and changes its keys.
 */
#include "postgres.h"

#include "base/hex_base64.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/errors.h"
#include "store/access_keys.h"
#include "store/session.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(cp_webhook_create_access_key);
PG_FUNCTION_INFO_V1(cp_webhook_list_access_keys);
PG_FUNCTION_INFO_V1(cp_webhook_update_access_key);
PG_FUNCTION_INFO_V1(cp_webhook_delete_access_key);

/* An id is a prefix of our own and 16 characters of 32: 80 random bits. */
#define ID_PREFIX			"CPWA"
#define ID_LENGTH			20

/* A secret is 30 random bytes in base64url: 40 characters. */
#define SECRET_BYTES		30

#define LIST_COLUMNS		4

/*
 * The role that has called: the functions run as their owner, and SET ROLE
 * counts.
 */
static bool
may_manage(Oid role)
{
	return cpw_compat_may_become(GetOuterUserId(), role);
}

static void
check_may_manage(Oid role)
{
	if (!may_manage(role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for access keys of role \"%s\"",
						GetUserNameFromId(role, false)),
				 errhint("Only a superuser or a role that can SET ROLE to it manages its access keys.")));
}

static void
fill_random(void *bytes, size_t length)
{
	if (!pg_strong_random(bytes, length))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
}

static void
make_id(char id[ID_LENGTH + 1])
{
	static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8		bytes[ID_LENGTH - (sizeof(ID_PREFIX) - 1)];

	fill_random(bytes, sizeof(bytes));
	strlcpy(id, ID_PREFIX, ID_LENGTH + 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		id[strlen(ID_PREFIX) + i] = characters[bytes[i] % 32];
	id[ID_LENGTH] = '\0';
}

/* The row of a function's OUT parameters. */
static Datum
make_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	descriptor;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor),
											 values, nulls));
}

/*
 * create_access_key(role name) returns access_key_id and secret_access_key.
 */
Datum
cp_webhook_create_access_key(PG_FUNCTION_ARGS)
{
	Oid			role = get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
	char		id[ID_LENGTH + 1];
	uint8		bytes[SECRET_BYTES];
	char		secret[CPW_BASE64_SIZE(SECRET_BYTES)];
	Datum		values[2];
	bool		nulls[2] = {false};

	check_may_manage(role);
	make_id(id);
	fill_random(bytes, sizeof(bytes));
	(void) cpw_base64_encode(CPW_BASE64_URL, bytes, sizeof(bytes), secret);
	cpw_session_open();
	cpw_access_keys_add(id, role, secret);
	cpw_session_close();
	values[0] = CStringGetTextDatum(id);
	values[1] = CStringGetTextDatum(secret);
	return make_row(fcinfo, values, nulls);
}

/*
 * list_access_keys() returns access_key_id, role, status and created_at of the
 * keys that the caller manages; of a role that was dropped superusers do.
 */
Datum
cp_webhook_list_access_keys(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CpwAccessKey *keys;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	cpw_session_open();
	count = cpw_access_keys_list(&keys);
	for (int i = 0; i < count; i++)
	{
		char	   *role = GetUserNameFromId(keys[i].role, true);
		Datum		values[LIST_COLUMNS];
		bool		nulls[LIST_COLUMNS] = {false};

		if (role != NULL ? !may_manage(keys[i].role)
			: !superuser_arg(GetOuterUserId()))
			continue;
		values[0] = CStringGetTextDatum(keys[i].id);
		nulls[1] = role == NULL;
		values[1] = role != NULL ? DirectFunctionCall1(namein, CStringGetDatum(role))
			: (Datum) 0;
		values[2] = CStringGetTextDatum(keys[i].is_active ? "Active" : "Inactive");
		values[3] = TimestampTzGetDatum(keys[i].created_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	cpw_session_close();
	return (Datum) 0;
}

/* Locks a key that the caller may change; raises where there is none. */
static void
lock_key(const char *id)
{
	CpwAccessKey key;

	if (!cpw_access_keys_lock(id, &key))
		cpw_errors_raise(CPW_RESOURCE_NOT_FOUND, NULL,
						 "list_access_keys shows what there is.",
						 "there is no access key '%s'", id);
	if (SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(key.role)))
		check_may_manage(key.role);
	else if (!superuser_arg(GetOuterUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for access keys of a role that was dropped")));
}

/* update_access_key(access_key_id text, status text). */
Datum
cp_webhook_update_access_key(PG_FUNCTION_ARGS)
{
	char	   *id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *status = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		active = strcmp(status, "Active") == 0;
	CpwProblems problems = {0};

	if (!active && strcmp(status, "Inactive") != 0)
		cpw_errors_add_violation(&problems, "status", status,
								 "Member must satisfy enum value set: [Active, Inactive]");
	cpw_errors_raise_all(&problems);
	cpw_session_open();
	lock_key(id);
	cpw_access_keys_set_active(id, active);
	cpw_session_close();
	PG_RETURN_VOID();
}

/* delete_access_key(access_key_id text). */
Datum
cp_webhook_delete_access_key(PG_FUNCTION_ARGS)
{
	char	   *id = text_to_cstring(PG_GETARG_TEXT_PP(0));

	cpw_session_open();
	lock_key(id);
	cpw_access_keys_remove(id);
	cpw_session_close();
	PG_RETURN_VOID();
}
