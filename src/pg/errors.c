/*
 * errors.c
 *		The API's exceptions, and the only ways to raise them.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pg/errors.h"

/* A request with more problems than these has its first ones reported. */
#define MAX_REPORTED	100

/* Bytes of a value that a message quotes. */
#define MAX_QUOTED		1024

typedef struct Exception
{
	const char *name;
	int			sqlstate;
} Exception;

#define CP(a, b, c)		MAKE_SQLSTATE('C', 'P', a, b, c)

static const Exception exceptions[] = {
	[CPW_VALIDATION] = {"ValidationException", CP('0', '0', '1')},
	[CPW_LIMIT_EXCEEDED] = {"LimitExceededException", CP('0', '0', '2')},
	[CPW_INVALID_WEBHOOK_FILTER_PATTERN] =
	{"InvalidWebhookFilterPatternException", CP('0', '0', '3')},
	[CPW_INVALID_WEBHOOK_AUTHENTICATION_PARAMETERS] =
	{"InvalidWebhookAuthenticationParametersException", CP('0', '0', '4')},
	[CPW_PIPELINE_NOT_FOUND] =
	{"PipelineNotFoundException", CP('0', '0', '5')},
	[CPW_WEBHOOK_NOT_FOUND] = {"WebhookNotFoundException", CP('0', '0', '6')},
	[CPW_INVALID_NEXT_TOKEN] =
	{"InvalidNextTokenException", CP('0', '0', '7')},
	[CPW_CONCURRENT_MODIFICATION] =
	{"ConcurrentModificationException", CP('0', '0', '8')},
	[CPW_TOO_MANY_TAGS] = {"TooManyTagsException", CP('0', '0', '9')},
	[CPW_INVALID_TAGS] = {"InvalidTagsException", CP('0', '1', '0')},
	[CPW_INVALID_ARN] = {"InvalidArnException", CP('0', '1', '1')},
	[CPW_RESOURCE_NOT_FOUND] =
	{"ResourceNotFoundException", CP('0', '1', '2')},
	[CPW_PIPELINE_NAME_IN_USE] =
	{"PipelineNameInUseException", CP('0', '1', '3')},
	[CPW_PIPELINE_VERSION_NOT_FOUND] =
	{"PipelineVersionNotFoundException", CP('0', '1', '4')},
	[CPW_INVALID_STRUCTURE] =
	{"InvalidStructureException", CP('0', '1', '5')},
	[CPW_INVALID_STAGE_DECLARATION] =
	{"InvalidStageDeclarationException", CP('0', '1', '6')},
	[CPW_INVALID_ACTION_DECLARATION] =
	{"InvalidActionDeclarationException", CP('0', '1', '7')},
	[CPW_PIPELINE_EXECUTION_NOT_FOUND] =
	{"PipelineExecutionNotFoundException", CP('0', '1', '8')},
	[CPW_PIPELINE_EXECUTION_NOT_STOPPABLE] =
	{"PipelineExecutionNotStoppableException", CP('0', '1', '9')},
	[CPW_DUPLICATED_STOP_REQUEST] =
	{"DuplicatedStopRequestException", CP('0', '2', '0')},
	[CPW_CONFLICT] = {"ConflictException", CP('0', '2', '1')},
	[CPW_CONCURRENT_PIPELINE_EXECUTIONS_LIMIT_EXCEEDED] =
	{"ConcurrentPipelineExecutionsLimitExceededException",
	CP('0', '2', '2')},
	[CPW_INVALID_BLOCKER_DECLARATION] =
	{"InvalidBlockerDeclarationException", CP('0', '2', '3')},
	[CPW_LEASE_LOST] = {"LeaseLostException", CP('0', '3', '0')},
};

static const char validation_hint[] =
"Correct the members that are named and send the request again.";

/* vpsprintf, which the server does not have. */
static char *format_text(const char *format, va_list args)
			pg_attribute_printf(1, 0);

static char *
format_text(const char *format, va_list args)
{
	StringInfoData text;

	initStringInfo(&text);
	for (;;)
	{
		va_list		copy;
		int			needed;

		va_copy(copy, args);
		needed = appendStringInfoVA(&text, format, copy);
		va_end(copy);
		if (needed == 0)
			return text.data;
		enlargeStringInfo(&text, needed);
	}
}

const char *
cpw_errors_name(CpwException exception)
{
	return exceptions[exception].name;
}

const char *
cpw_errors_name_of_state(int sqlstate)
{
	for (size_t i = 0; i < lengthof(exceptions); i++)
		if (exceptions[i].sqlstate == sqlstate)
			return exceptions[i].name;
	return NULL;
}

const char *
cpw_errors_text(const ErrorData *error)
{
	for (size_t i = 0; i < lengthof(exceptions); i++)
	{
		size_t		length = strlen(exceptions[i].name);

		if (error->sqlerrcode == exceptions[i].sqlstate &&
			strncmp(error->message, exceptions[i].name, length) == 0 &&
			strncmp(error->message + length, ": ", 2) == 0)
			return error->message + length + 2;
	}
	return error->message;
}

int
cpw_errors_hide_statement(void)
{
	errhidestmt(true);
	errhidecontext(true);
	return 0;
}

/* What a client's encoding makes of one character of UTF-8, at most. */
#define MAX_CONVERTED	64

