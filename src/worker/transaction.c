/*
 * transaction.c
 *		A worker's transactions.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "compat.h"
#include "miscadmin.h"
#include "pg/settings.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "storage/lmgr.h"
#include "store/session.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "worker/memory_watch.h"
#include "worker/transaction.h"

/* When the transaction is to be cancelled. */
static TimestampTz deadline;

/* A cancel has come: the server forgets it when a commit swallows it. */
static volatile sig_atomic_t cancel_came;

/* The role that the transaction has become; invalid: none. */
static Oid	became;

static Oid	saved_user;
static int	saved_security;

static void
note_cancel(SIGNAL_ARGS)
{
	cancel_came = true;
	StatementCancelHandler(postgres_signal_arg);
}

void
cpw_transaction_prepare_session(void)
{
	static const struct
	{
		const char *name;
		const char *value;
	}			pinned[] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"default_transaction_isolation", "read committed"},
		{"row_security", "off"},
		{"statement_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"idle_session_timeout", "0"},
		{"client_encoding", "UTF8"},
		{"check_function_bodies", "on"},
		{"session_replication_role", "origin"},
		{"quote_all_identifiers", "off"},

		/*
		 * Our statements are look-ups and inserts, planned once: a plan that
		 * was made when a table was empty must serve when it is large.
		 */
		{"plan_cache_mode", "force_generic_plan"},
		{"enable_seqscan", "off"},
		{"jit", "off"},
	};

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, note_cancel);
	for (size_t i = 0; i < lengthof(pinned); i++)
		SetConfigOption(pinned[i].name, pinned[i].value, PGC_SUSET,
						PGC_S_OVERRIDE);
}

/* The table whose owner is the extension's; invalid when there is none. */
static Oid
find_table(void)
{
	Oid			schema = get_namespace_oid("cp_webhook", true);

	return OidIsValid(schema) ?
		get_relname_relid("webhook_definitions", schema) : InvalidOid;
}

/*
 * The same table, which stays until the transaction ends: who drops the
 * extension waits for those who are at work, and they for who drops it.
 * Without that the two would lock its tables in different orders.
 */
static Oid
hold_table(void)
{
	static Oid	extension;
	static Oid	table_of_extension;
	Oid			table = find_table();

	if (!OidIsValid(table))
		return InvalidOid;
	if (table != table_of_extension || !OidIsValid(extension))
	{
		extension = get_extension_oid("cp_webhook", true);
		table_of_extension = table;
	}
	if (!OidIsValid(extension))
		return InvalidOid;
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);

	/* The lock was waited for, perhaps, and what it is of is gone. */
	return find_table() == table ? table : InvalidOid;
}

/* The role to work as. Invalid when there is no extension. */
static Oid
find_role(CpwActor actor)
{
	Oid			table = hold_table();
	Oid			owner;
	HeapTuple	tuple;

	if (!OidIsValid(table))
		return InvalidOid;
	if (actor == CPW_AS_RECORDER && *cpw_setting_role != '\0')
		return get_role_oid(cpw_setting_role, false);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

CpwReadiness
cpw_transaction_begin(const char *activity, int timeout, CpwActor actor)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			role;

	cancel_came = false;
	became = InvalidOid;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	deadline = TimestampTzPlusMilliseconds(GetCurrentStatementStartTimestamp(),
										   timeout);
	enable_timeout_at(STATEMENT_TIMEOUT, deadline);
	pgstat_report_activity(STATE_RUNNING, activity);
	GetUserIdAndSecContext(&saved_user, &saved_security);

	/* Acked means kept: a commit that is not flushed is none. */
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		(void) set_config_option("synchronous_commit", "local",
								 PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
								 true, 0, false);
	cpw_session_open_any();
	/* The lock first, then the snapshot: it may be waited for. */
	role = find_role(actor);
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	if (!OidIsValid(role))
		return CPW_NO_EXTENSION;
	SetUserIdAndSecContext(role, saved_security |
						   SECURITY_LOCAL_USERID_CHANGE);
	return CPW_READY;
}

/* What every end of a transaction leaves behind. */
static void
finish(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
	cpw_memory_watch_end();
	/* A time-out that fired too late is not the next transaction's. */
	QueryCancelPending = false;
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * The settings of a transaction's end want the security context to be the
 * session's: so nothing of others may be left to run by then.
 */
static void
end_role(void)
{
	if (!OidIsValid(became))
		return;
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		cpw_session_fire_deferred();
	SetUserIdAndSecContext(became, saved_security);
}

/*
 * Whether a commit waits for a standby: without the names of any it doesn't,
 * and a cancel of it cancels nothing. Names that are about to be read again
 * may be others by now.
 */
static bool
waits_for_standby(void)
{
	return SyncRepRequested() &&
		(ConfigReloadPending ||
		 (SyncRepStandbyNames != NULL && *SyncRepStandbyNames != '\0'));
}

bool
cpw_transaction_commit(void)
{
	MemoryContext context = CurrentMemoryContext;
	bool		certain;

	end_role();
	PopActiveSnapshot();
	cpw_session_close();
	CHECK_FOR_INTERRUPTS();

	/*
	 * A cancel or an end of the process that comes from here on can only end
	 * a wait for a standby.
	 */
	cancel_came = false;
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	certain = !((cancel_came || ProcDiePending) && waits_for_standby());
	SetUserIdAndSecContext(saved_user, saved_security);
	finish();
	return certain;
}

void
cpw_transaction_abort(void)
{
	MemoryContext context = CurrentMemoryContext;

	HOLD_INTERRUPTS();
	disable_timeout(STATEMENT_TIMEOUT, false);
	AbortOutOfAnyTransaction();
	MemoryContextSwitchTo(context);
	FlushErrorState();
	finish();
	RESUME_INTERRUPTS();
}

ErrorData *
cpw_transaction_run(const char *activity, int timeout, CpwActor actor,
					void (*work) (void *arg), void *arg, bool *is_done)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	volatile bool done = false;

	PG_TRY();
	{
		bool		ready = cpw_transaction_begin(activity, timeout, actor) == CPW_READY;

		if (ready)
			work(arg);
		done = cpw_transaction_commit() && ready;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		cpw_transaction_abort();
	}
	PG_END_TRY();
	*is_done = done;
	return error;
}

void
cpw_transaction_become(Oid role)
{
	SetUserIdAndSecContext(saved_user, saved_security);
	(void) set_config_option("session_authorization",
							 GetUserNameFromId(role, false), PGC_SUSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);

	/*
	 * The session was a superuser's, so RESET SESSION AUTHORIZATION would make
	 * it one again: not while this is set.
	 */
	SetUserIdAndSecContext(role, saved_security |
						   SECURITY_LOCAL_USERID_CHANGE);
	became = role;
}

void
cpw_transaction_relax(void)
{
	(void) set_config_option("synchronous_commit", "off", PGC_SUSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

void
cpw_transaction_share_flush(void)
{
	if (SyncRepStandbyNames == NULL || *SyncRepStandbyNames == '\0')
		cpw_transaction_relax();
}

uint64
cpw_transaction_last_commit(void)
{
	return XactLastCommitEnd;
}

void
cpw_transaction_flush(void)
{
	XLogFlush(XactLastCommitEnd);
}

void
cpw_transaction_set_timeout(int timeout)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													timeout);

	/* One that fired a moment too late is not for what comes next. */
	QueryCancelPending = false;
	enable_timeout_at(STATEMENT_TIMEOUT, Min(until, deadline));
}

void
cpw_transaction_restore_timeout(void)
{
	enable_timeout_at(STATEMENT_TIMEOUT, deadline);
}
