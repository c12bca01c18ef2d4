/*
 * sigv4.c
 *		AWS Signature Version 4: a signature taken apart and judged. The
 *		canonical form of a request is in canonical_request.c.
 */
#include "base/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/headers.h"
#include "base/hex_base64.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define ALGORITHM			"AWS4-HMAC-SHA256"
#define TERMINATOR			"aws4_request"
#define MAX_SECRET_LENGTH	256
#define KEY_ID_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* A URL that was signed beforehand is good for a week at most. */
#define MAX_EXPIRES			604800

/* The parts of a signature, as the two places name them. */
enum Part
{
	PART_CREDENTIAL,
	PART_SIGNED_HEADERS,
	PART_SIGNATURE,
	PART_ALGORITHM,
	PART_DATE,
	PART_EXPIRES
};

#define HEADER_PARTS	(PART_SIGNATURE + 1)
#define QUERY_PARTS		(PART_EXPIRES + 1)

static const struct
{
	const char *header_name;
	const char *query_name;
	const char *missing;
}			parts[] = {
	[PART_CREDENTIAL] = {"Credential", "X-Amz-Credential",
	"The signature has no Credential, or it is not of the form <key id>/<date>/<region>/<service>/aws4_request."},
	[PART_SIGNED_HEADERS] = {"SignedHeaders", "X-Amz-SignedHeaders",
	"The signature has no SignedHeaders, or they are not lower-case names in order, separated by semicolons."},
	[PART_SIGNATURE] = {"Signature", CPW_SIGNATURE_PARAMETER,
	"The signature has no Signature of 64 lower-case hexadecimal digits."},
	[PART_ALGORITHM] = {NULL, "X-Amz-Algorithm",
	"The signature is not of the algorithm AWS4-HMAC-SHA256."},
	[PART_DATE] = {NULL, "X-Amz-Date",
	"The request has no X-Amz-Date of the form YYYYMMDD'T'HHMMSS'Z', or has several."},
	[PART_EXPIRES] = {NULL, "X-Amz-Expires",
	"The signature has no X-Amz-Expires between 1 and 604800 seconds."},
};

/* Room for what any part may be. */
typedef struct Values
{
	char		text[QUERY_PARTS][CPW_SIGV4_HEADERS_SIZE];
	bool		present[QUERY_PARTS];
} Values;

static CpwSigv4Result
incomplete(enum Part part, const char **problem)
{
	*problem = parts[part].missing;
	return CPW_SIGV4_INCOMPLETE;
}

/* Keeps a part; false when it came before, or is too long, or has a NUL. */
static bool
keep(Values *values, enum Part part, const char *text, size_t length)
{
	if (values->present[part] || length >= sizeof(values->text[part]) ||
		memchr(text, '\0', length) != NULL)
		return false;
	memcpy(values->text[part], text, length);
	values->text[part][length] = '\0';
	values->present[part] = true;
	return true;
}

/* Copies text, which fits, with its NUL; returns where that is. */
static char *
append(char *at, const char *text)
{
	size_t		length = strlen(text);

	memcpy(at, text, length + 1);
	return at + length;
}

/* ---- where the parts stand ---- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
skip_blanks(const char **at, const char *end)
{
	while (*at < end && is_blank(**at))
		(*at)++;
}

/* Keeps one part; false when it is none of the three, or comes again. */
static bool
keep_part(Values *values, const char *text, size_t length)
{
	for (int part = 0; part < HEADER_PARTS; part++)
	{
		size_t		name_length = strlen(parts[part].header_name);

		if (length > name_length && text[name_length] == '=' &&
			memcmp(text, parts[part].header_name, name_length) == 0)
			return keep(values, (enum Part) part, text + name_length + 1,
						length - name_length - 1);
	}
	return false;
}

/*
 * Credential=..., SignedHeaders=..., Signature=... in any order, with one comma
 * and any blanks between them.
 */
static CpwSigv4Result
split_header(const CpwHeader *header, Values *values, const char **problem)
{
	const char *at = header->value;
	const char *end = at + header->value_length;
	size_t		length = sizeof(ALGORITHM) - 1;

	if (header->value_length <= length || memcmp(at, ALGORITHM, length) != 0 ||
		!is_blank(at[length]))
		return incomplete(PART_ALGORITHM, problem);
	at += length;
	for (;;)
	{
		const char *part;
		bool		kept;

		skip_blanks(&at, end);
		for (part = at; at < end && !is_blank(*at) && *at != ','; at++)
			 /* to the part's end */ ;
		kept = keep_part(values, part, (size_t) (at - part));
		skip_blanks(&at, end);
		if (kept && at == end)
			return CPW_SIGV4_VALID;
		if (!kept || *at != ',')
			break;
		at++;
	}
	*problem = "The Authorization header holds something else than one Credential, one SignedHeaders and one Signature, separated by commas.";
	return CPW_SIGV4_INCOMPLETE;
}