/*
 * Text with escapes in the place of what the client's encoding lacks. Sending
 * it as it is would raise another error in the place of ours, and log the
 * statement that ours hides.
 */
static const char *
escape_for_client(const char *text)
{
	int			encoding = pg_get_client_encoding();
	unsigned char converted[MAX_CONVERTED];
	StringInfoData escaped;
	Oid			conversion;
	int			length;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return text;
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return text;
	initStringInfo(&escaped);
	for (const char *p = text; *p != '\0'; p += length)
	{
		unsigned char *character = (unsigned char *) unconstify(char *, p);

		length = pg_encoding_mblen(PG_UTF8, p);
		if (length == 1 ||
			pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
										  character, length, converted,
										  MAX_CONVERTED, true) == length)
			appendBinaryStringInfo(&escaped, p, length);
		else
			appendStringInfo(&escaped, length < 4 ? "\\u%04X" : "\\U%08X",
							 (unsigned int) utf8_to_unicode(character));
	}
	return escaped.data;
}

void
cpw_errors_raise(CpwException exception, const char *detail,
				 const char *hint, const char *format,...)
{
	va_list		args;
	char	   *text;

	va_start(args, format);
	text = format_text(format, args);
	va_end(args);
	ereport(ERROR,
			(errcode(exceptions[exception].sqlstate),
			 errmsg_internal("%s: %s", exceptions[exception].name,
							 escape_for_client(text)),
			 detail ? errdetail_internal("%s", escape_for_client(detail)) : 0,
			 hint ? errhint("%s", escape_for_client(hint)) : 0,
			 cpw_errors_hide_statement()));
	pg_unreachable();
}

static void
add(CpwProblems *problems, CpwException exception, const char *place,
	const char *hint, char *text)
{
	CpwProblem *problem = palloc(sizeof(CpwProblem));

	problem->exception = exception;
	problem->place = pstrdup(place);
	problem->text = text;
	problem->hint = hint;
	problems->items = lappend(problems->items, problem);
}

void
cpw_errors_add(CpwProblems *problems, CpwException exception,
			   const char *place, const char *hint, const char *format,...)
{
	va_list		args;
	char	   *text;

	va_start(args, format);
	text = format_text(format, args);
	va_end(args);
	add(problems, exception, place, hint, text);
}

void
cpw_errors_add_violation(CpwProblems *problems, const char *place,
						 const char *value, const char *constraint,...)
{
	va_list		args;
	StringInfoData text;

	initStringInfo(&text);
	if (value == NULL)
		appendStringInfoString(&text, "Value null");
	else
	{
		int			length = (int) strlen(value);
		int			shown = pg_mbcliplen(value, length, MAX_QUOTED);

		appendStringInfo(&text, "Value '%.*s%s'", shown, value,
						 shown < length ? "..." : "");
	}
	appendStringInfo(&text, " at '%s' failed to satisfy constraint: ", place);
	va_start(args, constraint);
	appendStringInfoString(&text, format_text(constraint, args));
	va_end(args);
	add(problems, CPW_VALIDATION, place, validation_hint, text.data);
}

/* The problem whose exception is raised. */
static const CpwProblem *
leading_problem(const CpwProblems *problems)
{
	ListCell   *cell;

	foreach(cell, problems->items)
	{
		const CpwProblem *problem = lfirst(cell);

		if (problem->exception == CPW_VALIDATION)
			return problem;
	}
	return linitial(problems->items);
}

/* "2 validation errors detected: ...; ...", or "...; ..." for the others. */
static char *
make_message(const CpwProblems *problems, CpwException exception)
{
	StringInfoData message;
	ListCell   *cell;
	int			count = 0;

	initStringInfo(&message);
	foreach(cell, problems->items)
	{
		const CpwProblem *problem = lfirst(cell);

		if (problem->exception != exception || ++count > MAX_REPORTED)
			continue;
		if (count > 1)
			appendStringInfoString(&message, "; ");
		appendStringInfoString(&message, problem->text);
	}
	if (exception == CPW_VALIDATION)
		return psprintf("%d validation error%s detected: %s", count,
						count == 1 ? "" : "s", message.data);
	return message.data;
}

/*
 * A line a problem. A violation stands in the message with its place, so that
 * the place is enough; a problem of another exception has its name.
 */
static char *
make_detail(const CpwProblems *problems, CpwException exception)
{
	StringInfoData detail;
	ListCell   *cell;
	int			count = 0;

	initStringInfo(&detail);
	foreach(cell, problems->items)
	{
		const CpwProblem *problem = lfirst(cell);

		if (++count > MAX_REPORTED)
			break;
		if (count > 1)
			appendStringInfoChar(&detail, '\n');
		if (problem->exception != exception)
			appendStringInfo(&detail, "At '%s' also: %s: %s.", problem->place,
							 cpw_errors_name(problem->exception),
							 problem->text);
		else if (exception == CPW_VALIDATION)
			appendStringInfo(&detail, "At '%s'.", problem->place);
		else
			appendStringInfo(&detail, "At '%s': %s.", problem->place,
							 problem->text);
	}
	return detail.data;
}

void
cpw_errors_raise_all(const CpwProblems *problems)
{
	const CpwProblem *leading;

	if (problems->items == NIL)
		return;
	leading = leading_problem(problems);
	cpw_errors_raise(leading->exception,
					 make_detail(problems, leading->exception), leading->hint,
					 "%s", make_message(problems, leading->exception));
}
