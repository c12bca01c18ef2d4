/*
 * authentication.c
 *		authenticationConfiguration: which member belongs to which scheme, and
 *		what it may be.
 */
#include "postgres.h"

#include <limits.h>

#include "base/instant.h"
#include "base/template.h"
#include "compat.h"
#include "fmgr.h"
#include "pg/address.h"
#include "pg/authentication.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#define MAX_TOLERANCE	86400
#define MAX_RANGES		200

/* ---- values of members: NULL, or what is wrong with one as a clause ---- */

static const char *
check_range(const JsonbValue *value)
{
	return cpw_address_range_fault(cpw_json_string(value));
}

/* The ranges of a list, or of a text with commas; NIL for another type. */
static List *
read_ranges(const JsonbValue *value)
{
	JsonbContainer *array = cpw_json_container(value);
	List	   *ranges = NIL;

	if (value->type == jbvString)
	{
		char	   *text = cpw_json_string(value);

		for (char *rest = text; rest != NULL;)
		{
			char	   *range = strsep(&rest, ",");
			size_t		length;

			range += strspn(range, " ");
			length = strlen(range);
			while (length > 0 && range[length - 1] == ' ')
				range[--length] = '\0';
			ranges = lappend(ranges, range);
		}
		return ranges;
	}
	if (array == NULL || !JsonContainerIsArray(array))
		return NIL;
	for (int i = 0; i < cpw_json_length(array); i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(array, i);

		if (element->type != jbvString)
			return NIL;
		ranges = lappend(ranges, cpw_json_string(element));
	}
	return ranges;
}

static const char *
check_ranges(const JsonbValue *value)
{
	List	   *ranges = read_ranges(value);
	ListCell   *cell;

	if (ranges == NIL)
		return "is no list of ranges";
	if (list_length(ranges) > MAX_RANGES)
		return psprintf("has more than %d ranges", MAX_RANGES);
	foreach(cell, ranges)
	{
		const char *fault = cpw_address_range_fault(lfirst(cell));

		if (fault != NULL)
			return psprintf("has a range, '%s', that %s",
							(char *) lfirst(cell), fault);
	}
	return NULL;
}

/* Seconds as a text of digits or as a number; -1: neither. */
static int64
read_seconds(const JsonbValue *value)
{
	const char *text;
	char	   *end;
	long		seconds;

	if (value->type == jbvNumeric)
		text = numeric_normalize(value->val.numeric);
	else if (value->type == jbvString)
		text = cpw_json_string(value);
	else
		return -1;
	if (*text == '\0' || strlen(text) > 9 ||
		strspn(text, "0123456789") != strlen(text))
		return -1;
	seconds = strtol(text, &end, 10);
	return seconds;
}

static const char *
check_tolerance(const JsonbValue *value)
{
	int64		seconds = read_seconds(value);

	if (seconds < 1 || seconds > MAX_TOLERANCE)
		return psprintf("is no number of seconds from 1 to %d", MAX_TOLERANCE);
	return NULL;
}

static const char *
check_template(const JsonbValue *value)
{
	CpwTemplate template;
	size_t		position;
	const char *fault = cpw_template_parse(cpw_json_string(value), &template,
										   &position);

	if (fault != NULL)
		return psprintf("cannot be read at character %d: %s",
						(int) position + 1, fault);
	if (cpw_template_has(&template, CPW_PIECE_FORM))
		return "has an element that is none of body, timestamp, id, url and header:name";
	if (!cpw_template_has(&template, CPW_PIECE_BODY))
		return "lacks {body}: nothing would be signed of what is delivered";
	return NULL;
}

static const char *
check_public_key(const JsonbValue *value)
{
	return cpw_signature_is_public_key(cpw_json_string(value)) ? NULL :
		"is no ed25519 public key: 64 hex digits, or whpk_ and base64";
}

static const char *
check_user_name(const JsonbValue *value)
{
	return strchr(cpw_json_string(value), ':') == NULL ? NULL :
		"has a colon, behind which the password begins";
}

static const char *
check_separator(const JsonbValue *value)
{
	const char *text = cpw_json_string(value);

	return strlen(text) == 1 && *text >= ' ' && *text <= '~' ? NULL :
		"is no single character of ASCII";
}

