/*
 * handshake.h
 *		Handshakes that come as a signed delivery: its payload asks for an
 *		answer of its own. Those in a query are base/challenge.h's.
 */
#ifndef CPW_HANDSHAKE_H
#define CPW_HANDSHAKE_H

#include "postgres.h"

#include "base/challenge.h"
#include "pg/webhook.h"

/*
 * Whether a payload, whose signature has been verified, is the handshake of
 * the webhook's scheme: ANSWERED with the answer, REFUSED where what it asks
 * for must not be answered; *reason is one sentence then. NONE for any other
 * payload.
 */
extern CpwChallengeResult cpw_handshake_answer(const CpwWebhook *webhook,
											   Jsonb *payload,
											   CpwChallengeAnswer *answer,
											   const char **reason);

#endif							/* CPW_HANDSHAKE_H */
