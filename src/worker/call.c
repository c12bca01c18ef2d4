/*
 * call.c
 *		One call on the AWS wire.
 *
 * The key is looked up in the call's own transaction, so one that was taken
 * away is refused at once. Nothing of an unsigned request is parsed.
 */
#include "postgres.h"

#include <time.h>

#include "base/headers.h"
#include "base/sigv4.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg/errors.h"
#include "pg/payload.h"
#include "pg/settings.h"
#include "pg/wire.h"
#include "store/access_keys.h"
#include "store/deliveries.h"
#include "store/version.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "worker/call.h"
#include "worker/failure.h"
#include "worker/transaction.h"

/* The wire's own errors, beside the exceptions of the operations. */
#define ACCESS_DENIED		"AccessDeniedException"
#define INCOMPLETE			"IncompleteSignatureException"
#define INTERNAL_FAILURE	"InternalFailure"
#define INVALID_SIGNATURE	"InvalidSignatureException"
#define MISSING_TOKEN		"MissingAuthenticationTokenException"
#define SERIALIZATION		"SerializationException"
#define TOO_LARGE			"RequestEntityTooLargeException"
#define UNAVAILABLE			"ServiceUnavailableException"
#define UNKNOWN_OPERATION	"UnknownOperationException"
#define UNRECOGNIZED_CLIENT	"UnrecognizedClientException"

static CpwWorkerSlot *slot;

void
cpw_call_init(CpwWorkerSlot *the_slot)
{
	slot = the_slot;
}

static void
refuse(CpwCall *call, int status, const char *error, const char *message)
{
	call->status = status;
	call->error = error;
	call->text = message;
}

/* ---- before the body ---- */

static CpwSigv4Request
signed_request(const CpwRequest *request)
{
	CpwSigv4Request signed_request = {
		.method = request->method,
		.target = request->target,
		.target_length = strlen(request->target),
		.headers = &request->headers,
	};

	return signed_request;
}

static void
refuse_signature(CpwCall *call, CpwSigv4Result result, const char *problem)
{
	static const char *const errors[] = {
		[CPW_SIGV4_MISSING] = MISSING_TOKEN,
		[CPW_SIGV4_INCOMPLETE] = INCOMPLETE,
		[CPW_SIGV4_INVALID] = INVALID_SIGNATURE,
	};

	refuse(call, 400, errors[result], problem);
}

/* Takes the signature apart; false when the call is refused. */
static bool
read_signature(CpwCall *call, CpwSigv4 *signature)
{
	CpwSigv4Request request = signed_request(call->request);
	const char *problem;
	CpwSigv4Result result = cpw_sigv4_parse(&request, signature, &problem);

	if (result == CPW_SIGV4_VALID)
		result = cpw_sigv4_check_scope(signature, cpw_setting_region,
									   CPW_WIRE_SERVICE,
									   (int64) time(NULL), &problem);
	if (result != CPW_SIGV4_VALID)
		refuse_signature(call, result, problem);
	return result == CPW_SIGV4_VALID;
}

/* application/x-amz-json-1.1, parameters allowed. */
static bool
is_json_1_1(const CpwHeader *type)
{
	static const char wanted[] = "application/x-amz-json-1.1";
	const size_t length = sizeof(wanted) - 1;

	if (type == NULL || type->value_length < length ||
		pg_strncasecmp(type->value, wanted, length) != 0)
		return false;
	return type->value_length == length || type->value[length] == ';' ||
		type->value[length] == ' ';
}