static const char *
check_expires(const JsonbValue *value)
{
	int64_t		seconds;

	return cpw_instant_parse(value->val.string.val,
							 (size_t) value->val.string.len, &seconds) ? NULL :
		"is no timestamp such as 2031-01-31T12:00:00Z";
}

/* ---- the members ---- */

typedef enum Member
{
	SECRET_TOKEN,
	ALLOWED_IP_RANGE,
	ALLOWED_IP_RANGES,
	HEADER_NAME,
	USER_NAME,
	PUBLIC_KEY,
	VERIFY_TOKEN,
	ALGORITHM,
	ENCODING,
	KEY_ENCODING,
	PREFIX,
	SEPARATOR,
	SIGNED_TEMPLATE,
	TIMESTAMP_HEADER,
	TOLERANCE_SECONDS,
	PREVIOUS_SECRET_TOKEN,
	PREVIOUS_SECRET_TOKEN_EXPIRES,
	KEEP_PREVIOUS_SECRET_FOR,
	MEMBER_COUNT
} Member;

typedef struct MemberRule
{
	const char *name;
	bool		is_secret;
	const char *(*fault) (const JsonbValue *value); /* NULL: all is well */
	const char *hint;
	bool		is_private;		/* what is wrong could be a secret: no quoting */
} MemberRule;

static const MemberRule members[MEMBER_COUNT] = {
	[SECRET_TOKEN] = {"SecretToken", .is_secret = true},
	[ALLOWED_IP_RANGE] = {
		"AllowedIPRange", .fault = check_range,
		.hint = "Give one range such as 192.0.2.0/24 or 2001:db8::/32, or one address."
	},
	[ALLOWED_IP_RANGES] = {
		"AllowedIPRanges", .fault = check_ranges,
		.hint = "Give a list such as [\"192.0.2.0/24\", \"2001:db8::/32\"], or a text with commas."
	},
	[HEADER_NAME] = {.name = "HeaderName"},
	[USER_NAME] = {
		"UserName", .fault = check_user_name, .is_private = true,
		.hint = "Give the name without the password, which is SecretToken."
	},
	[PUBLIC_KEY] = {
		"PublicKey", .fault = check_public_key, .is_private = true,
		.hint = "Give the key as the sender shows it."
	},
	[VERIFY_TOKEN] = {"VerifyToken", .is_secret = true},
	[ALGORITHM] = {.name = "Algorithm"},
	[ENCODING] = {.name = "Encoding"},
	[KEY_ENCODING] = {.name = "KeyEncoding"},
	[PREFIX] = {.name = "Prefix"},
	[SEPARATOR] = {
		"Separator", .fault = check_separator,
		.hint = "Give the character between two signatures, such as a comma."
	},
	[SIGNED_TEMPLATE] = {
		"SignedTemplate", .fault = check_template,
		.hint = "Write what is signed, such as {timestamp}.{body}; a brace of the text itself is doubled."
	},
	[TIMESTAMP_HEADER] = {.name = "TimestampHeader"},
	[TOLERANCE_SECONDS] = {
		"ToleranceSeconds", .fault = check_tolerance,
		.hint = "Give the seconds that a timestamp may be from now, such as \"300\"."
	},
	[PREVIOUS_SECRET_TOKEN] = {"PreviousSecretToken", .is_secret = true},
	[PREVIOUS_SECRET_TOKEN_EXPIRES] = {
		"PreviousSecretTokenExpires", .fault = check_expires,
		.hint = "Give the end as RFC 3339 has it, with Z or an offset."
	},
	[KEEP_PREVIOUS_SECRET_FOR] = {.name = "KeepPreviousSecretFor"},
};

/* ---- the schemes ---- */

#define TAKES(member)	(1U << (member))

#define ROTATION \
	(TAKES(PREVIOUS_SECRET_TOKEN) | TAKES(PREVIOUS_SECRET_TOKEN_EXPIRES) | \
	 TAKES(KEEP_PREVIOUS_SECRET_FOR))
