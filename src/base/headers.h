/*
 * headers.h
 *		Looking things up in the headers of a request: one header by name, the
 *		sender's delivery id and event, and which headers hold secrets.
 */
#ifndef CPW_HEADERS_H
#define CPW_HEADERS_H

#include "cp_webhook.h"

/*
 * The first header of that lower-case name, or NULL. *occurrences (may be
 * NULL) is how many there are.
 */
extern const CpwHeader *cpw_headers_find(const CpwHeaders *headers,
										 const char *name, int *occurrences);

/*
 * The header with the sender's id of this delivery: the first present and not
 * empty of x-github-delivery, x-gitea-delivery, x-gogs-delivery, webhook-id,
 * idempotency-key, x-request-id. NULL when there is none.
 */
extern const CpwHeader *cpw_headers_delivery_id(const CpwHeaders *headers);

/*
 * The header with the event's name: the first present and not empty of
 * x-github-event, x-gitea-event, x-gogs-event, x-gitlab-event, x-event-key.
 * NULL when there is none.
 */
extern const CpwHeader *cpw_headers_event(const CpwHeaders *headers);

/* A GitHub ping (Gitea and Gogs send none): x-github-event is "ping". */
extern bool cpw_headers_is_ping(const CpwHeaders *headers);

/*
 * Whether the value of this header is a secret whatever the scheme, stored and
 * shown as "****": authorization, proxy-authorization, cookie, x-gitlab-token,
 * and the usual names of headers for API keys.
 */
extern bool cpw_header_is_secret(const CpwHeader *header);

#endif							/* CPW_HEADERS_H */
