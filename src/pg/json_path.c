/*
 * json_path.c
 *		What a filter's path means: the only place that decides it.
 */
#include "postgres.h"

#include "base/json_path.h"
#include "compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/errors.h"
#include "pg/json_path.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

/* Bytes of a path that an error shows. */
#define SHOWN_LENGTH	200

/* What a like_regex may have, to be compiled within milliseconds. */
#define MAX_COPIES		500		/* of an atom, by repetition */
#define MAX_CONSTRAINTS	8		/* in groups, copies included */
#define MAX_SKIPS		40		/* parts that may be absent, as these */
#define MAX_LOOPS		5		/* groups that are repeated */
#define MAX_SPAN		200000	/* characters in ranges, with a flag */

#define LAST_CODE		0x10ffff

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

/* The greater number of {n}, {n,} or {n,m} at text, from 1 to the bound. */
static int64
read_copies(const char *text)
{
	long		count = strtol(text, NULL, 10);
	const char *comma = text + strspn(text, "0123456789 ");

	if (*comma == ',')
		count = Max(count, strtol(comma + 1, NULL, 10));
	return Max(1, Min(count, MAX_COPIES + 1));
}

/*
 * Whether an assertion begins at text: \y and its kin (in a string of jsonpath
 * with two backslashes), (?=, ^ and theirs.
 */
static bool
is_constraint(const char *text)
{
	if (text[0] == '\\')
		return text[1] == '\\' && text[2] != '\0' &&
			strchr("yYmMAZ", text[2]) != NULL;
	return text[0] == '^' || text[0] == '$' ||
		(text[0] == '(' && text[1] == '?' && text[2] != '\0' &&
		 strchr("=!<", text[2]) != NULL);
}

/*
 * Whether a text may be left to the server's parser: it compiles a path's
 * regular expressions, and some would keep it busy for long. The product of
 * all repetitions bounds the copies, whatever is nested in what; assertions
 * multiply states where they are repeated, so those in groups count as often,
 * what may be absent as well; and without regard to case each character of a
 * range is looked at. Measured by test/jsonpath/time.
 */
static bool
is_cheap(const char *text)
{
	const char *p = strstr(text, "like_regex");
	bool		has_flags = strstr(text, "flag") != NULL;
	int64		copies = 1;
	int64		span = 0;
	int64		constraints = 0;
	int64		skips = 0;
	int			loops = 0;
	int			depth = 0;

	for (; p != NULL && *p != '\0'; p++)
	{
		if (*p == '(')
			depth++;
		else if (*p == ')')
			depth--;
		else if (*p == '{')
			copies *= read_copies(p + 1);
		if (*p == '*' || (*p == '?' && p[-1] != '(') ||
			(*p == '|' && (strchr("(|", p[-1]) != NULL || p[1] == ')')))
			skips++;
		if (*p == ')' && p[1] != '\0' && strchr("*+{", p[1]) != NULL)
			loops++;
		if (depth > 0 && is_constraint(p))
			constraints++;
		/* A range's end: an escape may be the last character of all. */
		if (*p == '-' && has_flags)
			span += p[1] == '\\' ? LAST_CODE :
				(int64) utf8_to_unicode((const unsigned char *) p + 1);
		if (copies > MAX_COPIES || span > MAX_SPAN || loops > MAX_LOOPS ||
			constraints * copies > MAX_CONSTRAINTS ||
			skips * copies > MAX_SKIPS)
			return false;
		if (*p == '\\')
			p += p[1] == '\\' && p[2] != '\0' ? 2 : p[1] != '\0';
	}
	return true;
}

/* Both languages' reasons, or that of a JSONPath that has no translation. */
_Noreturn static void
raise_problem(const char *text, const CpwJsonPathProblem *problem,
			  const char *server_reason)
{
	char	   *shown = shorten(text);
	const char *hint = problem->hint ? problem->hint :
		"Use a JSONPath such as $.ref or $.commits[0].id, or a jsonpath of PostgreSQL.";
	char	   *detail = psprintf("At character %zu of '%s'.",
								  problem->position, shown);

	if (server_reason == NULL)
		cpw_errors_raise(CPW_INVALID_WEBHOOK_FILTER_PATTERN, detail, hint,
						 "'%s' is a JSONPath that can't be used: %s at character %zu",
						 shown, problem->reason, problem->position);
	cpw_errors_raise(CPW_INVALID_WEBHOOK_FILTER_PATTERN, detail, hint,
					 "'%s' is no path: for a JSONPath, %s at character %zu, for a jsonpath of PostgreSQL, %s",
					 shown, problem->reason, problem->position,
					 server_reason);
}

/* ---- variables ---- */