#define OURS		(ROTATION | TAKES(ALLOWED_IP_RANGES))
#define TIMED		(OURS | TAKES(TOLERANCE_SECONDS))

#define SET(example) \
	"Set authenticationConfiguration to " example "."
#define SET_SECRET		SET("{\"SecretToken\": \"...\"}")

/* Which members an authentication takes: these, and no others. */
typedef struct AuthenticationRule
{
	const char *authentication;
	unsigned int required;
	unsigned int optional;
	unsigned int one_of;		/* at least one of these, too */
	const char *hint;
} AuthenticationRule;

static const AuthenticationRule rules[] = {
	{"GITHUB_HMAC", TAKES(SECRET_TOKEN), 0, 0, SET_SECRET},
	{"IP", TAKES(ALLOWED_IP_RANGE), 0, 0,
	SET("{\"AllowedIPRange\": \"192.0.2.0/24\"}")},
	{"UNAUTHENTICATED", 0, 0, 0, SET("{}")},
	{"HMAC", TAKES(SECRET_TOKEN) | TAKES(HEADER_NAME),
		TIMED | TAKES(ALGORITHM) | TAKES(ENCODING) | TAKES(KEY_ENCODING) |
		TAKES(PREFIX) | TAKES(SEPARATOR) | TAKES(SIGNED_TEMPLATE) |
		TAKES(TIMESTAMP_HEADER), 0,
	SET("{\"SecretToken\": \"...\", \"HeaderName\": \"X-Signature\"}, and say Algorithm, Encoding, Prefix, SignedTemplate where they are not sha256, hex, nothing and {body}")},
	{"STANDARD_WEBHOOKS", 0, TIMED | TAKES(SECRET_TOKEN) | TAKES(PUBLIC_KEY),
		TAKES(SECRET_TOKEN) | TAKES(PUBLIC_KEY),
	SET("{\"SecretToken\": \"whsec_...\"}, or to {\"PublicKey\": \"whpk_...\"} where the sender signs with ed25519")},
	{"GITLAB_TOKEN", TAKES(SECRET_TOKEN), OURS, 0, SET_SECRET},
	{"BITBUCKET_HMAC", TAKES(SECRET_TOKEN), OURS, 0, SET_SECRET},
	{"GITEA_HMAC", TAKES(SECRET_TOKEN), OURS, 0, SET_SECRET},
	{"STRIPE", TAKES(SECRET_TOKEN), TIMED, 0,
	SET("{\"SecretToken\": \"whsec_...\"}, the signing secret of the endpoint")},
	{"SLACK", TAKES(SECRET_TOKEN), TIMED, 0,
	SET("{\"SecretToken\": \"...\"}, the signing secret of the app")},
	{"SHOPIFY", TAKES(SECRET_TOKEN), OURS, 0,
	SET("{\"SecretToken\": \"...\"}, the client secret of the app")},
	{"TWILIO", TAKES(SECRET_TOKEN), OURS, 0,
	SET("{\"SecretToken\": \"...\"}, the auth token of the account")},
	{"ZOOM", TAKES(SECRET_TOKEN), TIMED, 0,
	SET("{\"SecretToken\": \"...\"}, the secret token of the app")},
	{"DISCORD", TAKES(PUBLIC_KEY),
		TAKES(ALLOWED_IP_RANGES) | TAKES(TOLERANCE_SECONDS), 0,
	SET("{\"PublicKey\": \"...\"}, the public key of the application")},
	{"META", TAKES(SECRET_TOKEN) | TAKES(VERIFY_TOKEN), OURS, 0,
	SET("{\"SecretToken\": \"...\", \"VerifyToken\": \"...\"}, the app's secret and the text that you enter at Meta as well")},
	{"X", TAKES(SECRET_TOKEN), OURS, 0,
	SET("{\"SecretToken\": \"...\"}, the consumer secret of the app")},
	{"MICROSOFT_GRAPH", TAKES(SECRET_TOKEN), OURS, 0,
	SET("{\"SecretToken\": \"...\"}, the clientState of the subscription")},
	{"BEARER", TAKES(SECRET_TOKEN), OURS, 0, SET_SECRET},
	{"BASIC", TAKES(SECRET_TOKEN) | TAKES(USER_NAME), OURS, 0,
	SET("{\"UserName\": \"...\", \"SecretToken\": \"...\"}, the password")},
	{"API_KEY", TAKES(SECRET_TOKEN) | TAKES(HEADER_NAME), OURS | TAKES(PREFIX), 0,
	SET("{\"SecretToken\": \"...\", \"HeaderName\": \"X-Api-Key\"}")},
};

