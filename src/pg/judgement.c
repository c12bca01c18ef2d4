/*
 * judgement.c
 *		What becomes of a POST and why.
 */
#include "postgres.h"

#include "base/diagnosis.h"
#include "base/headers.h"
#include "base/json_scan.h"
#include "base/media_type.h"
#include "compat.h"
#include "pg/judgement.h"
#include "pg/payload.h"
#include "pg/settings.h"

const char	cpw_judgement_too_large[] =
"body is too large, or holds too many values";

/* ---- authentication ---- */

CpwVerdict
cpw_judgement_verify(const CpwPost *post, const CpwWebhook *webhook,
					 const char **reason)
{
	CpwSignatureResult result;

	if (webhook->authentication != CPW_AUTHENTICATION_GITHUB_HMAC ||
		(post->skipped & CPW_STEP_SIGNATURE) != 0)
		return CPW_VERDICT_PENDING;
	result = cpw_signature_verify(webhook->key, &post->headers,
								  post->body ? post->body : "",
								  post->body_length);
	if (result == CPW_SIGNATURE_VALID)
		return CPW_VERDICT_PENDING;
	if (result == CPW_SIGNATURE_FAILED)
	{
		*reason = "the signature could not be computed";
		return CPW_VERDICT_UNAVAILABLE;
	}
	*reason = cpw_signature_explain(webhook->authentication, result);
	return CPW_VERDICT_BAD_SIGNATURE;
}

CpwVerdict
cpw_judgement_authenticate(const CpwPost *post, const CpwWebhook *webhook,
						   const char **reason)
{
	CpwVerdict	verdict;

	if (post->refused != CPW_VERDICT_PENDING)
	{
		*reason = post->refusal;
		if (*reason == NULL && post->refused == CPW_VERDICT_BODY_TOO_LARGE)
			*reason = cpw_judgement_too_large;
		return post->refused;
	}
	/* The definition may be another one than when the headers came. */
	verdict = cpw_admission_check(post, webhook, reason);
	if (verdict != CPW_VERDICT_PENDING)
		return verdict;
	return cpw_judgement_verify(post, webhook, reason);
}

static bool
is_form(const CpwPost *post)
{
	const CpwHeader *type = cpw_headers_find(&post->headers, "content-type",
											 NULL);

	return type != NULL &&
		cpw_media_type_parse(type->value, type->value_length) ==
		CPW_MEDIA_TYPE_FORM;
}

const char *
cpw_judgement_diagnose(const CpwPost *post, const CpwWebhook *webhook,
					   const char *reason)
{
	CpwSignatureResult form =
		cpw_signature_check_form(webhook->authentication, &post->headers);
	const char *diagnosis;

	if (form != CPW_SIGNATURE_VALID)
		diagnosis = cpw_diagnosis_of_form(webhook->authentication,
										  &post->headers, form);
	else if (post->refused != CPW_VERDICT_PENDING)
		return reason;			/* the definition has changed meanwhile */
	else
	{
		CpwSignatureCase signature_case = {
			.authentication = webhook->authentication,
			.headers = &post->headers,
			.secret = webhook->secret,
			.secret_length = webhook->secret ? strlen(webhook->secret) : 0,
			.body = post->body ? post->body : "",
			.body_length = post->body_length
		};

		if (is_form(post) && post->body != NULL)
			signature_case.form_json =
				cpw_payload_from_form(post->body, post->body_length,
									  &signature_case.form_json_length);
		diagnosis = cpw_diagnosis_of_body(&signature_case);
	}
	return diagnosis != NULL ? psprintf("%s; %s", reason, diagnosis) : reason;
}

/* ---- the body ---- */