typedef struct Walk
{
	const char *text;
	CpwJsonPathUse *use;
} Walk;

static void check_variables(JsonPathItem *item, Walk *walk);

static void
check_operands(JsonPathItem *item, Walk *walk)
{
	JsonPathItem operand;

	jspGetLeftArg(item, &operand);
	check_variables(&operand, walk);
	jspGetRightArg(item, &operand);
	check_variables(&operand, walk);
}

static void
check_subscripts(JsonPathItem *item, Walk *walk)
{
	for (int i = 0; i < item->content.array.nelems; i++)
	{
		JsonPathItem from;
		JsonPathItem to;
		bool		is_range = jspGetArraySubscript(item, &from, &to, i);

		check_variables(&from, walk);
		if (is_range)
			check_variables(&to, walk);
	}
}

static void
check_variable(JsonPathItem *item, Walk *walk)
{
	int32		length;
	char	   *name = jspGetString(item, &length);

	if (length == 7 && memcmp(name, "headers", 7) == 0)
		walk->use->reads_headers = true;
	else if (length == 5 && memcmp(name, "query", 5) == 0)
		walk->use->reads_query = true;
	else
		cpw_errors_raise(CPW_INVALID_WEBHOOK_FILTER_PATTERN,
						 psprintf("In '%s'.", shorten(walk->text)),
						 "The variables of a path are $headers and $query.",
						 "'%s' is no path: there is no variable '$%s'",
						 shorten(walk->text), shorten(pnstrdup(name, length)));
}

/*
 * An unknown variable is an error of evaluation, even of a silent one, but only
 * where evaluation reaches it: so the whole path is walked.
 */
static void
check_variables(JsonPathItem *item, Walk *walk)
{
	JsonPathItem part;

	check_stack_depth();
	switch (item->type)
	{
		case jpiVariable:
			check_variable(item, walk);
			break;
		case jpiAnd:
		case jpiOr:
		case jpiEqual:
		case jpiNotEqual:
		case jpiLess:
		case jpiGreater:
		case jpiLessOrEqual:
		case jpiGreaterOrEqual:
		case jpiAdd:
		case jpiSub:
		case jpiMul:
		case jpiDiv:
		case jpiMod:
		case jpiStartsWith:
			check_operands(item, walk);
			break;
		case jpiNot:
		case jpiIsUnknown:
		case jpiExists:
		case jpiPlus:
		case jpiMinus:
		case jpiFilter:
			jspGetArg(item, &part);
			check_variables(&part, walk);
			break;
		case jpiLikeRegex:
			jspInitByBuffer(&part, item->base, item->content.like_regex.expr);
			check_variables(&part, walk);
			break;
		case jpiIndexArray:
			check_subscripts(item, walk);
			break;
		default:
			break;
	}
	if (jspGetNext(item, &part))
		check_variables(&part, walk);
}

/* ---- compilation ---- */

/* The text as a jsonpath; what the server has to say against it is kept. */
static JsonPath *
compile_jsonpath(const char *text, const CpwJsonPathProblem *problem)
{
	MemoryContext context = CurrentMemoryContext;
	JsonPath   *volatile path = NULL;

	if (strlen(text) > CPW_JSON_PATH_LENGTH)
		raise_problem(text, problem, "it is too long");
	if (!is_cheap(text))
		raise_problem(text, problem, "its regular expression would take long to compile");
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
		raise_problem(text, problem, error->detail ?
			  psprintf("%s: %s", error->message, error->detail) :
			  error->message);
	}
	PG_END_TRY();
	return path;
}

JsonPath *
cpw_json_path_compile(const char *text, CpwJsonPathUse *use)
{
	size_t		length = strlen(text);
	char	   *memory = palloc(CPW_JSON_PATH_MEMORY(Min(length, CPW_JSON_PATH_LENGTH)));
	char	   *output = palloc(CPW_JSON_PATH_OUTPUT);
	CpwJsonPathProblem problem;
	CpwJsonPathStatus status;
	JsonPath   *path = NULL;
	JsonPathItem root;
	Walk		walk = {text, use};

	memset(use, 0, sizeof(CpwJsonPathUse));
	status = cpw_json_path_translate(text, length, memory, output,
									 CPW_JSON_PATH_OUTPUT, &problem);
	switch (status)
	{
		case CPW_JSON_PATH_OK:
			path = read_jsonpath(output);
			break;
		case CPW_JSON_PATH_INVALID:
			path = compile_jsonpath(text, &problem);
			jspInit(&root, path);
			check_variables(&root, &walk);
			break;
		case CPW_JSON_PATH_REFUSED:
			raise_problem(text, &problem, NULL);
			break;
	}
	pfree(output);
	pfree(memory);
	return path;
}