static const AuthenticationRule *
find_rule(const char *authentication)
{
	for (size_t i = 0; i < lengthof(rules); i++)
		if (strcmp(rules[i].authentication, authentication) == 0)
			return &rules[i];
	return NULL;
}

static JsonbValue *
get(JsonbContainer *configuration, Member member)
{
	return cpw_json_get(configuration, members[member].name);
}

static char *
get_text(JsonbContainer *configuration, Member member)
{
	return cpw_json_get_text(configuration, members[member].name);
}

/* ---- checking ---- */

void
cpw_authentication_add_problem(CpwProblems *problems, const char *place,
							   const char *member, const char *hint,
							   const char *text)
{
	cpw_errors_add(problems, CPW_INVALID_WEBHOOK_AUTHENTICATION_PARAMETERS,
				   psprintf("%s.authenticationConfiguration%s%s", place,
							member ? "." : "", member ? member : ""),
				   hint, "%s", text);
}

static void
check_member(const AuthenticationRule *rule, Member member,
			 JsonbContainer *configuration, const char *place,
			 CpwProblems *problems)
{
	const MemberRule *of_member = &members[member];
	JsonbValue *value = get(configuration, member);
	const char *fault;

	if (value == NULL)
	{
		if (rule->required & TAKES(member))
			cpw_authentication_add_problem(problems, place, NULL, rule->hint,
										   psprintf("%s needs %s",
													rule->authentication,
													of_member->name));
		return;
	}
	if (((rule->required | rule->optional) & TAKES(member)) == 0)
	{
		cpw_authentication_add_problem(problems, place, of_member->name,
									   rule->hint,
									   psprintf("%s takes no %s",
												rule->authentication,
												of_member->name));
		return;
	}
	if (of_member->fault == NULL)
		return;
	fault = of_member->fault(value);
	if (fault == NULL)
		return;
	cpw_authentication_add_problem(problems, place, of_member->name,
								   of_member->hint,
								   value->type == jbvString &&
								   !of_member->is_private ?
								   psprintf("'%s' %s", cpw_json_string(value),
											fault) :
								   psprintf("%s %s", of_member->name, fault));
}

/* One member that is of no use without another. */
static void
check_pair(Member member, Member other, JsonbContainer *configuration,
		   const char *place, const char *hint, CpwProblems *problems)
{
	if (get(configuration, member) != NULL &&
		get(configuration, other) == NULL)
		cpw_authentication_add_problem(problems, place, members[member].name,
									   hint,
									   psprintf("%s needs %s",
												members[member].name,
												members[other].name));
}

/* What HMAC signs must go with the header of its timestamp. */
static void
check_timestamp(JsonbContainer *configuration, const char *place,
				CpwProblems *problems)
{
	char	   *header = get_text(configuration, TIMESTAMP_HEADER);
	char	   *text = get_text(configuration, SIGNED_TEMPLATE);
	CpwTemplate template;
	size_t		position;
	bool		is_signed = false;

	if (text == NULL)
		text = "{body}";
	if (cpw_template_parse(text, &template, &position) != NULL)
		return;
	for (int i = 0; header != NULL && i < template.count; i++)
		is_signed |= template.pieces[i].kind == CPW_PIECE_HEADER &&
			template.pieces[i].length == strlen(header) &&
			pg_strncasecmp(template.pieces[i].text, header,
						   strlen(header)) == 0;
	is_signed |= cpw_template_has(&template, CPW_PIECE_TIMESTAMP);
	if (header == NULL && is_signed)
		cpw_authentication_add_problem(problems, place, "SignedTemplate",
									   "Set TimestampHeader to the header that has the timestamp.",
									   "{timestamp} in SignedTemplate needs TimestampHeader");
	if (header != NULL && !is_signed)
		cpw_authentication_add_problem(problems, place, "TimestampHeader",
									   "Write {timestamp} into SignedTemplate where the sender signs it, or leave TimestampHeader out.",
									   "TimestampHeader is not signed: SignedTemplate has no {timestamp}");
}

