/*
 * deliveries.h
 *		What a batch of deliveries leaves behind: their rows, their keys, the
 *		executions that they started.
 *
 * Each function is one statement for the whole batch.
 */
#ifndef CPW_DELIVERIES_H
#define CPW_DELIVERIES_H

#include "postgres.h"

#include "cp_webhook.h"
#include "utils/inet.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A delivery on its way into the tables. */
typedef struct CpwDelivery
{
	pg_uuid_t	id;
	TimestampTz received_at;
	pg_uuid_t	webhook_id;
	const char *webhook;
	const char *provider_delivery_id;	/* NULL: none came */
	const char *event;			/* NULL: none came */
	inet	   *source_address; /* the client's; NULL: unknown */
	inet	   *peer_address;	/* the socket's; NULL: unknown */
	CpwVerdict	verdict;
	const char *reason;			/* NULL: none */
	int			http_status;	/* 0: the verdict's */
	const char *signature;		/* which secret matched; NULL: none did */
	Jsonb	   *headers;
	Jsonb	   *payload;		/* NULL: not kept */
	const pg_uuid_t *redelivery_of; /* NULL: it came from outside */

	/* TRIGGERED: the execution to start. DUPLICATE: the first one's id. */
	pg_uuid_t	execution;
	const char *pipeline;
	int			version;
	const char *action;
	const char *trigger_detail;
} CpwDelivery;

/*
 * Looks up the keys (webhook_id, provider_delivery_id) of the deliveries that
 * have one: where it is stored, the delivery becomes a DUPLICATE of that
 * execution.
 */
extern void cpw_deliveries_find_keys(CpwDelivery **deliveries, int count);

/*
 * Stores the keys of the deliveries that are TRIGGERED and have one, in one
 * order for all workers. Those whose key another transaction, or an earlier
 * delivery of the batch, has stored become DUPLICATE of its execution.
 */
extern void cpw_deliveries_store_keys(CpwDelivery **deliveries, int count);

/* Starts the executions of the deliveries that are TRIGGERED. */
extern void cpw_deliveries_start_executions(CpwDelivery **deliveries,
											int count);

/* Stores the rows of the deliveries. */
extern void cpw_deliveries_insert(CpwDelivery **deliveries, int count);

/* Bytes of a reason that a webhook's counters keep, the NUL included. */
#define CPW_MAX_LAST_REASON		512

/* What a webhook has counted since it was last written. */
typedef struct CpwCounts
{
	pg_uuid_t	webhook_id;
	int64		triggered;
	int64		ignored;
	int64		duplicate;
	int64		rejected;
	int64		pong;
	TimestampTz last_triggered; /* 0: not since */
	TimestampTz last_delivery;	/* of any outcome */
	TimestampTz last_reason_at; /* of the last one with a reason; 0: none */
	char		last_reason[CPW_MAX_LAST_REASON];
} CpwCounts;

/*
 * Adds counts to the rows of a worker, those of this minute too; webhooks that
 * are gone are left out.
 */
extern void cpw_deliveries_add_counts(int worker, const CpwCounts *counts,
									  int count);

/* Assigns a transaction id: raises 25006 where nothing can be written. */
extern void cpw_deliveries_check_writable(void);

#endif							/* CPW_DELIVERIES_H */
