/*
 * diagnosis.h
 *		What may have gone wrong where a signature was refused.
 *
 * It runs after the real check has failed and changes nothing about that: what
 * fits a variation is still refused. It names a mistake only from what the
 * sender can see himself, or where the signature fits a variation of the
 * secret or the body, which nobody can bring about who does not know the
 * secret (or which needs none, and tells nothing of it). What it says is for
 * the operator, never for the sender's answer.
 */
#ifndef CPW_DIAGNOSIS_H
#define CPW_DIAGNOSIS_H

#include "base/signature.h"
#include "cp_webhook.h"

/*
 * Of headers that cpw_signature_check_form() has refused with that result: a
 * clause such as "the prefix \"sha256=\" is missing", or NULL when nothing is
 * recognised. No value of a header is in it.
 */
extern const char *cpw_diagnosis_of_form(CpwAuthentication authentication,
										 const CpwHeaders *headers,
										 CpwSignatureResult result);

/* A well formed signature that is not that of the body. */
typedef struct CpwSignatureCase
{
	CpwAuthentication authentication;
	const CpwHeaders *headers;
	const char *secret;
	size_t		secret_length;
	const char *previous_secret;	/* NULL: none is kept */
	size_t		previous_secret_length;
	const char *body;
	size_t		body_length;
	const char *form_json;		/* in a form's "payload"; NULL: no form */
	size_t		form_json_length;
} CpwSignatureCase;

/*
 * What the signature is that of: a clause, or NULL when no variation fits.
 * Hashes the body some ten times.
 */
extern const char *cpw_diagnosis_of_body(const CpwSignatureCase *signature_case);

#endif							/* CPW_DIAGNOSIS_H */
