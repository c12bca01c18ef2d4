/*
 * admission.c
 *		What can be said of a request before its body is read.
 */
#include "postgres.h"

#include "base/headers.h"
#include "base/media_type.h"
#include "base/signature.h"
#include "pg/address.h"
#include "pg/admission.h"
#include "pg/errors.h"
#include "pg/settings.h"

typedef CpwVerdict (*Check) (const CpwPost *post,
							 const CpwWebhook *webhook, const char **reason);

static CpwVerdict
check_header_size(const CpwPost *post, const CpwWebhook *webhook,
				  const char **reason)
{
	(void) webhook;
	if (post->header_size <= (size_t) cpw_setting_max_header_size)
		return CPW_VERDICT_PENDING;
	*reason = psprintf("headers are larger than %d bytes, or more than %d",
					   cpw_setting_max_header_size, CPW_MAX_HEADERS);
	return CPW_VERDICT_HEADERS_TOO_LARGE;
}

/* It can only be there encoded. */
static bool
has_nul(const char *query, size_t length)
{
	for (size_t i = 0; i + 3 <= length; i++)
		if (memcmp(query + i, "%00", 3) == 0)
			return true;
	return false;
}

static CpwVerdict
check_form(const CpwPost *post, const CpwWebhook *webhook,
		   const char **reason)
{
	(void) webhook;
	*reason = post->malformed;
	if (*reason == NULL && has_nul(post->query, post->query_length))
		*reason = "the query contains a NUL byte";
	return *reason == NULL ? CPW_VERDICT_PENDING : CPW_VERDICT_BAD_REQUEST;
}

static CpwVerdict
check_address(const CpwPost *post, const CpwWebhook *webhook,
			  const char **reason)
{
	struct sockaddr_storage client;
	inet	   *address;
	bool		is_ours = webhook->authentication != CPW_AUTHENTICATION_IP;

	if (is_ours && webhook->range_count == 0)
		return CPW_VERDICT_PENDING;
	if (!cpw_address_of_client(post->peer, &post->headers,
							   cpw_setting_trusted_proxies, &client))
	{
		*reason = "the proxies' headers do not tell the client's address";
		return CPW_VERDICT_ADDRESS_DENIED;
	}
	address = cpw_address_from_socket(&client);
	for (int i = 0; address != NULL && i < webhook->range_count; i++)
		if (cpw_address_in_range(address, webhook->ranges[i]))
			return CPW_VERDICT_PENDING;
	*reason = is_ours ? "the address is in none of AllowedIPRanges" :
		"the address is not in AllowedIPRange";
	return CPW_VERDICT_ADDRESS_DENIED;
}

static CpwVerdict
check_secrets(const CpwPost *post, const CpwWebhook *webhook,
			  const char **reason)
{
	(void) post;
	*reason = webhook->unavailable;
	return webhook->unavailable == NULL ? CPW_VERDICT_PENDING
		: CPW_VERDICT_UNAVAILABLE;
}

static CpwVerdict
check_length(const CpwPost *post, const CpwWebhook *webhook,
			 const char **reason)
{
	(void) webhook;
	if (post->content_length <= (uint64) cpw_setting_max_body_size)
		return CPW_VERDICT_PENDING;
	*reason = psprintf("body of " UINT64_FORMAT " bytes, at most %d are taken",
					   post->content_length, cpw_setting_max_body_size);
	return CPW_VERDICT_BODY_TOO_LARGE;
}

/* Whether bodies with that Content-Encoding are something else than they say. */
static bool
is_compressed(const CpwHeaders *headers)
{
	static const char *const codings[] = {
		"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"
	};
	const CpwHeader *header = cpw_headers_find(headers, "content-encoding", NULL);

	for (size_t i = 0; header != NULL && i < lengthof(codings); i++)
		if (header->value_length == strlen(codings[i]) &&
			pg_strncasecmp(header->value, codings[i], strlen(codings[i])) == 0)
			return true;
	return false;
}

