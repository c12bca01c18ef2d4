/*
 * scheme.c
 *		The table of the senders' schemes.
 *
 * Header values are not signed by most senders: an id or event of a header is
 * only as good as its connection. Where the sender has it in the signed body,
 * it is taken from there.
 */
#include "base/scheme.h"

#include <string.h>

#include "base/headers.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define LIST(...)	((const char *const[]) {__VA_ARGS__, NULL})

/* The texts that all signatures share; header and form are literals. */
#define COMMON_TEXTS(header, form) \
	[CPW_SIGNATURE_VALID] = "The signature is right", \
	[CPW_SIGNATURE_MISSING] = "There is no " header " header, or an empty one", \
	[CPW_SIGNATURE_REPEATED] = "The header " header " came more than once", \
	[CPW_SIGNATURE_MALFORMED] = header " is not " form, \
	[CPW_SIGNATURE_FAILED] = "The signature could not be computed"

#define SIGNATURE_TEXTS(header, form) \
	COMMON_TEXTS(header, form), \
	[CPW_SIGNATURE_NO_ID] = "What is signed has no id", \
	[CPW_SIGNATURE_NO_TIMESTAMP] = "What is signed has no timestamp", \
	[CPW_SIGNATURE_STALE] = "The timestamp is too far from now", \
	[CPW_SIGNATURE_MISMATCH] = header \
	" is not the signature of this body with the webhook's secret"

#define TIMED_TEXTS(header, form, timestamp) \
	COMMON_TEXTS(header, form), \
	[CPW_SIGNATURE_NO_ID] = "What is signed has no id", \
	[CPW_SIGNATURE_NO_TIMESTAMP] = "There is no timestamp in " timestamp \
	", or it is none, or it came more than once", \
	[CPW_SIGNATURE_STALE] = "The timestamp in " timestamp \
	" is further from now than ToleranceSeconds: a delivery sent again by " \
	"somebody else, or a clock that is wrong", \
	[CPW_SIGNATURE_MISMATCH] = header \
	" is not the signature of timestamp and body with the webhook's secret"

#define TOKEN_TEXTS(header, form, secret) \
	COMMON_TEXTS(header, form), \
	[CPW_SIGNATURE_NO_ID] = "There is no id", \
	[CPW_SIGNATURE_NO_TIMESTAMP] = "There is no timestamp", \
	[CPW_SIGNATURE_STALE] = "The timestamp is too far from now", \
	[CPW_SIGNATURE_MISMATCH] = header " does not hold " secret

