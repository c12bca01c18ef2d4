/*
 * explanation.c
 *		A dry run told step by step.
 */
#include "postgres.h"

#include "api/explanation.h"
#include "base/verdict.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "utils/numeric.h"

/* How much of what a filter found is shown. */
#define MAX_FOUND			10
#define MAX_FOUND_LENGTH	200
#define MAX_FOUND_CONTAINER	1000

static void
open_step(CpwJsonWriter *answer, const char *step)
{
	cpw_json_open_object(answer, NULL);
	cpw_json_add_text(answer, "step", step);
}

static void
close_step(CpwJsonWriter *answer, const char *verdict, const char *detail)
{
	cpw_json_add_text(answer, "verdict", verdict);
	cpw_json_add_text(answer, "detail", detail);
	cpw_json_close_object(answer);
}

static void
add_step(CpwJsonWriter *answer, const char *step, const char *verdict,
		 const char *detail)
{
	open_step(answer, step);
	close_step(answer, verdict, detail);
}

/* ---- before the payload ---- */

/* The step at which a verdict falls. */
static const char *
step_of(CpwVerdict verdict)
{
	switch (verdict)
	{
		case CPW_VERDICT_BAD_SIGNATURE:
		case CPW_VERDICT_ADDRESS_DENIED:
			return "authentication";
		case CPW_VERDICT_UNSUPPORTED_MEDIA_TYPE:
			return "mediaType";
		case CPW_VERDICT_DUPLICATE:
			return "deduplication";
		case CPW_VERDICT_BAD_JSON:
			return "parse";
		default:
			return "limits";
	}
}

/* Of a post that was refused: where, and nothing of the rest. */
static void
add_refused(CpwJsonWriter *answer, const CpwDryRun *run)
{
	static const char *const steps[] = {
		"limits", "authentication", "mediaType", "deduplication", "parse"
	};
	const char *failed = step_of(run->verdict);

	for (size_t i = 0; i < lengthof(steps); i++)
	{
		bool		is_it = strcmp(steps[i], failed) == 0;

		add_step(answer, steps[i], is_it ? "failed" : "skipped",
				 is_it ? run->reason : NULL);
	}
}

static void
add_checks(CpwJsonWriter *answer, const CpwDryRun *run, const char *step,
		   unsigned int checks, const char *skipped)
{
	const char *reason = NULL;
	CpwVerdict	verdict;

	if ((run->post.skipped & checks) == checks)
	{
		add_step(answer, step, "skipped", skipped);
		return;
	}
	verdict = cpw_admission_check_steps(checks, &run->post, run->webhook,
										&reason);
	add_step(answer, step, verdict == CPW_VERDICT_PENDING ? "passed" : "failed",
			 reason);
}

static void
add_authentication(CpwJsonWriter *answer, const CpwDryRun *run)
{
	CpwPost		post = run->post;
	const char *reason = NULL;
	CpwVerdict	verdict =
		cpw_admission_check_steps(CPW_STEP_ADDRESS | CPW_STEP_SIGNATURE_FORM,
								  &post, run->webhook, &reason);
	const char *step = "authentication";

	if (verdict == CPW_VERDICT_PENDING)
		verdict = cpw_judgement_verify(&post, run->webhook, &reason);
	if (verdict == CPW_VERDICT_BAD_SIGNATURE)
		reason = cpw_judgement_diagnose(&post, run->webhook, reason);
	if (verdict == CPW_VERDICT_PENDING &&
		run->source_verdict == CPW_VERDICT_BAD_SIGNATURE)
	{
		verdict = run->source_verdict;
		reason = run->source_reason;
	}
	if (verdict != CPW_VERDICT_PENDING)
		add_step(answer, step, "failed", reason);
	else if (run->webhook->authentication == CPW_AUTHENTICATION_UNAUTHENTICATED)
		add_step(answer, step, "passed", "everybody passes who knows the URL");
	else if (run->webhook->authentication == CPW_AUTHENTICATION_IP)
	{
		if (post.skipped & CPW_STEP_ADDRESS)
			add_step(answer, step, "skipped",
					 "the address is not known: give sourceAddress");
		else
			add_step(answer, step, "passed", NULL);
	}
	else if (run->recorded != NULL)
		add_step(answer, step, "passed",
				 "as the signature was judged when the delivery came");
	else if (post.skipped & CPW_STEP_SIGNATURE)
		add_step(answer, step, "skipped",
				 "a signature is over bytes: give the body as a string");
	else
		add_step(answer, step, "passed", NULL);
}