const char *
cpw_judgement_find_json(const CpwPost *post, size_t *length,
						CpwVerdict *verdict, const char **reason)
{
	CpwJsonScan scan = {0};
	const char *json;

	if (post->body_length == 0)
	{
		*reason = "the body is empty";
		*verdict = CPW_VERDICT_BAD_JSON;
		return NULL;
	}
	*length = post->body_length;
	if (!is_form(post))
		return post->body;
	json = cpw_payload_from_form(post->body, post->body_length, length);
	if (json == NULL)
	{
		*reason = "the form has no well encoded field \"payload\"";
		*verdict = CPW_VERDICT_BAD_JSON;
		return NULL;
	}
	/* The listener counts values in JSON alone. */
	cpw_json_scan(&scan, json, *length);
	if (scan.structural > (size_t) cpw_setting_max_json_values)
	{
		*reason = "the body holds too many values";
		*verdict = CPW_VERDICT_BODY_TOO_LARGE;
		return NULL;
	}
	return json;
}

/* ---- the payload ---- */

Jsonb *
cpw_judgement_variables(const CpwPost *post, const CpwWebhook *webhook,
						Jsonb *headers)
{
	if (!webhook->uses_variables)
		return NULL;
	return cpw_payload_variables(headers,
								 cpw_payload_query(post->query,
												   post->query_length));
}

CpwVerdict
cpw_judgement_filter(const CpwWebhook *webhook, int index, Jsonb *payload,
					 Jsonb *variables, const char **reason)
{
	const CpwFilter *rule = webhook->filters[index];
	const char *shown = webhook->shown[index];
	char	   *found;

	switch (cpw_filter_evaluate(rule, webhook->wanted[index], payload,
								variables, &found))
	{
		case CPW_FILTER_PASSES:
			return CPW_VERDICT_TRIGGERED;
		case CPW_FILTER_FINDS_NOTHING:
			*reason = psprintf("filter %d: %s selects nothing%s%s", index + 1,
							   rule->json_path, shown ? ", wanted " : "",
							   shown ? cpw_filter_quote(shown) : "");
			break;
		case CPW_FILTER_DIFFERS:
			*reason = psprintf("filter %d: %s is %s%s%s", index + 1,
							   rule->json_path, found,
							   shown ? ", wanted " : "",
							   shown ? cpw_filter_quote(shown) : "");
			break;
	}
	return CPW_VERDICT_IGNORED;
}

CpwVerdict
cpw_judgement_decide(const CpwPost *post, const CpwWebhook *webhook,
					 Jsonb *payload, Jsonb *headers, const char **reason)
{
	Jsonb	   *variables;

	if (cpw_headers_is_ping(&post->headers))
		return CPW_VERDICT_PONG;
	if (webhook->broken != NULL)
	{
		*reason = webhook->broken;
		return CPW_VERDICT_IGNORED;
	}
	variables = cpw_judgement_variables(post, webhook, headers);
	for (int i = 0; i < webhook->filter_count; i++)
	{
		CpwVerdict	verdict = cpw_judgement_filter(webhook, i, payload,
												   variables, reason);

		if (verdict != CPW_VERDICT_TRIGGERED)
			return verdict;
	}
	return CPW_VERDICT_TRIGGERED;
}

CpwVerdict
cpw_judgement_of_error(const ErrorData *error, bool is_parsed,
					   const char **reason, const char **detail)
{
	int			class = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	*detail = NULL;
	*reason = error->message;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
	{
		*reason = "filter too slow";
		*detail = "Filter too slow.";
		return CPW_VERDICT_UNAVAILABLE;
	}
	if (class == ERRCODE_INSUFFICIENT_RESOURCES ||
		class == ERRCODE_INTERNAL_ERROR)
		return CPW_VERDICT_UNAVAILABLE;
	if (is_parsed)
	{
		*reason = psprintf("filter cannot be evaluated: %s", error->message);
		return CPW_VERDICT_IGNORED;
	}
	if (error->sqlerrcode == ERRCODE_STATEMENT_TOO_COMPLEX)
	{
		*reason = "the body is nested too deeply";
		*detail = "The body is nested too deeply.";
		return CPW_VERDICT_BAD_JSON;
	}
	if (error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		return CPW_VERDICT_BODY_TOO_LARGE;
	return CPW_VERDICT_BAD_JSON;
}
