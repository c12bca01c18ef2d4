/*
 * tls_files.h
 *		The certificate of cp_webhook.ssl_cert_file and ssl_key_file, read and
 *		read again.
 */
#ifndef CPW_TLS_FILES_H
#define CPW_TLS_FILES_H

#include "postgres.h"

#include "pg/counters.h"

/*
 * Reads the files when they are set, and serves their certificate from now on.
 * A pair that is not usable is told in the log and in the slot, and the one
 * that is served stays. Returns whether the settings can be served: there is no
 * TLS to speak, or a certificate to speak it with. Raises nothing.
 */
extern bool cpw_tls_files_load(CpwShared *shared, CpwWorkerSlot *slot);

#endif							/* CPW_TLS_FILES_H */