static void
add_deduplication(CpwJsonWriter *answer, const CpwDryRun *run)
{
	const char *step = "deduplication";

	if (run->execution != NULL)
		add_step(answer, step, "failed",
				 psprintf("the sender's delivery id has started execution %s before",
						  run->execution));
	else if (run->recorded != NULL)
		add_step(answer, step, "skipped",
				 "the delivery is judged as if it came for the first time");
	else if (run->id == NULL &&
			 cpw_scheme_delivery_id(run->webhook->scheme,
									&run->post.headers) == NULL)
		add_step(answer, step, "passed", "there is no delivery id to know it by");
	else
		add_step(answer, step, "passed", NULL);
}

static void
add_parse(CpwJsonWriter *answer, const CpwDryRun *run)
{
	const char *step = "parse";

	if (run->parse_verdict != CPW_VERDICT_PENDING)
		add_step(answer, step, "failed", run->parse_reason);
	else if (run->recorded != NULL)
		add_step(answer, step, "passed", "the payload is the recorded one");
	else if (run->post.body == NULL)
		add_step(answer, step, "skipped", "the body is the payload");
	else
		add_step(answer, step, "passed", NULL);
}

static void
add_head(CpwJsonWriter *answer, const CpwDryRun *run)
{
	if (run->post.refused != CPW_VERDICT_PENDING)
	{
		add_refused(answer, run);
		return;
	}
	add_checks(answer, run, "limits", CPW_STEP_LIMITS,
			   "the delivery was taken when it came");
	add_authentication(answer, run);
	add_checks(answer, run, "mediaType", CPW_STEP_MEDIA_TYPE,
			   "there is no Content-Type");
	add_deduplication(answer, run);
	add_parse(answer, run);
}

/* ---- filters ---- */

/* Text that may be cut. */
static void
add_clipped(CpwJsonWriter *answer, const char *text, int length)
{
	int			shown = pg_mbcliplen(text, length, MAX_FOUND_LENGTH);

	cpw_json_add_text(answer, NULL, psprintf("%.*s%s", shown, text,
											 shown < length ? "..." : ""));
}

static void
add_container(CpwJsonWriter *answer, JsonbValue *value)
{
	JsonbContainer *container = value->val.binary.data;
	bool		is_array = JsonContainerIsArray(container);

	if (value->val.binary.len <= MAX_FOUND_CONTAINER)
		cpw_json_add_value(answer, NULL, value);
	else
		cpw_json_add_text(answer, NULL,
						  psprintf("%s of %d %s",
								   is_array ? "an array" : "an object",
								   cpw_json_length(container),
								   is_array ? "elements" : "members"));
}