void
cpw_call_admit(CpwCall *call)
{
	const CpwHeaders *headers = &call->request->headers;
	CpwSigv4	signature;
	int			targets;
	const CpwHeader *target = cpw_headers_find(headers, "x-amz-target",
											   &targets);

	if (targets == 1)
		call->operation = cpw_wire_find_operation(target->value,
												  target->value_length);
	if (call->operation == 0)
		refuse(call, 400, UNKNOWN_OPERATION,
			   "X-Amz-Target names no operation of this service.");
	else if (!read_signature(call, &signature))
		return;
	else if (!is_json_1_1(cpw_headers_find(headers, "content-type", NULL)))
		refuse(call, 400, SERIALIZATION,
			   "Content-Type must be application/x-amz-json-1.1.");
	else if (call->request->content_length > CPW_MAX_CALL_SIZE)
		refuse(call, 413, TOO_LARGE, "The request is larger than 1 MB.");
}

/* ---- inside the transaction ---- */

/* What a call has found on its way. */
typedef struct Way
{
	CpwCall    *call;
	bool		is_parsing;		/* an error now is the request's */
	char	   *role;
} Way;

/* Whether the extension is of this library; the call is refused where not. */
static bool
check_version(CpwCall *call)
{
	const char *version = cpw_version_of_extension();

	if (version != NULL && strcmp(version, CPW_VERSION) == 0)
		return true;
	refuse(call, 503, UNAVAILABLE,
		   "The extension is not of this library's version.");
	return false;
}

/* The role of the key that signed the request; InvalidOid: it is refused. */
static Oid
authenticate(CpwCall *call)
{
	CpwSigv4Request request = signed_request(call->request);
	const char *problem = "The library could not hash the request.";
	CpwSigv4Result result = CPW_SIGV4_INVALID;
	CpwSigv4	signature;
	CpwAccessKey key;
	char	   *secret;
	uint8		hash[CPW_SHA256_SIZE];

	/* Time has passed since the headers came. */
	if (!read_signature(call, &signature))
		return InvalidOid;
	if (!cpw_access_keys_find(signature.key_id, &key, &secret))
	{
		refuse(call, 400, UNRECOGNIZED_CLIENT,
			   "There is no active access key of this id.");
		return InvalidOid;
	}
	if (cpw_sigv4_hash(call->request->body, call->request->body_length, hash))
		result = cpw_sigv4_verify(&signature, &request, hash, secret, &problem);
	explicit_bzero(secret, strlen(secret));
	if (result != CPW_SIGV4_VALID)
		refuse_signature(call, result, problem);
	else if (!key.is_active ||
			 !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(key.role)))
		refuse(call, 400, UNRECOGNIZED_CLIENT,
			   "There is no active access key of this id.");
	return call->status == 0 ? key.role : InvalidOid;
}

/* The operation's function; InvalidOid: it is not there. */
static Oid
find_function(const char *name)
{
	Oid			argument = JSONBOID;

	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(name),
						   PointerGetDatum(buildoidvector(&argument, 1)),
						   ObjectIdGetDatum(get_namespace_oid("cp_webhook",
															  false)));
}

static const char *
deny(const CpwOperation *operation, const char *role)
{
	return psprintf("Role %s is not authorized to perform %s:%s. It needs EXECUTE on the function cp_webhook.%s(jsonb).",
					role, CPW_WIRE_SERVICE, operation->name,
					operation->function);
}

static void
work(void *arg)
{
	Way		   *way = arg;
	CpwCall    *call = way->call;
	const CpwOperation *operation = &cpw_wire_operations[call->operation];
	bool		is_empty = call->request->body_length == 0;
	FmgrInfo	function;
	Oid			function_id;
	Oid			role;
	Jsonb	   *json;
	char	   *problem;

	if (!check_version(call))
		return;
	role = authenticate(call);
	if (!OidIsValid(role))
		return;
	function_id = find_function(operation->function);
	if (!OidIsValid(function_id) || get_func_rettype(function_id) != JSONBOID)
	{
		refuse(call, 400, UNKNOWN_OPERATION,
			   "This version does not have the operation.");
		return;
	}
	way->role = GetUserNameFromId(role, false);
	if (!cpw_compat_may_execute(function_id, role))
	{
		refuse(call, 400, ACCESS_DENIED, deny(operation, way->role));
		return;
	}
	way->is_parsing = true;
	json = cpw_payload_parse(is_empty ? "{}" : call->request->body,
							 is_empty ? 2 : call->request->body_length);
	json = cpw_wire_read_request(operation->request, json, &problem);
	way->is_parsing = false;
	if (json == NULL)
	{
		refuse(call, 400, SERIALIZATION, problem);
		return;
	}
	cpw_transaction_share_flush();
	cpw_transaction_become(role);
	fmgr_info(function_id, &function);
	json = DatumGetJsonbP(FunctionCall1(&function, JsonbPGetDatum(json)));
	call->text = JsonbToCString(NULL, &json->root, VARSIZE_ANY_EXHDR(json));
	call->status = 200;
}

