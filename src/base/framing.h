/*
 * framing.h
 *		Whether a request's head says clearly where the request ends.
 */
#ifndef CPW_FRAMING_H
#define CPW_FRAMING_H

#include "cp_webhook.h"

/*
 * What is wrong with the head of a request (RFC 9112; a constant text), or
 * NULL. Wherever two readers of the same bytes could disagree about where a
 * request ends, or whom it is for, it is wrong: behind such a request its
 * connection must end, or a part of it would be taken for the next one.
 */
extern const char *cpw_framing_complaint(const CpwHeaders *headers,
										 bool is_http_1_0);

#endif							/* CPW_FRAMING_H */
