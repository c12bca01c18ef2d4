/*
 * compat.h
 *		Every difference between the PostgreSQL versions that are supported, 15
 *		to 18. No other file looks at PG_VERSION_NUM.
 */
#ifndef CPW_COMPAT_H
#define CPW_COMPAT_H

#include "postgres.h"

#include "catalog/pg_proc.h"
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "cp_webhook supports PostgreSQL 15 to 18"
#endif

/* 16 moved the varlena macros out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18 lets a module say what it is (pg_get_loaded_modules()). */
#if PG_VERSION_NUM >= 180000
#define CPW_MODULE_MAGIC(module, version_text) \
	PG_MODULE_MAGIC_EXT(.name = (module), .version = (version_text))
#else
#define CPW_MODULE_MAGIC(module, version_text) PG_MODULE_MAGIC
#endif

/*
 * A wait event set that lives until it is freed. 17 ties it to a resource
 * owner in place of a memory context.
 */
static inline WaitEventSet *
cpw_compat_create_wait_event_set(int nevents)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

/* 17 gives extensions wait events with names of their own. */
static inline uint32
cpw_compat_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

/* This process's number among all, from 0. 17 computes it. */
static inline int
cpw_compat_process_number(void)
{
#if PG_VERSION_NUM >= 170000
	return GetNumberFromPGProc(MyProc);
#else
	return MyProc->pgprocno;
#endif
}

/* 16 has one function for the rights on objects of any kind. */
static inline bool
cpw_compat_may_execute(Oid function, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, role,
						   ACL_EXECUTE) == ACLCHECK_OK;
#else
	return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

/* Whether member may SET ROLE to role; 16 has an option of grants for that. */
static inline bool
cpw_compat_may_become(Oid member, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return member_can_set_role(member, role);
#else
	return is_member_of_role(member, role);
#endif
}

/* A lexer of UTF-8 in the current memory context; 17 could reuse an old one. */
static inline JsonLexContext *
cpw_compat_json_lexer(const char *json, size_t length, bool need_escapes)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, json, length, PG_UTF8,
										need_escapes);
#else
	return makeJsonLexContextCstringLen(unconstify(char *, json), (int) length,
										PG_UTF8, need_escapes);
#endif
}

/* Frees it; 17 has a function for that. */
static inline void
cpw_compat_json_lexer_free(JsonLexContext *lexer)
{
#if PG_VERSION_NUM >= 170000
	freeJsonLexContext(lexer);
#else
	if (lexer->strval != NULL)
	{
		pfree(lexer->strval->data);
		pfree(lexer->strval);
	}
	pfree(lexer);
#endif
}

/*
 * The server's rule for a private key's file (be-secure-common.c). Its header,
 * libpq/libpq.h, needs headers of Kerberos that need not be there.
 */
extern bool check_ssl_key_file_permissions(const char *ssl_key_file,
										   bool isServerStart);

#endif							/* CPW_COMPAT_H */
