/*
 * handshake.c
 *		Handshakes that come as a signed delivery.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/handshake.h"
#include "pg/json.h"
#include "utils/numeric.h"

/* Whether a member is that text. */
static bool
is_text(JsonbContainer *object, const char *name, const char *text)
{
	JsonbValue *value = cpw_json_get(object, name);

	return value != NULL && value->type == jbvString &&
		(size_t) value->val.string.len == strlen(text) &&
		memcmp(value->val.string.val, text, strlen(text)) == 0;
}

/* {"type": "url_verification", "challenge": "..."}: the challenge as text. */
static CpwChallengeResult
answer_slack(JsonbContainer *payload, CpwChallengeAnswer *answer,
			 const char **reason)
{
	JsonbValue *challenge;

	if (!is_text(payload, "type", "url_verification"))
		return CPW_CHALLENGE_NONE;
	challenge = cpw_json_get(payload, "challenge");
	*reason = "url_verification is answered with its challenge";
	if (challenge != NULL && challenge->type == jbvString &&
		cpw_challenge_echo("text/plain", challenge->val.string.val,
						   (size_t) challenge->val.string.len, answer))
		return CPW_CHALLENGE_ANSWERED;
	*reason = "url_verification has no challenge that can be answered";
	return CPW_CHALLENGE_REFUSED;
}

/* {"event": "endpoint.url_validation", "payload": {"plainToken": "..."}} */
static CpwChallengeResult
answer_zoom(const CpwWebhook *webhook, JsonbContainer *payload,
			CpwChallengeAnswer *answer, const char **reason)
{
	JsonbValue *token;

	if (!is_text(payload, "event", "endpoint.url_validation"))
		return CPW_CHALLENGE_NONE;
	token = cpw_json_get(cpw_json_get_container(payload, "payload"),
						 "plainToken");
	*reason = "endpoint.url_validation is answered with its token encrypted";
	if (token != NULL && token->type == jbvString &&
		cpw_challenge_answer_zoom(webhook->key, token->val.string.val,
								  (size_t) token->val.string.len, answer))
		return CPW_CHALLENGE_ANSWERED;
	*reason = "plainToken of endpoint.url_validation is not 1 to 128 letters, digits, - or _";
	return CPW_CHALLENGE_REFUSED;
}

/*
 * A PING is {"type": 1} among interactions, whose answer is the same, and
 * {"type": 0} among events, where type 1 is an event and the answer is 204.
 */
static CpwChallengeResult
answer_discord(JsonbContainer *payload, CpwChallengeAnswer *answer,
			   const char **reason)
{
	int			type = cpw_json_get_int(payload, "type", -1);

	if ((type != 0 && type != 1) || cpw_json_get(payload, "event") != NULL)
		return CPW_CHALLENGE_NONE;
	*reason = "PING is answered";
	cpw_challenge_echo("application/json", "{\"type\":1}", type == 1 ? 10 : 0,
					   answer);
	if (type == 0)
		answer->status = 204;
	return CPW_CHALLENGE_ANSWERED;
}

CpwChallengeResult
cpw_handshake_answer(const CpwWebhook *webhook, Jsonb *payload,
					 CpwChallengeAnswer *answer, const char **reason)
{
	if (webhook->scheme == NULL || !JB_ROOT_IS_OBJECT(payload))
		return CPW_CHALLENGE_NONE;
	switch (webhook->scheme->handshake)
	{
		case CPW_HANDSHAKE_SLACK:
			return answer_slack(&payload->root, answer, reason);
		case CPW_HANDSHAKE_ZOOM:
			return answer_zoom(webhook, &payload->root, answer, reason);
		case CPW_HANDSHAKE_DISCORD:
			return answer_discord(&payload->root, answer, reason);
		default:
			return CPW_CHALLENGE_NONE;
	}
}
