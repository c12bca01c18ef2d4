/*
 * scheme.h
 *		The senders' schemes: a row each. A new scheme is a row, not code.
 *
 * A row says where the signature stands and how it is written, what is signed
 * with which algorithm, where the sender's id and the event's name are, and
 * which handshake the sender makes before it sends anything.
 */
#ifndef CPW_SCHEME_H
#define CPW_SCHEME_H

#include "cp_webhook.h"

typedef enum CpwSignatureResult
{
	CPW_SIGNATURE_VALID,
	CPW_SIGNATURE_MISSING,		/* no signature header, or an empty one */
	CPW_SIGNATURE_REPEATED,		/* the header came more than once */
	CPW_SIGNATURE_MALFORMED,	/* not <prefix><digits> of the right length */
	CPW_SIGNATURE_NO_ID,		/* what is signed with it has no id, or two */
	CPW_SIGNATURE_NO_TIMESTAMP, /* likewise, or it is no timestamp */
	CPW_SIGNATURE_STALE,		/* the timestamp is too far from now */
	CPW_SIGNATURE_MISMATCH,		/* well formed, and wrong */
	CPW_SIGNATURE_FAILED		/* the library could not compute it */
} CpwSignatureResult;

#define CPW_SIGNATURE_RESULT_COUNT	(CPW_SIGNATURE_FAILED + 1)

typedef enum CpwAlgorithm
{
	CPW_ALGORITHM_SHA1,			/* HMAC with that hash */
	CPW_ALGORITHM_SHA256,
	CPW_ALGORITHM_SHA384,
	CPW_ALGORITHM_SHA512,
	CPW_ALGORITHM_ED25519,
	CPW_ALGORITHM_TOKEN			/* nothing is signed: it is the secret */
} CpwAlgorithm;

/* How bytes are written as text. */
typedef enum CpwEncoding
{
	CPW_ENCODING_HEX,
	CPW_ENCODING_BASE64,
	CPW_ENCODING_BASE64URL,
	CPW_ENCODING_PLAIN,			/* the text is the bytes */
	CPW_ENCODING_PREFIXED_BASE64	/* whsec_<base64>, or base64 alone */
} CpwEncoding;

/* One way to sign. Names of headers are in lower case. */
typedef struct CpwWay
{
	const char *header;			/* where the signature is */
	const char *prefix;			/* what it begins with */
	CpwAlgorithm algorithm;
	CpwEncoding encoding;		/* of the signature behind the prefix */
	char		separator;		/* between several of them; 0: there is one */
	bool		any_case;		/* the prefix may come in either case */
	const char *template;		/* what is signed: base/template.h */
	const char *timestamp_header;	/* NULL: none is signed */
	const char *timestamp_prefix;	/* or: its entry in the signature's list */
	const char *id_header;		/* of {id}; NULL: the general ones */
} CpwWay;

/* What a sender asks before, or in the place of, a delivery. */
typedef enum CpwHandshake
{
	CPW_HANDSHAKE_NONE,
	CPW_HANDSHAKE_GITHUB,		/* X-GitHub-Event: ping */
	CPW_HANDSHAKE_BITBUCKET,	/* X-Event-Key: diagnostics:ping */
	CPW_HANDSHAKE_SLACK,		/* url_verification */
	CPW_HANDSHAKE_ZOOM,			/* endpoint.url_validation */
	CPW_HANDSHAKE_DISCORD,		/* PING */
	CPW_HANDSHAKE_META,			/* GET ?hub.challenge= */
	CPW_HANDSHAKE_X,			/* GET ?crc_token= */
	CPW_HANDSHAKE_GRAPH			/* POST ?validationToken= */
} CpwHandshake;

/* What a form's body is. */
typedef enum CpwFormRule
{
	CPW_FORM_PAYLOAD,			/* JSON in the field "payload" */
	CPW_FORM_PAYLOAD_OR_FIELDS, /* that, or else its fields */
	CPW_FORM_FIELDS				/* its fields, as an object */
} CpwFormRule;

#define CPW_MAX_WAYS	5

typedef struct CpwScheme
{
	const char *name;			/* the API's word */

	/*
	 * In order of preference: the first whose header is present decides which
	 * header counts, whatever it holds. Those of one header stand together and
	 * are told apart by their prefixes. None: nothing is signed.
	 */
	CpwWay		ways[CPW_MAX_WAYS];
	CpwEncoding key_encoding;
	bool		takes_headers;	/* the configuration has the way's rest */
	bool		form_json;		/* may sign the JSON in a form's payload */
	bool		either_port;	/* may sign the URL with its port or without */
	bool		no_bare_tokens; /* a body like a challenge is never valid */
	const char *body_token;		/* the secret is in these members of "value" */

	/*
	 * Its own sources of the sender's id and the event; NULL ends a list. A
	 * path names members of the body ("event.type", "value.0.id"); "*_events"
	 * is the name of the first member that ends so.
	 */
	const char *const *id_headers;
	const char *const *id_paths;
	const char *const *event_headers;
	const char *const *event_paths;

	CpwHandshake handshake;
	CpwFormRule form_rule;

	/* What is wrong, one sentence without a final period, no value in it. */
	const char *texts[CPW_SIGNATURE_RESULT_COUNT];
} CpwScheme;

/* The longest digest, or ed25519 signature, that a header can hold. */
#define CPW_MAX_DIGEST_LENGTH	64

/* How far a timestamp may be from now, in seconds, where nothing is said. */
#define CPW_DEFAULT_TOLERANCE	300

/* The scheme of an authentication; NULL for NONE and what is none. */
extern const CpwScheme *cpw_scheme_of(CpwAuthentication authentication);

/* The scheme with that name of the API; NULL: there is none. */
extern const CpwScheme *cpw_scheme_find(const char *name);

extern CpwAuthentication cpw_scheme_authentication(const CpwScheme *scheme);

/* How many ways a scheme has; 0 for NULL. */
extern int	cpw_scheme_way_count(const CpwScheme *scheme);

/* Whether it signs the body (and not the other headers, nor the query). */
extern bool cpw_scheme_signs(const CpwScheme *scheme);

/* Whether a delivery's id or event stands in the body, or its secret does. */
extern bool cpw_scheme_reads_body(const CpwScheme *scheme);

/* The header with the sender's id, or the event: its own, then the general. */
extern const CpwHeader *cpw_scheme_delivery_id(const CpwScheme *scheme,
											   const CpwHeaders *headers);
extern const CpwHeader *cpw_scheme_event(const CpwScheme *scheme,
										 const CpwHeaders *headers);

/* Whether one of these headers (NULL ends the list) is there, not empty. */
extern bool cpw_scheme_has_header(const char *const *names,
								  const CpwHeaders *headers);

/* Whether the headers say that this is the sender's ping. */
extern bool cpw_scheme_is_ping(const CpwScheme *scheme,
							   const CpwHeaders *headers);

#endif							/* CPW_SCHEME_H */
