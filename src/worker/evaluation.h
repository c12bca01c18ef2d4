/*
 * evaluation.h
 *		One POST on its way from request to verdict: authenticate, decode,
 *		filter. Knows no table but through the webhook that it is given.
 */
#ifndef CPW_EVALUATION_H
#define CPW_EVALUATION_H

#include "postgres.h"

#include "net/listener.h"
#include "pg/admission.h"
#include "store/deliveries.h"
#include "worker/webhook_cache.h"

typedef struct CpwItem
{
	CpwRequest *request;
	CpwPost		post;			/* the request as it is judged */
	char		token[CPW_TOKEN_LENGTH + 1];
	CpwWebhook *webhook;		/* valid inside one attempt */
	CpwDelivery delivery;		/* delivery.verdict is the item's verdict */
	const char *detail;			/* for the answer; NULL: the verdict's own */

	/* A rejected one has a row only while its webhook's minute has room. */
	bool		is_recorded;
	bool		is_admitted;	/* that was decided */
	Jsonb	   *payload;		/* once it is parsed */
	Jsonb	   *read_payload;	/* without the secret that was in it, or NULL */
} CpwItem;

/* What of a request is judged; pointers go into it. */
extern void cpw_evaluation_take(CpwPost *post, const CpwRequest *request,
								const char *query, size_t query_length);

/*
 * Fills the delivery's columns that the request gives: addresses, headers,
 * the sender's id, the event. Its webhook says which headers hold secrets.
 */
extern void cpw_evaluation_describe(CpwItem *item);

/*
 * Judges by headers, address and signature; leaves the verdict PENDING when
 * all is well. The request's own refusal counts first.
 */
extern void cpw_evaluation_authenticate(CpwItem *item);

/*
 * Parses the items that are PENDING whose webhook's scheme finds the sender's
 * id, the event or the secret in the body: what it finds is known afterwards.
 * Before cpw_evaluation_judge(), and like it.
 */
extern void cpw_evaluation_read(CpwItem **items, int count);

/*
 * Parses and filters the items that are PENDING, one after the other, each
 * bounded by cp_webhook.filter_timeout. An error of one is its own verdict.
 * Inside a transaction.
 */
extern void cpw_evaluation_judge(CpwItem **items, int count);

/*
 * Adds to the reason of one whose signature is wrong what may be the mistake,
 * while the second has room for such work.
 */
extern void cpw_evaluation_diagnose(CpwItem *item);

/* Frees what a large payload of the last batch took. */
extern void cpw_evaluation_forget(void);

#endif							/* CPW_EVALUATION_H */
