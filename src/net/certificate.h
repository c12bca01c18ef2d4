/*
 * certificate.h
 *		The certificate that a listener serves. The only user of GnuTLS, which
 *		is libmicrohttpd's TLS library, is certificate.c.
 *
 * One is served at a time in a process. Another one takes its place between
 * two handshakes; one that a handshake may still use is kept for a while.
 */
#ifndef CPW_CERTIFICATE_H
#define CPW_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

typedef struct CpwCertificate CpwCertificate;

/* Room for a reason. */
#define CPW_CERTIFICATE_ERROR_SIZE	160

/*
 * Reads a certificate with its chain (PEM, the server's own first) and its
 * private key (PEM, not encrypted), and checks that they belong together. NULL
 * and the reason in error when they are not usable.
 */
extern CpwCertificate *cpw_certificate_load(const void *chain, size_t chain_length,
											const void *key, size_t key_length,
											char error[CPW_CERTIFICATE_ERROR_SIZE]);

/* When it expires: seconds since 1970. */
extern int64_t cpw_certificate_expires_at(const CpwCertificate *certificate);

/*
 * Serves the certificate (NULL: none) from now on, and owns it. What was served
 * before is freed by a later call, when grace_ms (the longest so far) have gone
 * by.
 */
extern void cpw_certificate_serve(CpwCertificate *certificate, int grace_ms);

/* The certificate that is served, or NULL. */
extern const CpwCertificate *cpw_certificate_served(void);

/*
 * GnuTLS's callback that hands out what is served, as the pointer that
 * MHD_OPTION_HTTPS_CERT_CALLBACK takes.
 */
extern void *cpw_certificate_callback(void);

#endif							/* CPW_CERTIFICATE_H */