static CpwVerdict
check_media_type(const CpwPost *post, const CpwWebhook *webhook,
				 const char **reason)
{
	int			occurrences;
	const CpwHeader *header = cpw_headers_find(&post->headers,
											   "content-type", &occurrences);

	(void) webhook;
	if (header == NULL)
		*reason = "there is no Content-Type";
	else if (occurrences > 1)
		*reason = "Content-Type came more than once";
	else if (cpw_media_type_parse(header->value, header->value_length) ==
			 CPW_MEDIA_TYPE_OTHER)
		*reason = "Content-Type is neither JSON nor a form, or its charset is not utf-8";
	else if (is_compressed(&post->headers))
		*reason = "the body is compressed, as Content-Encoding says";
	else
		return CPW_VERDICT_PENDING;
	return CPW_VERDICT_UNSUPPORTED_MEDIA_TYPE;
}

static CpwVerdict
check_ids(const CpwPost *post, const CpwWebhook *webhook,
		  const char **reason)
{
	const CpwHeader *id = cpw_scheme_delivery_id(webhook->scheme,
												 &post->headers);
	const CpwHeader *event = cpw_scheme_event(webhook->scheme,
											  &post->headers);

	if (id != NULL && id->value_length > CPW_MAX_ID_LENGTH)
		*reason = psprintf("the delivery id is longer than %d bytes",
						   CPW_MAX_ID_LENGTH);
	else if (event != NULL && event->value_length > CPW_MAX_ID_LENGTH)
		*reason = psprintf("the event is longer than %d bytes",
						   CPW_MAX_ID_LENGTH);
	else
		return CPW_VERDICT_PENDING;
	return CPW_VERDICT_BAD_REQUEST;
}

/* Whether one of the headers is masked, as secrets are in recorded ones. */
static bool
has_mask(const CpwHeaders *headers)
{
	for (int i = 0; i < headers->count; i++)
		if (headers->items[i].value_length == strlen(CPW_MASK) &&
			memcmp(headers->items[i].value, CPW_MASK, strlen(CPW_MASK)) == 0)
			return true;
	return false;
}

/* Whether it says nothing of a delivery that is recorded. */
static bool
is_of_its_time(const CpwPost *post, CpwSignatureResult result)
{
	if ((post->skipped & CPW_STEP_SIGNATURE) == 0)
		return false;
	return result == CPW_SIGNATURE_STALE ||
		(result == CPW_SIGNATURE_MALFORMED && has_mask(&post->headers));
}

static CpwVerdict
check_signature_form(const CpwPost *post, const CpwWebhook *webhook,
					 const char **reason)
{
	CpwSignatureResult result;

	if (webhook->scheme == NULL)
	{
		*reason = "the webhook's authentication is unknown to this version";
		return CPW_VERDICT_BAD_SIGNATURE;
	}
	if (cpw_scheme_way_count(webhook->scheme) == 0)
		return CPW_VERDICT_PENDING;
	result = webhook->key != NULL ?
		cpw_signature_check_head(webhook->key, &post->headers, post->now) :
		cpw_signature_check_form(webhook->authentication, &post->headers);
	if (result == CPW_SIGNATURE_VALID || is_of_its_time(post, result))
		return CPW_VERDICT_PENDING;
	*reason = cpw_signature_explain(webhook->authentication, result);
	return CPW_VERDICT_BAD_SIGNATURE;
}

typedef struct Row
{
	CpwStep		step;
	Check		check;
} Row;

/* In the order in which they are made. */
static const Row rows[] = {
	{CPW_STEP_LIMITS, check_header_size},
	{CPW_STEP_LIMITS, check_form},
	{CPW_STEP_LIMITS, check_secrets},
	{CPW_STEP_ADDRESS, check_address},
	{CPW_STEP_LIMITS, check_length},
	{CPW_STEP_MEDIA_TYPE, check_media_type},
	{CPW_STEP_LIMITS, check_ids},
	{CPW_STEP_SIGNATURE_FORM, check_signature_form},
};

CpwVerdict
cpw_admission_check_steps(unsigned int steps, const CpwPost *post,
						  const CpwWebhook *webhook, const char **reason)
{
	steps &= ~post->skipped;
	for (size_t i = 0; i < lengthof(rows); i++)
	{
		CpwVerdict	verdict;

		if ((rows[i].step & steps) == 0)
			continue;
		verdict = rows[i].check(post, webhook, reason);
		if (verdict != CPW_VERDICT_PENDING)
			return verdict;
	}
	return CPW_VERDICT_PENDING;
}

CpwVerdict
cpw_admission_check(const CpwPost *post, const CpwWebhook *webhook,
					const char **reason)
{
	return cpw_admission_check_steps(~0U, post, webhook, reason);
}
