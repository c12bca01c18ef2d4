/*
 * admission.h
 *		What can be said of a request before its body is read.
 */
#ifndef CPW_ADMISSION_H
#define CPW_ADMISSION_H

#include "postgres.h"

#include "net/listener.h"
#include "worker/webhook_cache.h"

/*
 * Checks the headers of a POST on a webhook's URL, in the order of the
 * cheapest harm: size, form, address, length, media type, ids, signature.
 * Returns PENDING when its body may be read; else the verdict, and *reason is
 * one sentence for the delivery's row (allocated in the current context or
 * constant). Never a value of a header that could be a secret.
 */
extern CpwVerdict cpw_admission_check(const CpwRequest *request,
									  const CpwWebhook *webhook,
									  const char **reason);

#endif							/* CPW_ADMISSION_H */
