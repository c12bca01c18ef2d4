/*
 * tls_files.c
 *		The certificate of cp_webhook.ssl_cert_file and ssl_key_file.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "compat.h"
#include "net/certificate.h"
#include "pg/settings.h"
#include "storage/fd.h"
#include "utils/timestamp.h"
#include "worker/tls_files.h"

/* More than any chain or key takes. */
#define MAX_FILE_SIZE	(1024 * 1024)

typedef struct Content
{
	char	   *bytes;
	size_t		length;
} Content;

/* Reads a small file; false and the reason in error. */
static bool
read_file(const char *name, Content *file, char error[CPW_CERTIFICATE_ERROR_SIZE])
{
	int			fd = OpenTransientFile(name, O_RDONLY | PG_BINARY);
	ssize_t		got;

	if (fd < 0)
	{
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE, "%s", strerror(errno));
		return false;
	}
	file->bytes = palloc(MAX_FILE_SIZE);
	file->length = 0;
	while ((got = read(fd, file->bytes + file->length,
					   MAX_FILE_SIZE - file->length)) > 0)
		file->length += (size_t) got;
	if (got < 0)
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE, "%s", strerror(errno));
	else if (file->length == MAX_FILE_SIZE)
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE, "larger than %d bytes",
				 MAX_FILE_SIZE);
	else if (file->length == 0)
		snprintf(error, CPW_CERTIFICATE_ERROR_SIZE, "empty");
	CloseTransientFile(fd);
	return got == 0 && file->length > 0 && file->length < MAX_FILE_SIZE;
}

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
	Content		chain;
	Content		key = {NULL, 0};

	if (*chain_name == '\0' || *key_name == '\0')
		report(shared, slot, *chain_name == '\0' ? key_name : chain_name,
			   "cp_webhook.ssl_cert_file and cp_webhook.ssl_key_file go together");
	else if (!read_file(chain_name, &chain, error))
		report(shared, slot, chain_name, error);

	/* The server's own rule: nobody else may read the key. It tells the log. */
	else if (!check_ssl_key_file_permissions(key_name, false))
		report(shared, slot, key_name,
			   "it is not there, or others than its owner may read it");
	else if (!read_file(key_name, &key, error))
		report(shared, slot, key_name, error);
	else
	{
		certificate = cpw_certificate_load(chain.bytes, chain.length,
										   key.bytes, key.length, error);
		if (certificate == NULL)
			report(shared, slot, chain_name, error);
	}
	if (key.bytes != NULL)
		explicit_bzero(key.bytes, MAX_FILE_SIZE);
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