static void
check_one_of(const AuthenticationRule *rule, JsonbContainer *configuration,
			 const char *place, CpwProblems *problems)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < MEMBER_COUNT; i++)
	{
		if ((rule->one_of & TAKES(i)) == 0)
			continue;
		if (get(configuration, i) != NULL)
			return;
		appendStringInfo(&names, "%s%s", names.len > 0 ? " or " : "",
						 members[i].name);
	}
	if (names.len > 0)
		cpw_authentication_add_problem(problems, place, NULL, rule->hint,
									   psprintf("%s needs %s",
												rule->authentication,
												names.data));
}

void
cpw_authentication_check(const char *authentication,
						 JsonbContainer *configuration, const char *place,
						 CpwProblems *problems)
{
	const AuthenticationRule *rule = find_rule(authentication);

	for (int i = 0; i < MEMBER_COUNT; i++)
		check_member(rule, i, configuration, place, problems);
	check_one_of(rule, configuration, place, problems);
	if ((rule->optional & ROTATION) != 0)
	{
		check_pair(PREVIOUS_SECRET_TOKEN, SECRET_TOKEN, configuration, place,
				   rule->hint, problems);
		check_pair(KEEP_PREVIOUS_SECRET_FOR, SECRET_TOKEN, configuration,
				   place, rule->hint, problems);
	}
	if ((rule->optional & TAKES(TIMESTAMP_HEADER)) == 0)
		return;
	check_pair(TOLERANCE_SECONDS, TIMESTAMP_HEADER, configuration, place,
			   "Set TimestampHeader to the header that has the timestamp.",
			   problems);
	check_timestamp(configuration, place, problems);
}

bool
cpw_authentication_takes(const char *authentication, const char *member)
{
	const AuthenticationRule *rule = find_rule(authentication);

	for (int i = 0; i < MEMBER_COUNT; i++)
		if (strcmp(members[i].name, member) == 0)
			return ((rule->required | rule->optional) & TAKES(i)) != 0;
	return false;
}

/* ---- storing and showing ---- */

void
cpw_authentication_read_secrets(JsonbContainer *configuration,
								CpwSecrets *secrets)
{
	secrets->token = get_text(configuration, SECRET_TOKEN);
	secrets->previous = get_text(configuration, PREVIOUS_SECRET_TOKEN);
	secrets->verify = get_text(configuration, VERIFY_TOKEN);
}

Jsonb *
cpw_authentication_store(const char *authentication,
						 JsonbContainer *configuration,
						 const CpwSecrets *secrets, const char *expires)
{
	const AuthenticationRule *rule = find_rule(authentication);
	CpwJsonWriter writer = {0};

	cpw_json_open_object(&writer, NULL);
	for (int i = 0; i < MEMBER_COUNT; i++)
	{
		const char *name = members[i].name;
		JsonbValue *value = get(configuration, i);

		if (members[i].is_secret)
		{
			bool		is_there = i == PREVIOUS_SECRET_TOKEN ?
				secrets->previous != NULL : value != NULL;

			if (is_there && (rule->optional & TAKES(i)) != 0)
				cpw_json_add_text(&writer, name, CPW_MASK);
		}
		else if (i == PREVIOUS_SECRET_TOKEN_EXPIRES && expires != NULL)
			cpw_json_add_text(&writer, name, expires);
		else if (value != NULL)
			cpw_json_add_value(&writer, name, value);
	}
	cpw_json_close_object(&writer);
	return cpw_json_finish(&writer);
}

void
cpw_authentication_show(CpwJsonWriter *writer, const char *authentication,
						JsonbContainer *configuration)
{
	const AuthenticationRule *rule = find_rule(authentication);

	for (int i = 0; i < MEMBER_COUNT; i++)
	{
		JsonbValue *value = get(configuration, i);

		if (members[i].is_secret)
		{
			if (value != NULL ||
				(rule != NULL && (rule->required & TAKES(i)) != 0))
				cpw_json_add_text(writer, members[i].name, CPW_MASK);
		}
		else if (value != NULL)
			cpw_json_add_value(writer, members[i].name, value);
	}
}