/* ---- what an error means ---- */

static void
refuse_error(CpwCall *call, const Way *way, const ErrorData *error)
{
	const CpwOperation *operation = &cpw_wire_operations[call->operation];
	int			state = error->sqlerrcode;
	int			category = ERRCODE_TO_CATEGORY(state);
	const char *name = cpw_errors_name_of_state(state);

	/* The name is told beside the message. */
	if (name != NULL)
		refuse(call, 400, name, cpw_errors_text(error));
	else if (way->is_parsing &&
			 (category == ERRCODE_DATA_EXCEPTION ||
			  category == ERRCODE_PROGRAM_LIMIT_EXCEEDED))
		refuse(call, 400, SERIALIZATION,
			   "The request is no JSON in UTF-8, or is nested too deeply.");
	else if (state == ERRCODE_INSUFFICIENT_PRIVILEGE && way->role != NULL)
		refuse(call, 400, ACCESS_DENIED, deny(operation, way->role));
	else
	{
		cpw_failure_tell(slot, operation->name, error);
		if (cpw_failure_may_pass(state))
			refuse(call, 503, UNAVAILABLE,
				   "The database cannot perform this now; try again.");
		else
			refuse(call, 500, INTERNAL_FAILURE,
				   "The request failed; the server's log says why.");
	}
}

void
cpw_call_run(CpwCall *call)
{
	Way			way = {.call = call};
	uint64		last_commit = cpw_transaction_last_commit();
	ErrorData  *error;
	bool		is_done;

	if (call->request->refused == CPW_VERDICT_BODY_TOO_LARGE)
	{
		refuse(call, 413, TOO_LARGE,
			   "The request is larger than 1 MB, or has too many values.");
		return;
	}
	if (call->request->refused != CPW_VERDICT_PENDING)
	{
		refuse(call, 503, UNAVAILABLE,
			   "There is no memory for the request now; try again.");
		return;
	}
	error = cpw_transaction_run(cpw_wire_operations[call->operation].name,
								cpw_setting_batch_timeout, CPW_AS_OWNER, work,
								&way, &is_done);
	call->has_written = cpw_transaction_last_commit() != last_commit;
	if (error != NULL)
		refuse_error(call, &way, error);
	else if (call->status == 0)
		refuse(call, 503, UNAVAILABLE,
			   "The extension is not there; try again.");
	else if (call->status == 200 && !is_done)
		refuse(call, 503, UNAVAILABLE,
			   "A standby has not confirmed in time; it may be done all the same.");
}

/* ---- readiness ---- */

static void
check_writable(void *arg)
{
	CpwCall    *call = arg;

	if (check_version(call))
		cpw_deliveries_check_writable();
}

bool
cpw_call_check_database(const char **reason)
{
	CpwCall		call = {0};
	bool		is_done;
	ErrorData  *error = cpw_transaction_run("checking health",
											cpw_setting_batch_timeout,
											CPW_AS_OWNER, check_writable,
											&call, &is_done);

	if (error != NULL)
		*reason = "The database takes no writes.";
	else if (call.status != 0)
		*reason = call.text;
	else
		*reason = "The extension is not there.";
	return error == NULL && call.status == 0 && is_done;
}
