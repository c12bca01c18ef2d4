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
#include "pg/handshake.h"
#include "pg/payload.h"
#include "pg/settings.h"
#include "pg/source.h"

const char	cpw_judgement_too_large[] =
"body is too large, or holds too many values";

/* ---- authentication ---- */

static CpwVerdict
verdict_of(const CpwWebhook *webhook, CpwSignatureResult result,
		   const char **reason)
{
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

/* The URL that the sender calls, whatever a proxy has made of it. */
static char *
url_of(const CpwPost *post, const CpwWebhook *webhook)
{
	if (webhook->token == NULL)
		return NULL;
	return psprintf("%s%s%.*s", cpw_settings_webhook_url(webhook->token),
					post->query_length > 0 ? "?" : "",
					(int) post->query_length, post->query ? post->query : "");
}

CpwVerdict
cpw_judgement_verify(CpwPost *post, const CpwWebhook *webhook,
					 const char **reason)
{
	CpwSignedRequest request = {
		.headers = &post->headers,
		.body = post->body ? post->body : "",
		.length = post->body_length,
		.now = post->now
	};

	if (cpw_scheme_way_count(webhook->scheme) == 0 ||
		(post->skipped & CPW_STEP_SIGNATURE) != 0)
		return CPW_VERDICT_PENDING;
	if (cpw_signature_needs_url(webhook->key))
		request.url = url_of(post, webhook);
	return verdict_of(webhook, cpw_signature_verify(webhook->key, &request,
													&post->match), reason);
}

CpwVerdict
cpw_judgement_authenticate(CpwPost *post, const CpwWebhook *webhook,
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

/* Whether a scheme signs the bytes of the body with those of the secret. */
static bool
signs_body_alone(const CpwScheme *scheme)
{
	return cpw_scheme_signs(scheme) && !scheme->takes_headers &&
		scheme->key_encoding == CPW_ENCODING_PLAIN &&
		strcmp(scheme->ways[0].template, "{body}") == 0;
}

const char *
cpw_judgement_diagnose(const CpwPost *post, const CpwWebhook *webhook,
					   const char *reason)
{
	CpwSignatureResult form =
		cpw_signature_check_form(webhook->authentication, &post->headers);
	const char *diagnosis;

	if (!signs_body_alone(webhook->scheme))
		return reason;

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
			.previous_secret = webhook->previous_secret,
			.previous_secret_length = webhook->previous_secret ?
			strlen(webhook->previous_secret) : 0,
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

/* The JSON that a form is, or holds, by the webhook's scheme. */
static const char *
form_json(const CpwPost *post, const CpwWebhook *webhook, size_t *length,
		  const char **reason)
{
	CpwFormRule rule = webhook->scheme ? webhook->scheme->form_rule :
		CPW_FORM_PAYLOAD;
	const char *fault = "the form has no well encoded field \"payload\"";
	const char *json = NULL;

	if (rule != CPW_FORM_FIELDS)
		json = cpw_payload_from_form(post->body, post->body_length, length);
	if (json == NULL && rule != CPW_FORM_PAYLOAD)
	{
		fault = "the form is not well encoded, or has too many fields";
		json = cpw_payload_of_fields(post->body, post->body_length, length);
	}
	if (json == NULL)
		*reason = fault;
	return json;
}

const char *
cpw_judgement_find_json(const CpwPost *post, const CpwWebhook *webhook,
						size_t *length, CpwVerdict *verdict,
						const char **reason)
{
	CpwJsonScan scan = {0};
	const char *json;

	/* Bitbucket's test of a connection may have none. */
	if (post->body_length == 0 && webhook->scheme != NULL &&
		webhook->scheme->handshake == CPW_HANDSHAKE_BITBUCKET &&
		cpw_scheme_is_ping(webhook->scheme, &post->headers))
	{
		*verdict = CPW_VERDICT_PONG;
		return NULL;
	}
	if (post->body_length == 0)
	{
		*reason = "the body is empty";
		*verdict = CPW_VERDICT_BAD_JSON;
		return NULL;
	}
	*length = post->body_length;
	if (!is_form(post))
		return post->body;
	json = form_json(post, webhook, length, reason);
	if (json == NULL)
	{
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

static const char *
header_text(const CpwHeader *header)
{
	if (header == NULL || header->value_length > CPW_MAX_ID_LENGTH)
		return NULL;
	return cpw_payload_text(header->value, header->value_length);
}

void
cpw_judgement_identify(const CpwPost *post, const CpwWebhook *webhook,
					   const char **id, const char **event)
{
	*id = header_text(cpw_scheme_delivery_id(webhook->scheme,
											 &post->headers));
	*event = header_text(cpw_scheme_event(webhook->scheme, &post->headers));
}

/* Takes what a path leads to, unless a header of the scheme's own has it. */
static bool
take_finding(const char **finding, const char *const *names,
			 const char *const *paths, const CpwPost *post, Jsonb *payload)
{
	const char *found;

	if (cpw_scheme_has_header(names, &post->headers))
		return true;
	found = cpw_source_find(payload, paths);
	if (found == NULL)
		return true;
	if (strlen(found) > CPW_MAX_ID_LENGTH)
		return false;
	*finding = found;
	return true;
}

CpwVerdict
cpw_judgement_read_payload(CpwPost *post, const CpwWebhook *webhook,
						   CpwPayloadFindings *findings, const char **reason)
{
	const CpwScheme *scheme = webhook->scheme;
	Jsonb	   *payload = findings->payload;

	if (!cpw_scheme_reads_body(scheme))
		return CPW_VERDICT_PENDING;
	if (scheme->body_token != NULL)
	{
		if ((post->skipped & CPW_STEP_SIGNATURE) == 0)
		{
			CpwVerdict	verdict =
				verdict_of(webhook,
						   cpw_source_check_secret(webhook, payload, post->now,
												   &post->match), reason);

			if (verdict != CPW_VERDICT_PENDING)
				return verdict;
		}
		findings->payload = cpw_source_mask_secret(webhook, payload);
	}
	if (!take_finding(&findings->id, scheme->id_headers, scheme->id_paths,
					  post, payload))
		*reason = psprintf("the delivery id is longer than %d bytes",
						   CPW_MAX_ID_LENGTH);
	else if (!take_finding(&findings->event, scheme->event_headers,
						   scheme->event_paths, post, payload))
		*reason = psprintf("the event is longer than %d bytes",
						   CPW_MAX_ID_LENGTH);
	else
		return CPW_VERDICT_PENDING;
	return CPW_VERDICT_BAD_REQUEST;
}

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

/* Sets the answer, or the reason where there is none. */
static bool
is_handshake(CpwPost *post, const CpwWebhook *webhook, Jsonb *payload,
			 const char **reason)
{
	CpwChallengeAnswer answer;
	CpwChallengeResult result;

	if (cpw_scheme_is_ping(webhook->scheme, &post->headers))
		return true;
	result = cpw_handshake_answer(webhook, payload, &answer, reason);
	if (result != CPW_CHALLENGE_ANSWERED)
		return result == CPW_CHALLENGE_REFUSED;
	post->answer = palloc(sizeof(answer));
	*post->answer = answer;
	return true;
}

CpwVerdict
cpw_judgement_decide(CpwPost *post, const CpwWebhook *webhook,
					 Jsonb *payload, Jsonb *headers, const char **reason)
{
	Jsonb	   *variables;

	if (is_handshake(post, webhook, payload, reason))
		return post->answer == NULL && *reason != NULL ?
			CPW_VERDICT_BAD_REQUEST : CPW_VERDICT_PONG;
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