/* ---- what the verifier is told ---- */

typedef struct Word
{
	const char *word;
	int			value;
} Word;

static const Word algorithms[] = {
	{"sha1", CPW_ALGORITHM_SHA1},
	{"sha256", CPW_ALGORITHM_SHA256},
	{"sha384", CPW_ALGORITHM_SHA384},
	{"sha512", CPW_ALGORITHM_SHA512},
	{NULL, 0}
};

static const Word encodings[] = {
	{"utf8", CPW_ENCODING_PLAIN},
	{"hex", CPW_ENCODING_HEX},
	{"base64", CPW_ENCODING_BASE64},
	{"base64url", CPW_ENCODING_BASE64URL},
	{NULL, 0}
};

static int
read_word(JsonbContainer *configuration, Member member, const Word *words,
		  int if_absent)
{
	char	   *text = get_text(configuration, member);

	for (; text != NULL && words->word != NULL; words++)
		if (strcmp(words->word, text) == 0)
			return words->value;
	return if_absent;
}

bool
cpw_authentication_settings(const char *authentication,
							JsonbContainer *configuration,
							const CpwSecrets *secrets,
							CpwSignatureSettings *settings)
{
	const CpwScheme *scheme = cpw_scheme_find(authentication);
	char	   *expires = get_text(configuration, PREVIOUS_SECRET_TOKEN_EXPIRES);
	char	   *separator = get_text(configuration, SEPARATOR);
	JsonbValue *tolerance = get(configuration, TOLERANCE_SECONDS);

	if (scheme == NULL)
		return false;
	cpw_signature_settings_init(settings, cpw_scheme_authentication(scheme));
	settings->secret = secrets->token;
	settings->secret_length = secrets->token ? strlen(secrets->token) : 0;
	if (secrets->previous != NULL && expires != NULL)
	{
		settings->previous_secret = secrets->previous;
		settings->previous_secret_length = strlen(secrets->previous);
		if (!cpw_instant_parse(expires, strlen(expires),
							   &settings->previous_expires))
			settings->previous_secret = NULL;
	}
	settings->user_name = get_text(configuration, USER_NAME);
	settings->public_key = get_text(configuration, PUBLIC_KEY);
	if (tolerance != NULL && check_tolerance(tolerance) == NULL)
		settings->tolerance = read_seconds(tolerance);
	if (!scheme->takes_headers)
		return true;
	settings->header = get_text(configuration, HEADER_NAME);
	settings->timestamp_header = get_text(configuration, TIMESTAMP_HEADER);
	if (get(configuration, SIGNED_TEMPLATE) != NULL)
		settings->template = get_text(configuration, SIGNED_TEMPLATE);
	if (get(configuration, PREFIX) != NULL)
		settings->prefix = get_text(configuration, PREFIX);
	if (separator != NULL)
		settings->separator = *separator;
	settings->algorithm = read_word(configuration, ALGORITHM, algorithms,
									settings->algorithm);
	settings->encoding = read_word(configuration, ENCODING, encodings,
								   settings->encoding);
	settings->key_encoding = read_word(configuration, KEY_ENCODING, encodings,
									   settings->key_encoding);
	return true;
}

int
cpw_authentication_ranges(JsonbContainer *configuration, inet ***ranges)
{
	JsonbValue *list = get(configuration, ALLOWED_IP_RANGES);
	char	   *one = get_text(configuration, ALLOWED_IP_RANGE);
	List	   *texts = list != NULL ? read_ranges(list) : NIL;
	ListCell   *cell;
	int			count = 0;

	if (one != NULL)
		texts = lappend(texts, one);
	*ranges = palloc(sizeof(inet *) * Max(list_length(texts), 1));
	foreach(cell, texts)
		(*ranges)[count++] =
			DatumGetInetPP(DirectFunctionCall1(cidr_in,
											   CStringGetDatum(lfirst(cell))));
	return count;
}