static void
add_value(CpwJsonWriter *answer, JsonbValue *value)
{
	const char *digits;

	switch (value->type)
	{
		case jbvString:
			add_clipped(answer, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			digits = numeric_normalize(value->val.numeric);
			if (strlen(digits) > MAX_FOUND_LENGTH)
				add_clipped(answer, digits, (int) strlen(digits));
			else
				cpw_json_add_value(answer, NULL, value);
			break;
		case jbvBinary:
			add_container(answer, value);
			break;
		default:
			cpw_json_add_value(answer, NULL, value);
			break;
	}
}

static void
add_found(CpwJsonWriter *answer, const CpwFilter *filter, Jsonb *values)
{
	int			count = values ? cpw_json_length(&values->root) : 0;

	cpw_json_open_array(answer, "found");
	for (int i = 0; i < Min(count, MAX_FOUND); i++)
	{
		/* Beside a secret that is wanted, what is found may be it. */
		if (filter->wants_secret)
			cpw_json_add_text(answer, NULL, CPW_MASK);
		else
			add_value(answer,
					  getIthJsonbValueFromContainer(&values->root, i));
	}
	cpw_json_close_array(answer);
	cpw_json_add_int(answer, "foundCount", count);
}

typedef struct FilterRun
{
	CpwDryRun  *run;
	int			index;
	Jsonb	   *values;
	CpwVerdict	verdict;
	const char *reason;
} FilterRun;

static void
run_filter(void *arg)
{
	FilterRun  *filter = arg;
	CpwDryRun  *run = filter->run;
	Jsonb	   *variables = cpw_judgement_variables(&run->post, run->webhook,
													run->headers);

	filter->values = cpw_filter_select(run->webhook->filters[filter->index],
									   run->payload, variables);
	filter->verdict = cpw_judgement_filter(run->webhook, filter->index,
										   run->payload, variables,
										   &filter->reason);
}

static void
add_filter(CpwJsonWriter *answer, CpwDryRun *run, int index)
{
	const CpwFilter *filter = run->webhook->filters[index];
	FilterRun	filter_run = {run, index, NULL, CPW_VERDICT_PENDING, NULL};
	const char *detail;
	ErrorData  *error;

	open_step(answer, "filter");
	cpw_json_add_int(answer, "number", index + 1);
	cpw_json_add_text(answer, "jsonPath", filter->json_path);
	cpw_json_add_text(answer, "translated",
					  cpw_filter_translated(filter));
	cpw_json_add_text(answer, "matchEquals", filter->match_equals);
	cpw_json_add_text(answer, "wanted", run->webhook->shown[index]);
	if (run->payload == NULL)
	{
		close_step(answer, "skipped", "there is no payload");
		return;
	}
	error = cpw_guard_run_cancelable(run_filter, &filter_run);
	if (error != NULL)
		filter_run.verdict = cpw_judgement_of_error(error, true,
													&filter_run.reason,
													&detail);
	add_found(answer, filter, filter_run.values);
	if (filter->match_equals != NULL && run->webhook->wanted[index] == NULL)
		close_step(answer, "failed",
				   "a placeholder of matchEquals has no value");
	else
		close_step(answer, filter_run.verdict == CPW_VERDICT_TRIGGERED ?
				   "passed" : "failed", filter_run.reason);
}

/* ---- all of it ---- */

void
cpw_explanation_add_warnings(CpwJsonWriter *answer, const CpwWebhook *webhook,
							 bool query_is_missing)
{
	for (int i = 0; i < webhook->filter_count; i++)
	{
		const CpwFilter *filter = webhook->filters[i];

		cpw_json_add_text(answer, NULL,
						  cpw_webhook_unsigned_warning(webhook->authentication,
													   filter, i + 1));
		if (query_is_missing && filter->reads_query)
			cpw_json_add_text(answer, NULL,
							  psprintf("filter %d reads $query, which is not recorded and is empty here",
									   i + 1));
	}
}

void
cpw_explanation_add(CpwJsonWriter *answer, CpwDryRun *run)
{
	const CpwVerdictMeaning *meaning = cpw_verdict_meaning(run->verdict);

	cpw_json_add_text(answer, "outcome", cpw_dry_run_outcome(run->verdict));
	cpw_json_add_int(answer, "httpStatus", meaning->status);
	cpw_json_add_text(answer, "reason", run->reason);
	cpw_json_add_text(answer, "pipelineExecutionId", run->execution);
	cpw_json_open_array(answer, "steps");
	add_head(answer, run);
	if (cpw_scheme_is_ping(run->webhook->scheme, &run->post.headers))
		add_step(answer, "ping", "passed",
				 "the event is ping: it is answered without the filters");
	add_step(answer, "target", run->webhook->broken ? "failed" : "passed",
			 run->webhook->broken);
	for (int i = 0; i < run->webhook->filter_count; i++)
		add_filter(answer, run, i);
	cpw_json_close_array(answer);
	cpw_json_open_array(answer, "warnings");
	cpw_explanation_add_warnings(answer, run->webhook,
								 run->recorded != NULL &&
								 run->post.query_length == 0);
	if (run->milliseconds > cpw_setting_filter_timeout)
		cpw_json_add_text(answer, NULL,
						  psprintf("parsing and filtering took %.0f ms here, and a receiver gives up after cp_webhook.filter_timeout, %d ms",
								   run->milliseconds,
								   cpw_setting_filter_timeout));
	cpw_json_close_array(answer);
}
