/*
 * received.h
 *		The signatures that a request came with, read from their header.
 */
#ifndef CPW_RECEIVED_H
#define CPW_RECEIVED_H

#include "base/scheme.h"

/* Signatures in one header: those of a few secrets and a few versions. */
#define CPW_MAX_CANDIDATES	16

/* A signature as it came. */
typedef struct CpwCandidate
{
	int			way;
	const char *text;			/* TOKEN: what came */
	size_t		length;
	uint8_t		digest[CPW_MAX_DIGEST_LENGTH];
} CpwCandidate;

/* What a signature header holds. */
typedef struct CpwSignatures
{
	const CpwWay *way;			/* the first of the header's ways */
	CpwCandidate	candidates[CPW_MAX_CANDIDATES];
	int			count;
	const char *timestamp;		/* among them; NULL: none */
	size_t		timestamp_length;
	int			timestamp_count;
} CpwSignatures;

/*
 * Reads the signatures that count, those of the first way whose header is
 * present. VALID: there is one at least, and they are still to be compared.
 * Others' entries in a list are skipped.
 */
extern CpwSignatureResult cpw_received_read(const CpwWay *ways, int count,
											const CpwHeaders *headers,
											CpwSignatures *signatures);

/* Whether text begins so, in either case of ASCII where any_case says so. */
extern bool cpw_received_begins_with(const char *text, size_t length,
									 const char *prefix, bool any_case);

#endif							/* CPW_RECEIVED_H */