static CpwSigv4Result
split_query(const CpwSigv4Request *request, Values *values,
			const char **problem)
{
	for (int part = 0; part < QUERY_PARTS; part++)
	{
		int			count;
		long		length = cpw_query_find(request->target,
											request->target_length,
											parts[part].query_name,
											values->text[part],
											sizeof(values->text[part]), &count);

		values->present[part] = count == 1 && length >= 0;
		if (!values->present[part])
			return incomplete((enum Part) part, problem);
	}
	if (strcmp(values->text[PART_ALGORITHM], ALGORITHM) != 0)
		return incomplete(PART_ALGORITHM, problem);
	return CPW_SIGV4_VALID;
}

/* ---- what the parts say ---- */

/* <key id>/<date>/<region>/<service>/aws4_request, none of them empty. */
static bool
split_credential(CpwSigv4 *signature, const char *text)
{
	const char **fields[] = {&signature->key_id, &signature->date,
	&signature->region, &signature->service, &signature->terminator};
	char	   *at = signature->credential;

	if (strlen(text) >= sizeof(signature->credential))
		return false;
	(void) append(at, text);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
	{
		bool		last = fields[i] == &signature->terminator;
		char	   *slash = strchr(at, '/');

		if (*at == '\0' || at == slash || (slash == NULL) != last)
			return false;
		*fields[i] = at;
		if (slash == NULL)
			break;
		*slash = '\0';
		at = slash + 1;
	}
	/* What a look-up is made with. */
	return strspn(signature->key_id, KEY_ID_CHARACTERS) ==
		strlen(signature->key_id);
}

/* Names of headers, each once, in order. */
static bool
check_signed_headers(const char *text)
{
	const char *previous = NULL;
	size_t		previous_length = 0;

	for (;;)
	{
		size_t		length = strcspn(text, ";");
		size_t		common = length < previous_length ? length : previous_length;
		int			order = previous != NULL ?
			memcmp(previous, text, common) : -1;

		if (length == 0 || order > 0 ||
			(order == 0 && previous_length >= length))
			return false;
		for (size_t i = 0; i < length; i++)
			if ((text[i] >= 'A' && text[i] <= 'Z') ||
				text[i] <= ' ' || text[i] == ':' || text[i] == 0x7F)
				return false;
		if (text[length] == '\0')
			return true;
		previous = text;
		previous_length = length;
		text += length + 1;
	}
}

static bool
is_signed(const char *signed_headers, const char *name, size_t length)
{
	for (const char *at = signed_headers;; at++)
	{
		size_t		found = strcspn(at, ";");

		if (found == length && memcmp(at, name, length) == 0)
			return true;
		at += found;
		if (*at == '\0')
			return false;
	}
}

