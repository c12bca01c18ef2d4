/*
 * tls_files.c
 *		The certificate of cp_webhook.ssl_cert_file and ssl_key_file.
 */
#include "postgres.h"

#include "compat.h"
#include "net/certificate.h"
#include "pg/file.h"
#include "pg/settings.h"
#include "utils/timestamp.h"
#include "worker/tls_files.h"

static void
report(CpwShared *shared, CpwWorkerSlot *slot, const char *name,
	   const char *error)
{
	ereport(LOG,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("could not use \"%s\": %s", name, error),
			 cpw_certificate_served() != NULL
			 ? errdetail("The certificate that was loaded before is still served.")
			 : slot->listening[0] != '\0'
			 ? errdetail("Plain HTTP is still served, as before.")
			 : errdetail("Nothing is served until there is a certificate to serve with."),
			 errhint("Correct cp_webhook.ssl_cert_file and cp_webhook.ssl_key_file, or their files, and reload.")));
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	snprintf(slot->last_error, sizeof(slot->last_error),
			 "could not use \"%s\": %s", name, error);
	slot->last_error_at = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
}

/* Reads and checks both; NULL when that was reported. */
static CpwCertificate *
load(CpwShared *shared, CpwWorkerSlot *slot)
{
	char		error[CPW_CERTIFICATE_ERROR_SIZE];
	const char *chain_name = cpw_setting_ssl_cert_file;
	const char *key_name = cpw_setting_ssl_key_file;
	CpwCertificate *certificate = NULL;
	char	   *chain = NULL;
	char	   *key = NULL;
	size_t		chain_length;
	size_t		key_length;
	const char *wrong;

	if (*chain_name == '\0' || *key_name == '\0')
		report(shared, slot, *chain_name == '\0' ? key_name : chain_name,
			   "cp_webhook.ssl_cert_file and cp_webhook.ssl_key_file go together");
	else if ((wrong = cpw_file_read(chain_name, &chain, &chain_length)) != NULL)
		report(shared, slot, chain_name, wrong);

	/* The server's own rule: nobody else may read the key. */
	else if (!cpw_file_is_private(key_name))
		report(shared, slot, key_name,
			   "it is not there, or others than its owner may read it");
	else if ((wrong = cpw_file_read(key_name, &key, &key_length)) != NULL)
		report(shared, slot, key_name, wrong);
	else
	{
		certificate = cpw_certificate_load(chain, chain_length, key,
										   key_length, error);
		if (certificate == NULL)
			report(shared, slot, chain_name, error);
	}
	cpw_file_forget(chain);
	cpw_file_forget(key);
	return certificate;
}

bool
cpw_tls_files_load(CpwShared *shared, CpwWorkerSlot *slot)
{
	CpwCertificate *certificate;
	int64		expires_at;

	if (!cpw_settings_use_tls())
	{
		/* It must not come back when TLS does. */
		cpw_certificate_serve(NULL, cpw_setting_request_timeout);
		pg_atomic_write_u64(&slot->certificate_expires_at, 0);
		return true;
	}
	certificate = load(shared, slot);
	if (certificate != NULL)
		cpw_certificate_serve(certificate, cpw_setting_request_timeout);
	if (cpw_certificate_served() == NULL)
		return false;
	expires_at = cpw_certificate_expires_at(cpw_certificate_served());
	pg_atomic_write_u64(&slot->certificate_expires_at, (uint64) expires_at);
	return true;
}
