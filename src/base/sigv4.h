/*
 * sigv4.h
 *		AWS Signature Version 4, the verifier's side.
 *
 * A client signs a canonical form of its request with a key derived from its
 * secret; here the same form is made of what has arrived, and hashed as it is
 * made, so nothing is allocated. Both places of a signature are known: the
 * Authorization header, and the query of a URL that was signed beforehand.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
#ifndef CPW_SIGV4_H
#define CPW_SIGV4_H

#include "base/canonical_request.h"

/* How far a client's clock may be off, in seconds. */
#define CPW_SIGV4_SKEW		300

/* Room for the parts of a signature. */
#define CPW_SIGV4_CREDENTIAL_SIZE	256
#define CPW_SIGV4_HEADERS_SIZE		2048

/* A signature taken apart. */
typedef struct CpwSigv4
{
	bool		in_query;

	/* key id, date, region, service, "aws4_request": five texts. */
	char		credential[CPW_SIGV4_CREDENTIAL_SIZE];
	const char *key_id;
	const char *date;
	const char *region;
	const char *service;
	const char *terminator;

	char		signed_headers[CPW_SIGV4_HEADERS_SIZE]; /* a;b;c */
	char		instant[17];	/* 20150830T123600Z */
	int64_t		signed_at;		/* the same in Unix seconds */
	int64_t		expires;		/* seconds from then; -1: not said */
	uint8_t		signature[CPW_SHA256_SIZE];
} CpwSigv4;

typedef enum CpwSigv4Result
{
	CPW_SIGV4_VALID,
	CPW_SIGV4_MISSING,			/* the request is not signed */
	CPW_SIGV4_INCOMPLETE,		/* a part of the signature is missing, or odd */
	CPW_SIGV4_INVALID			/* well formed, and wrong */
} CpwSigv4Result;

/*
 * Takes the signature of a request apart. Whatever is not VALID comes with
 * *problem, a sentence without a value of the request. A request that is to be
 * VALID signs host, its time, its Content-Type and every x-amz-* header.
 */
extern CpwSigv4Result cpw_sigv4_parse(const CpwSigv4Request *request,
									  CpwSigv4 *signature,
									  const char **problem);

/* Whether it was made for this region and service, and about now. */
extern CpwSigv4Result cpw_sigv4_check_scope(const CpwSigv4 *signature,
											const char *region,
											const char *service, int64_t now,
											const char **problem);

/* The hash of a body; false when the library fails. */
extern bool cpw_sigv4_hash(const void *body, size_t length,
						   uint8_t hash[CPW_SHA256_SIZE]);

/*
 * Whether the secret of the signature's key signed this request with a body
 * of this hash. Compares in constant time.
 */
extern CpwSigv4Result cpw_sigv4_verify(const CpwSigv4 *signature,
									   const CpwSigv4Request *request,
									   const uint8_t body_hash[CPW_SHA256_SIZE],
									   const char *secret,
									   const char **problem);

#endif							/* CPW_SIGV4_H */
