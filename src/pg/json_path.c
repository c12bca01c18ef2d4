/*
 * json_path.c
 *		What a filter's path means: the only place that decides it.
 */
#include "postgres.h"

#include "base/json_path.h"
#include "compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "pg/errors.h"
#include "pg/json_path.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

/* Bytes of a path that an error shows. */
#define SHOWN_LENGTH	200

/* Copies of an atom in a like_regex beyond which compiling takes long. */
#define MAX_COPIES		1000

static JsonPath *
read_jsonpath(const char *text)
{
	return DatumGetJsonPathP(DirectFunctionCall1(jsonpath_in,
												 CStringGetDatum(text)));
}

/* A path as errors show it. */
static char *
shorten(const char *text)
{
	int			length = (int) strlen(text);
	int			shown = pg_mbcliplen(text, length, SHOWN_LENGTH);

	return psprintf("%.*s%s", shown, text, shown < length ? "..." : "");
}

/*
 * Whether a text may be left to the server's parser: it compiles a path's
 * regular expressions, and nested repetitions would keep it busy for seconds.
 * The product of all counts bounds the copies, whatever is nested in what.
 */
static bool
is_cheap(const char *text)
{
	int64		copies = 1;

	if (strstr(text, "like_regex") == NULL)
		return true;
	for (const char *p = strchr(text, '{'); p != NULL; p = strchr(p + 1, '{'))
	{
		long		count = strtol(p + 1, NULL, 10);
		const char *comma = p + 1 + strspn(p + 1, "0123456789 ");

		if (*comma == ',')
			count = Max(count, strtol(comma + 1, NULL, 10));
		copies *= Max(1, Min(count, MAX_COPIES + 1));
		if (copies > MAX_COPIES)
			return false;
	}
	return true;
}

_Noreturn static void
raise(const char *text, const CpwJsonPathProblem *problem,
	  const char *server_reason)
{
	char	   *shown = shorten(text);
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfo(&detail, "At character %zu of '%s': %s.",
					 problem->position, shown, problem->reason);
	if (server_reason != NULL)
		appendStringInfo(&detail, " As a jsonpath of PostgreSQL: %s.",
						 server_reason);
	cpw_errors_raise(CPW_INVALID_WEBHOOK_FILTER_PATTERN, detail.data,
					 problem->hint ? problem->hint :
					 "Use a JSONPath such as $.ref or $.commits[0].id, or a jsonpath of PostgreSQL.",
					 "'%s' %s: %s at character %zu", shown,
					 server_reason ? "is no path" : "is a JSONPath that can't be used",
					 problem->reason, problem->position);
}

/* The text as a jsonpath; what the server has to say against it is kept. */
static JsonPath *
compile_jsonpath(const char *text, const CpwJsonPathProblem *problem)
{
	MemoryContext context = CurrentMemoryContext;
	JsonPath   *volatile path = NULL;

	if (strlen(text) > CPW_JSON_PATH_LENGTH)
		raise(text, problem, "it is too long");
	if (!is_cheap(text))
		raise(text, problem, "its repetitions are too many");
	PG_TRY();
	{
		path = read_jsonpath(text);
	}
	PG_CATCH();
	{
		ErrorData  *error;
		int			class;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		class = ERRCODE_TO_CATEGORY(error->sqlerrcode);
		/* Raised anew: what was under way is undone by that. */
		if (class == ERRCODE_OPERATOR_INTERVENTION ||
			class == ERRCODE_INSUFFICIENT_RESOURCES ||
			class == ERRCODE_INTERNAL_ERROR)
			PG_RE_THROW();
		FlushErrorState();
		raise(text, problem, error->detail ?
			  psprintf("%s: %s", error->message, error->detail) :
			  error->message);
	}
	PG_END_TRY();
	return path;
}

JsonPath *
cpw_json_path_compile(const char *text, bool *is_translated)
{
	size_t		length = strlen(text);
	char	   *memory = palloc(CPW_JSON_PATH_MEMORY(Min(length, CPW_JSON_PATH_LENGTH)));
	char	   *output = palloc(CPW_JSON_PATH_OUTPUT);
	CpwJsonPathProblem problem;
	CpwJsonPathStatus status;
	JsonPath   *path = NULL;

	status = cpw_json_path_translate(text, length, memory, output,
									 CPW_JSON_PATH_OUTPUT, &problem);
	if (is_translated != NULL)
		*is_translated = status == CPW_JSON_PATH_OK;
	switch (status)
	{
		case CPW_JSON_PATH_OK:
			path = read_jsonpath(output);
			break;
		case CPW_JSON_PATH_INVALID:
			path = compile_jsonpath(text, &problem);
			break;
		case CPW_JSON_PATH_REFUSED:
			raise(text, &problem, NULL);
			break;
	}
	pfree(output);
	pfree(memory);
	return path;
}