static const CpwScheme schemes[CPW_AUTHENTICATION_COUNT] = {
	/*
	 * X-Hub-Signature counts only where the other one is absent.
	 * https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
	 */
	[CPW_AUTHENTICATION_GITHUB_HMAC] = {
		.name = "GITHUB_HMAC",
		.ways = {
			{"x-hub-signature-256", "sha256=", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_HEX, .template = "{body}"},
			{"x-hub-signature", "sha1=", CPW_ALGORITHM_SHA1,
			CPW_ENCODING_HEX, .template = "{body}"},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.handshake = CPW_HANDSHAKE_GITHUB,
		.texts = {
			[CPW_SIGNATURE_VALID] = "The signature is right",
			[CPW_SIGNATURE_MISSING] =
			"There is no X-Hub-Signature-256 header, or an empty one: "
			"set the webhook's secret at the sender",
			[CPW_SIGNATURE_REPEATED] =
			"The signature header came more than once",
			[CPW_SIGNATURE_MALFORMED] =
			"X-Hub-Signature-256 is not \"sha256=\" and 64 hex digits, "
			"or X-Hub-Signature not \"sha1=\" and 40",
			[CPW_SIGNATURE_NO_ID] = "What is signed has no id",
			[CPW_SIGNATURE_NO_TIMESTAMP] = "What is signed has no timestamp",
			[CPW_SIGNATURE_STALE] = "The timestamp is too far from now",
			[CPW_SIGNATURE_MISMATCH] =
			"X-Hub-Signature-256 (or X-Hub-Signature, where it is alone) is "
			"not the signature of this body with the webhook's secret",
			[CPW_SIGNATURE_FAILED] =
			"The signature could not be computed",
		},
	},
	[CPW_AUTHENTICATION_IP] = {
		.name = "IP",
		.handshake = CPW_HANDSHAKE_GITHUB,
	},
	[CPW_AUTHENTICATION_UNAUTHENTICATED] = {
		.name = "UNAUTHENTICATED",
		.handshake = CPW_HANDSHAKE_GITHUB,
	},

	/* The configuration has what is not here. */
	[CPW_AUTHENTICATION_HMAC] = {
		.name = "HMAC",
		.ways = {
			{NULL, "", CPW_ALGORITHM_SHA256, CPW_ENCODING_HEX,
			.template = "{body}"},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.takes_headers = true,
		.texts = {
			TIMED_TEXTS("The header that HeaderName says",
						"what Prefix, Encoding and Algorithm say",
						"the header that TimestampHeader says")
		},
	},

	/*
	 * https://github.com/standard-webhooks/standard-webhooks, which GitLab's
	 * signing tokens follow; Svix has names of its own.
	 */
	[CPW_AUTHENTICATION_STANDARD_WEBHOOKS] = {
		.name = "STANDARD_WEBHOOKS",
		.ways = {
			{"webhook-signature", "v1,", CPW_ALGORITHM_SHA256,
				CPW_ENCODING_BASE64, ' ', false, "{id}.{timestamp}.{body}",
			"webhook-timestamp", NULL, "webhook-id"},
			{"webhook-signature", "v1a,", CPW_ALGORITHM_ED25519,
				CPW_ENCODING_BASE64, ' ', false, "{id}.{timestamp}.{body}",
			"webhook-timestamp", NULL, "webhook-id"},
			{"svix-signature", "v1,", CPW_ALGORITHM_SHA256,
				CPW_ENCODING_BASE64, ' ', false, "{id}.{timestamp}.{body}",
			"svix-timestamp", NULL, "svix-id"},
			{"svix-signature", "v1a,", CPW_ALGORITHM_ED25519,
				CPW_ENCODING_BASE64, ' ', false, "{id}.{timestamp}.{body}",
			"svix-timestamp", NULL, "svix-id"},
		},
		.key_encoding = CPW_ENCODING_PREFIXED_BASE64,
		.id_headers = LIST("webhook-id", "svix-id"),
		.event_headers = LIST("x-gitlab-event"),
		.event_paths = LIST("type", "event_type", "eventType"),
		.texts = {
			COMMON_TEXTS("webhook-signature (or svix-signature)",
						 "a list of \"v1,\" and base64 for the webhook's "
						 "secret, or \"v1a,\" and base64 for its public key"),
			[CPW_SIGNATURE_NO_ID] =
			"There is no webhook-id (or svix-id), or it came more than once",
			[CPW_SIGNATURE_NO_TIMESTAMP] =
			"There is no timestamp in webhook-timestamp (or svix-timestamp), "
			"or it is none, or it came more than once",
			[CPW_SIGNATURE_STALE] =
			"The timestamp in webhook-timestamp (or svix-timestamp) is "
			"further from now than ToleranceSeconds: a delivery sent again "
			"by somebody else, or a clock that is wrong",
			[CPW_SIGNATURE_MISMATCH] =
			"webhook-signature (or svix-signature) has no signature of id, "
			"timestamp and body with the webhook's key",
		},
	},

	/* https://docs.gitlab.com/user/project/integrations/webhooks/ */
	[CPW_AUTHENTICATION_GITLAB_TOKEN] = {
		.name = "GITLAB_TOKEN",
		.ways = {
			{"x-gitlab-token", "", CPW_ALGORITHM_TOKEN,
			CPW_ENCODING_PLAIN, .any_case = false},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.id_headers = LIST("idempotency-key", "webhook-id"),
		.event_headers = LIST("x-gitlab-event"),
		.texts = {TOKEN_TEXTS("X-Gitlab-Token", "a token",
							  "the webhook's secret")},
	},

	/*
	 * The same header's name as GitHub's SHA-1 has, so the hash is chosen by
	 * the prefix and never by the name.
	 * https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
	 */
	[CPW_AUTHENTICATION_BITBUCKET_HMAC] = {
		.name = "BITBUCKET_HMAC",
		.ways = {
			{"x-hub-signature", "sha256=", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_HEX, .template = "{body}"},
			{"x-hub-signature", "sha1=", CPW_ALGORITHM_SHA1,
			CPW_ENCODING_HEX, .template = "{body}"},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.id_headers = LIST("x-request-uuid", "x-request-id",
						   "x-atlassian-webhook-identifier"),
		.event_headers = LIST("x-event-key"),
		.event_paths = LIST("webhookEvent", "eventKey"),
		.handshake = CPW_HANDSHAKE_BITBUCKET,
		.texts = {
			SIGNATURE_TEXTS("X-Hub-Signature",
							"\"sha256=\" and 64 hex digits")
		},
	},

	/*
	 * Gitea, Forgejo and Gogs sign the JSON even where they send a form. With
	 * no secret they send the header empty.
	 */
	[CPW_AUTHENTICATION_GITEA_HMAC] = {
		.name = "GITEA_HMAC",
		.ways = {
			{"x-forgejo-signature", "", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_HEX, .template = "{body}"},
			{"x-gitea-signature", "", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_HEX, .template = "{body}"},
			{"x-gogs-signature", "", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_HEX, .template = "{body}"},
			{"x-hub-signature-256", "sha256=", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_HEX, .template = "{body}"},
			{"x-hub-signature", "sha1=", CPW_ALGORITHM_SHA1,
			CPW_ENCODING_HEX, .template = "{body}"},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.form_json = true,
		.id_headers = LIST("x-forgejo-delivery", "x-gitea-delivery",
						   "x-gogs-delivery"),
		.event_headers = LIST("x-forgejo-event", "x-gitea-event",
							  "x-gogs-event"),
		.texts = {
			SIGNATURE_TEXTS("X-Gitea-Signature (or X-Forgejo-Signature, "
							"X-Gogs-Signature)", "64 hex digits")
		},
	},

	/* https://docs.stripe.com/webhooks: the key is the whole whsec_ text */
	[CPW_AUTHENTICATION_STRIPE] = {
		.name = "STRIPE",
		.ways = {
			{"stripe-signature", "v1=", CPW_ALGORITHM_SHA256,
				CPW_ENCODING_HEX, ',', false, "{timestamp}.{body}",
			NULL, "t=", NULL},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.id_paths = LIST("id"),
		.event_paths = LIST("type"),
		.texts = {
			TIMED_TEXTS("Stripe-Signature",
						"\"t=\" and a timestamp, and \"v1=\" and 64 hex digits",
						"t= of Stripe-Signature")
		},
	},

	/* https://docs.slack.dev/authentication/verifying-requests-from-slack */
	[CPW_AUTHENTICATION_SLACK] = {
		.name = "SLACK",
		.ways = {
			{"x-slack-signature", "v0=", CPW_ALGORITHM_SHA256,
				CPW_ENCODING_HEX, 0, false, "v0:{timestamp}:{body}",
			"x-slack-request-timestamp", NULL, NULL},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.id_paths = LIST("event_id"),
		.event_paths = LIST("event.type", "type", "command"),
		.handshake = CPW_HANDSHAKE_SLACK,
		.form_rule = CPW_FORM_PAYLOAD_OR_FIELDS,
		.texts = {
			TIMED_TEXTS("X-Slack-Signature", "\"v0=\" and 64 hex digits",
						"X-Slack-Request-Timestamp")
		},
	},

	/* https://shopify.dev/docs/apps/build/webhooks/subscribe/https */
	[CPW_AUTHENTICATION_SHOPIFY] = {
		.name = "SHOPIFY",
		.ways = {
			{"x-shopify-hmac-sha256", "", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_BASE64, .template = "{body}"},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.id_headers = LIST("x-shopify-webhook-id", "x-shopify-event-id"),
		.event_headers = LIST("x-shopify-topic"),
		.texts = {
			SIGNATURE_TEXTS("X-Shopify-Hmac-SHA256", "44 characters of base64")
		},
	},

	/* https://www.twilio.com/docs/usage/security */
	[CPW_AUTHENTICATION_TWILIO] = {
		.name = "TWILIO",
		.ways = {
			{"x-twilio-signature", "", CPW_ALGORITHM_SHA1,
			CPW_ENCODING_BASE64, .template = "{url}{form}"},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.either_port = true,
		.id_headers = LIST("i-twilio-idempotency-token"),
		.id_paths = LIST("EventSid"),
		.event_paths = LIST("EventType", "0.type", "MessageStatus",
							"SmsStatus", "CallStatus"),
		.form_rule = CPW_FORM_FIELDS,
		.texts = {
			COMMON_TEXTS("X-Twilio-Signature", "28 characters of base64"),
			[CPW_SIGNATURE_NO_ID] = "What is signed has no id",
			[CPW_SIGNATURE_NO_TIMESTAMP] = "What is signed has no timestamp",
			[CPW_SIGNATURE_STALE] = "The timestamp is too far from now",
			[CPW_SIGNATURE_MISMATCH] =
			"X-Twilio-Signature is not the signature of URL and body with "
			"the webhook's secret: Twilio signs the URL that it calls, which "
			"must begin with cp_webhook.public_url",
		},
	},

	/* https://developers.zoom.us/docs/api/webhooks/ */
	[CPW_AUTHENTICATION_ZOOM] = {
		.name = "ZOOM",
		.ways = {
			{"x-zm-signature", "v0=", CPW_ALGORITHM_SHA256,
				CPW_ENCODING_HEX, 0, false, "v0:{timestamp}:{body}",
			"x-zm-request-timestamp", NULL, NULL},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.no_bare_tokens = true,
		.event_paths = LIST("event"),
		.handshake = CPW_HANDSHAKE_ZOOM,
		.texts = {
			TIMED_TEXTS("x-zm-signature", "\"v0=\" and 64 hex digits",
						"x-zm-request-timestamp")
		},
	},

	/* https://docs.discord.com/developers/events/webhook-events */
	[CPW_AUTHENTICATION_DISCORD] = {
		.name = "DISCORD",
		.ways = {
			{"x-signature-ed25519", "", CPW_ALGORITHM_ED25519,
				CPW_ENCODING_HEX, 0, false, "{timestamp}{body}",
			"x-signature-timestamp", NULL, NULL},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.id_paths = LIST("id"),
		.event_paths = LIST("event.type", "data.name"),
		.handshake = CPW_HANDSHAKE_DISCORD,
		.texts = {
			COMMON_TEXTS("X-Signature-Ed25519", "128 hex digits"),
			[CPW_SIGNATURE_NO_ID] = "What is signed has no id",
			[CPW_SIGNATURE_NO_TIMESTAMP] =
			"There is no timestamp in X-Signature-Timestamp, or it is none, "
			"or it came more than once",
			[CPW_SIGNATURE_STALE] =
			"The timestamp in X-Signature-Timestamp is further from now than "
			"ToleranceSeconds: a delivery sent again by somebody else, or a "
			"clock that is wrong",
			[CPW_SIGNATURE_MISMATCH] =
			"X-Signature-Ed25519 is not the signature of timestamp and body "
			"with the key whose public part PublicKey is",
		},
	},

	/* https://developers.facebook.com/docs/graph-api/webhooks/getting-started */
	[CPW_AUTHENTICATION_META] = {
		.name = "META",
		.ways = {
			{"x-hub-signature-256", "sha256=", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_HEX, .template = "{body}"},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.event_paths = LIST("object"),
		.handshake = CPW_HANDSHAKE_META,
		.texts = {
			SIGNATURE_TEXTS("X-Hub-Signature-256",
							"\"sha256=\" and 64 hex digits")
		},
	},

	/*
	 * X signs its challenges with the key of its events, without any
	 * authentication: what has a challenge's form must never be a body.
	 * https://docs.x.com/x-api/webhooks/quickstart
	 */
	[CPW_AUTHENTICATION_X] = {
		.name = "X",
		.ways = {
			{"x-twitter-webhooks-signature", "sha256=", CPW_ALGORITHM_SHA256,
			CPW_ENCODING_BASE64, .template = "{body}"},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.no_bare_tokens = true,
		.event_paths = LIST("*_events"),
		.handshake = CPW_HANDSHAKE_X,
		.texts = {
			SIGNATURE_TEXTS("X-Twitter-Webhooks-Signature",
							"\"sha256=\" and 44 characters of base64")
		},
	},

	/*
	 * Graph signs nothing: each notification holds the clientState that its
	 * subscription was made with.
	 * https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
	 */
	[CPW_AUTHENTICATION_MICROSOFT_GRAPH] = {
		.name = "MICROSOFT_GRAPH",
		.key_encoding = CPW_ENCODING_PLAIN,
		.body_token = "clientState",
		.event_paths = LIST("value.0.changeType", "value.0.lifecycleEvent"),
		.handshake = CPW_HANDSHAKE_GRAPH,
		.texts = {
			TOKEN_TEXTS("clientState of a notification", "a text",
						"the webhook's secret")
		},
	},

	/* RFC 6750, RFC 7617 */
	[CPW_AUTHENTICATION_BEARER] = {
		.name = "BEARER",
		.ways = {
			{"authorization", "Bearer ", CPW_ALGORITHM_TOKEN,
			CPW_ENCODING_PLAIN, .any_case = true},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.texts = {TOKEN_TEXTS("Authorization", "\"Bearer \" and a token",
							  "the webhook's secret")},
	},
	[CPW_AUTHENTICATION_BASIC] = {
		.name = "BASIC",
		.ways = {
			{"authorization", "Basic ", CPW_ALGORITHM_TOKEN,
			CPW_ENCODING_BASE64, .any_case = true},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.texts = {
			TOKEN_TEXTS("Authorization", "\"Basic \" and base64",
						"UserName and the webhook's secret")
		},
	},
	[CPW_AUTHENTICATION_API_KEY] = {
		.name = "API_KEY",
		.ways = {
			{NULL, "", CPW_ALGORITHM_TOKEN, CPW_ENCODING_PLAIN,
			.any_case = false},
		},
		.key_encoding = CPW_ENCODING_PLAIN,
		.takes_headers = true,
		.texts = {
			TOKEN_TEXTS("The header that HeaderName says",
						"Prefix and a key", "the webhook's secret")
		},
	},
};

const CpwScheme *
cpw_scheme_of(CpwAuthentication authentication)
{
	if ((unsigned int) authentication >= CPW_AUTHENTICATION_COUNT ||
		schemes[authentication].name == NULL)
		return NULL;
	return &schemes[authentication];
}

const CpwScheme *
cpw_scheme_find(const char *name)
{
	for (int i = 0; i < CPW_AUTHENTICATION_COUNT; i++)
		if (schemes[i].name != NULL && strcmp(schemes[i].name, name) == 0)
			return &schemes[i];
	return NULL;
}

CpwAuthentication
cpw_scheme_authentication(const CpwScheme *scheme)
{
	return scheme == NULL ? CPW_AUTHENTICATION_NONE :
		(CpwAuthentication) (scheme - schemes);
}

int
cpw_scheme_way_count(const CpwScheme *scheme)
{
	int			count = 0;

	while (scheme != NULL && count < CPW_MAX_WAYS &&
		   scheme->ways[count].prefix != NULL)
		count++;
	return count;
}

bool
cpw_scheme_signs(const CpwScheme *scheme)
{
	return cpw_scheme_way_count(scheme) > 0 &&
		scheme->ways[0].algorithm != CPW_ALGORITHM_TOKEN;
}

bool
cpw_scheme_reads_body(const CpwScheme *scheme)
{
	return scheme != NULL &&
		(scheme->id_paths != NULL || scheme->event_paths != NULL ||
		 scheme->body_token != NULL);
}

/* The first header, not empty, of the first name that has one. */
static const CpwHeader *
find_first(const CpwHeaders *headers, const char *const *names)
{
	for (; names != NULL && *names != NULL; names++)
	{
		const CpwHeader *header = cpw_headers_find(headers, *names, NULL);

		if (header != NULL && header->value_length > 0)
			return header;
	}
	return NULL;
}

bool
cpw_scheme_has_header(const char *const *names, const CpwHeaders *headers)
{
	return find_first(headers, names) != NULL;
}

const CpwHeader *
cpw_scheme_delivery_id(const CpwScheme *scheme, const CpwHeaders *headers)
{
	const CpwHeader *own = scheme == NULL ? NULL :
		find_first(headers, scheme->id_headers);

	return own != NULL ? own : cpw_headers_delivery_id(headers);
}

const CpwHeader *
cpw_scheme_event(const CpwScheme *scheme, const CpwHeaders *headers)
{
	const CpwHeader *own = scheme == NULL ? NULL :
		find_first(headers, scheme->event_headers);

	return own != NULL ? own : cpw_headers_event(headers);
}

bool
cpw_scheme_is_ping(const CpwScheme *scheme, const CpwHeaders *headers)
{
	static const char ping[] = "diagnostics:ping";
	const CpwHeader *event;

	if (scheme == NULL)
		return false;
	if (scheme->handshake == CPW_HANDSHAKE_GITHUB)
		return cpw_headers_is_ping(headers);
	if (scheme->handshake != CPW_HANDSHAKE_BITBUCKET)
		return false;
	event = cpw_scheme_event(scheme, headers);
	return event != NULL && event->value_length == sizeof(ping) - 1 &&
		memcmp(event->value, ping, sizeof(ping) - 1) == 0;
}
