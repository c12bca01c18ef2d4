/*
 * certificate.c
 *		The certificate that a listener serves.
 */
#include "net/certificate.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/deadline.h"

/* A server's own certificate and what stands between it and a root. */
#define MAX_CHAIN		10

/* Room for a key's digest. */
#define KEY_ID_SIZE		64

struct CpwCertificate
{
	gnutls_pcert_st chain[MAX_CHAIN];
	unsigned int chain_length;
	gnutls_privkey_t key;
	int64_t		expires_at;
	int64_t		retired_at;		/* milliseconds of the monotonic clock */
	struct CpwCertificate *older;	/* retired before it */
};

static CpwCertificate *served;
static CpwCertificate *retired;

/* A handshake may have begun while the grace was longer. */
static int	longest_grace_ms;

static void
free_certificate(CpwCertificate *certificate)
{
	for (unsigned int i = 0; i < certificate->chain_length; i++)
		gnutls_pcert_deinit(&certificate->chain[i]);
	if (certificate->key != NULL)
		gnutls_privkey_deinit(certificate->key);
	free(certificate);
}

static int
read_chain(CpwCertificate *certificate, const gnutls_datum_t *pem)
{
	unsigned int length = MAX_CHAIN;
	gnutls_x509_crt_t own;
	int			result;

	result = gnutls_pcert_list_import_x509_raw(certificate->chain, &length,
											   pem, GNUTLS_X509_FMT_PEM,
											   GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	if (result < 0)
		return result;
	certificate->chain_length = length;
	result = gnutls_pcert_export_x509(&certificate->chain[0], &own);
	if (result < 0)
		return result;
	certificate->expires_at = (int64_t) gnutls_x509_crt_get_expiration_time(own);
	gnutls_x509_crt_deinit(own);
	return 0;
}

static int
read_key(CpwCertificate *certificate, const gnutls_datum_t *pem)
{
	int			result = gnutls_privkey_init(&certificate->key);

	if (result < 0)
	{
		certificate->key = NULL;
		return result;
	}
	return gnutls_privkey_import_x509_raw(certificate->key, pem,
										  GNUTLS_X509_FMT_PEM, NULL, 0);
}

/* Whether the key is that of the first certificate. */
static bool
belong_together(const CpwCertificate *certificate)
{
	gnutls_pubkey_t public;
	unsigned char of_certificate[KEY_ID_SIZE];
	unsigned char of_key[KEY_ID_SIZE];
	size_t		certificate_size = sizeof(of_certificate);
	size_t		key_size = sizeof(of_key);
	bool		same;

	if (gnutls_pubkey_init(&public) < 0)
		return false;
	same = gnutls_pubkey_import_privkey(public, certificate->key, 0, 0) >= 0 &&
		gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256,
								 of_key, &key_size) >= 0 &&
		gnutls_pubkey_get_key_id(certificate->chain[0].pubkey,
								 GNUTLS_KEYID_USE_SHA256,
								 of_certificate, &certificate_size) >= 0 &&
		key_size == certificate_size &&
		memcmp(of_key, of_certificate, key_size) == 0;
	gnutls_pubkey_deinit(public);
	return same;
}

CpwCertificate *
cpw_certificate_load(const void *chain, size_t chain_length,
					 const void *key, size_t key_length,
					 char error[CPW_CERTIFICATE_ERROR_SIZE])
{
	gnutls_datum_t chain_pem = {(unsigned char *) chain, (unsigned int) chain_length};
	gnutls_datum_t key_pem = {(unsigned char *) key, (unsigned int) key_length};
	CpwCertificate *certificate = calloc(1, sizeof(CpwCertificate));
	int			result;

	if (certificate == NULL)
	{
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE, "out of memory");
		return NULL;
	}
	result = read_chain(certificate, &chain_pem);
	if (result == GNUTLS_E_SHORT_MEMORY_BUFFER)
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE,
				 "it has more than %d certificates", MAX_CHAIN);
	else if (result < 0)
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE,
				 "the certificate cannot be read: %s", gnutls_strerror(result));
	else if ((result = read_key(certificate, &key_pem)) < 0)
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE,
				 "the private key cannot be read: %s", gnutls_strerror(result));
	else if (!belong_together(certificate))
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE,
				 "the private key is not that of the certificate");
	else
		return certificate;
	free_certificate(certificate);
	return NULL;
}

int64_t
cpw_certificate_expires_at(const CpwCertificate *certificate)
{
	return certificate->expires_at;
}

const CpwCertificate *
cpw_certificate_served(void)
{
	return served;
}

/* Frees what no handshake can use any more: retired ones, newest first. */
static void
free_retired(void)
{
	CpwCertificate **link = &retired;
	int64_t		limit = cpw_deadline_now() - longest_grace_ms;

	while (*link != NULL)
	{
		CpwCertificate *certificate = *link;

		if (certificate->retired_at > limit)
		{
			link = &certificate->older;
			continue;
		}
		*link = certificate->older;
		free_certificate(certificate);
	}
}

void
cpw_certificate_serve(CpwCertificate *certificate, int grace_ms)
{
	if (grace_ms > longest_grace_ms)
		longest_grace_ms = grace_ms;
	free_retired();
	if (served != NULL)
	{
		served->retired_at = cpw_deadline_now();
		served->older = retired;
		retired = served;
	}
	served = certificate;
}

static int
hand_out(gnutls_session_t session, const gnutls_datum_t *authorities,
		 int authority_count, const gnutls_pk_algorithm_t *algorithms,
		 int algorithm_count, gnutls_pcert_st **chain,
		 unsigned int *chain_length, gnutls_privkey_t *key)
{
	(void) session;
	(void) authorities;
	(void) authority_count;
	(void) algorithms;
	(void) algorithm_count;
	if (served == NULL)
		return -1;
	*chain = served->chain;
	*chain_length = served->chain_length;
	*key = served->key;
	return 0;
}

void *
cpw_certificate_callback(void)
{
	union
	{
		gnutls_certificate_retrieve_function2 *function;
		void	   *pointer;
	}			callback = {.function = hand_out};

	return callback.pointer;
}