static int
digits(const char *text, int count)
{
	int			number = 0;

	for (int i = 0; i < count; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

/* 20150830T123600Z; the days as H. Hinnant's days_from_civil counts them. */
static bool
read_instant(CpwSigv4 *signature, const char *text, size_t length)
{
	int			year,
				month,
				day,
				hour,
				minute,
				second;
	int64_t		days;

	if (length != 16 || text[8] != 'T' || text[15] != 'Z')
		return false;
	year = digits(text, 4);
	month = digits(text + 4, 2);
	day = digits(text + 6, 2);
	hour = digits(text + 9, 2);
	minute = digits(text + 11, 2);
	second = digits(text + 13, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
		second < 0 || second > 60)
		return false;
	/* Years begin in March, so that the odd day is their last. */
	if (month <= 2)
		year--;
	days = (int64_t) year * 365 + year / 4 - year / 100 + year / 400 +
		(153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
	signature->signed_at = days * 86400 + hour * 3600 + minute * 60 + second;
	memcpy(signature->instant, text, length);
	signature->instant[length] = '\0';
	return true;
}

static bool
read_expires(CpwSigv4 *signature, const char *text)
{
	size_t		length = strlen(text);

	if (length < 1 || length > 6)
		return false;
	signature->expires = digits(text, (int) length);
	return signature->expires >= 1 && signature->expires <= MAX_EXPIRES;
}

static bool
read_signature(CpwSigv4 *signature, const char *text)
{
	/* One spelling a signature: an upper-case digit is another one. */
	return strspn(text, "0123456789abcdef") == strlen(text) &&
		cpw_hex_decode(text, strlen(text), signature->signature,
					   CPW_SHA256_SIZE) == CPW_SHA256_SIZE;
}

/* Names of headers that a signature must cover where they are present. */
static bool
must_be_signed(const CpwHeader *header)
{
	static const char prefix[] = "x-amz-";
	static const char type[] = "content-type";
	static const char host[] = "host";

	if (header->name_length >= sizeof(prefix) - 1 &&
		memcmp(header->name, prefix, sizeof(prefix) - 1) == 0)
		return true;
	return (header->name_length == sizeof(type) - 1 &&
			memcmp(header->name, type, sizeof(type) - 1) == 0) ||
		(header->name_length == sizeof(host) - 1 &&
		 memcmp(header->name, host, sizeof(host) - 1) == 0);
}

static CpwSigv4Result
check_coverage(const CpwSigv4 *signature, const CpwSigv4Request *request,
			   const char **problem)
{
	if (!is_signed(signature->signed_headers, "host", 4) ||
		(!signature->in_query &&
		 !is_signed(signature->signed_headers, "x-amz-date", 10)))
	{
		*problem = "The signature must cover the headers host and x-amz-date.";
		return CPW_SIGV4_INCOMPLETE;
	}
	for (int i = 0; i < request->headers->count; i++)
	{
		const CpwHeader *header = &request->headers->items[i];

		if (must_be_signed(header) &&
			!is_signed(signature->signed_headers, header->name,
					   header->name_length))
		{
			*problem = "The signature must cover the header content-type and every header that begins with x-amz-.";
			return CPW_SIGV4_INVALID;
		}
	}
	return CPW_SIGV4_VALID;
}

CpwSigv4Result
cpw_sigv4_parse(const CpwSigv4Request *request, CpwSigv4 *signature,
				const char **problem)
{
	Values		values = {0};
	int			authorizations;
	int			dates;
	int			in_query;
	char		ignored[1];
	const CpwHeader *header = cpw_headers_find(request->headers,
											   "authorization",
											   &authorizations);
	const CpwHeader *date = cpw_headers_find(request->headers, "x-amz-date",
											 &dates);
	CpwSigv4Result result;

	memset(signature, 0, sizeof(*signature));
	(void) cpw_query_find(request->target, request->target_length,
						  CPW_SIGNATURE_PARAMETER, ignored, sizeof(ignored),
						  &in_query);
	if (header == NULL && in_query == 0)
	{
		*problem = "The request is not signed.";
		return CPW_SIGV4_MISSING;
	}
	if (authorizations + in_query > 1)
	{
		*problem = "The request is signed more than once.";
		return CPW_SIGV4_INCOMPLETE;
	}
	signature->in_query = header == NULL;
	result = header != NULL ? split_header(header, &values, problem)
		: split_query(request, &values, problem);
	if (result != CPW_SIGV4_VALID)
		return result;

	signature->expires = -1;
	if (!values.present[PART_CREDENTIAL] ||
		!split_credential(signature, values.text[PART_CREDENTIAL]))
		return incomplete(PART_CREDENTIAL, problem);
	if (!values.present[PART_SIGNED_HEADERS] ||
		!check_signed_headers(values.text[PART_SIGNED_HEADERS]))
		return incomplete(PART_SIGNED_HEADERS, problem);
	(void) append(signature->signed_headers, values.text[PART_SIGNED_HEADERS]);
	if (!values.present[PART_SIGNATURE] ||
		!read_signature(signature, values.text[PART_SIGNATURE]))
		return incomplete(PART_SIGNATURE, problem);
	if (signature->in_query
		? !read_instant(signature, values.text[PART_DATE],
						strlen(values.text[PART_DATE]))
		: dates != 1 || !read_instant(signature, date->value,
									  date->value_length))
		return incomplete(PART_DATE, problem);
	if (signature->in_query &&
		!read_expires(signature, values.text[PART_EXPIRES]))
		return incomplete(PART_EXPIRES, problem);
	return check_coverage(signature, request, problem);
}

CpwSigv4Result
cpw_sigv4_check_scope(const CpwSigv4 *signature, const char *region,
					  const char *service, int64_t now, const char **problem)
{
	int64_t		end = signature->signed_at +
		(signature->expires >= 0 ? signature->expires : CPW_SIGV4_SKEW);

	if (strcmp(signature->terminator, TERMINATOR) != 0)
		*problem = "The Credential must end in aws4_request.";
	else if (strlen(signature->date) != 8 ||
			 memcmp(signature->date, signature->instant, 8) != 0)
		*problem = "The date in the Credential is not that of X-Amz-Date.";
	else if (strcmp(signature->region, region) != 0)
		*problem = "The Credential is scoped to another region than this service's.";
	else if (strcmp(signature->service, service) != 0)
		*problem = "The Credential is scoped to another service.";
	else if (signature->signed_at > now + CPW_SIGV4_SKEW)
		*problem = "Signature not yet current: its time is more than 5 minutes ahead of the server's.";
	else if (end < now)
		*problem = signature->expires >= 0
			? "Signature expired: X-Amz-Expires is over."
			: "Signature expired: its time is more than 5 minutes behind the server's.";
	else
		return CPW_SIGV4_VALID;
	return CPW_SIGV4_INVALID;
}

/* ---- the signature itself ---- */

bool
cpw_sigv4_hash(const void *body, size_t length, uint8_t hash[CPW_SHA256_SIZE])
{
	return EVP_Digest(length > 0 ? body : "", length, hash, NULL, EVP_sha256(),
					  NULL) == 1;
}

static bool
mac(const uint8_t *key, size_t key_length, const char *text,
	uint8_t result[CPW_SHA256_SIZE])
{
	return HMAC(EVP_sha256(), key, (int) key_length,
				(const unsigned char *) text, strlen(text), result,
				NULL) != NULL;
}

/* The key of a day, a region and a service. */
static bool
derive_key(const CpwSigv4 *signature, const char *secret,
		   uint8_t key[CPW_SHA256_SIZE])
{
	char		first[4 + MAX_SECRET_LENGTH + 1] = "AWS4";
	bool		derived;

	if (strlen(secret) > MAX_SECRET_LENGTH)
		return false;
	(void) append(first + 4, secret);
	derived = mac((const uint8_t *) first, strlen(first), signature->date,
				  key) &&
		mac(key, CPW_SHA256_SIZE, signature->region, key) &&
		mac(key, CPW_SHA256_SIZE, signature->service, key) &&
		mac(key, CPW_SHA256_SIZE, signature->terminator, key);
	OPENSSL_cleanse(first, sizeof(first));
	return derived;
}

/* What a body's hash is said to be; streamed and unsigned ones say a word. */
static bool
content_hash_matches(const CpwHeaders *headers,
					 const uint8_t body_hash[CPW_SHA256_SIZE])
{
	int			count;
	const CpwHeader *header = cpw_headers_find(headers,
											   "x-amz-content-sha256",
											   &count);
	uint8_t		said[CPW_SHA256_SIZE];

	return count == 0 ||
		(count == 1 &&
		 cpw_hex_decode(header->value, header->value_length, said,
						sizeof(said)) == (long) sizeof(said) &&
		 cpw_equal_in_constant_time(said, body_hash, sizeof(said)));
}

CpwSigv4Result
cpw_sigv4_verify(const CpwSigv4 *signature, const CpwSigv4Request *request,
				 const uint8_t body_hash[CPW_SHA256_SIZE], const char *secret,
				 const char **problem)
{
	static const char wrong[] = "The signature is not that of this request by the key's secret.";
	uint8_t		hash[CPW_SHA256_SIZE];
	uint8_t		key[CPW_SHA256_SIZE];
	uint8_t		expected[CPW_SHA256_SIZE];
	char		hex[2 * CPW_SHA256_SIZE + 1];
	char		text[sizeof(ALGORITHM) + sizeof(signature->instant) +
					 sizeof(signature->credential) + sizeof(hex)];
	char	   *at;
	bool		equal;

	*problem = wrong;
	if (!content_hash_matches(request->headers, body_hash))
	{
		*problem = "X-Amz-Content-Sha256 is not the body's hash: bodies must be signed, and must not be streamed in signed chunks.";
		return CPW_SIGV4_INVALID;
	}
	if (!cpw_canonical_request_hash(request, signature->signed_headers,
									body_hash, hash))
		return CPW_SIGV4_INVALID;
	cpw_hex_encode(hash, sizeof(hash), hex);
	at = append(text, ALGORITHM "\n");
	at = append(at, signature->instant);
	at = append(at, "\n");
	at = append(at, signature->date);
	at = append(at, "/");
	at = append(at, signature->region);
	at = append(at, "/");
	at = append(at, signature->service);
	at = append(at, "/");
	at = append(at, signature->terminator);
	at = append(at, "\n");
	(void) append(at, hex);
	equal = derive_key(signature, secret, key) &&
		mac(key, sizeof(key), text, expected) &&
		cpw_equal_in_constant_time(expected, signature->signature,
								   sizeof(expected));
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(expected, sizeof(expected));
	return equal ? CPW_SIGV4_VALID : CPW_SIGV4_INVALID;
}
