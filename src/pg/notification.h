/*
 * notification.h
 *		What a started execution tells those who listen.
 */
#ifndef CPW_NOTIFICATION_H
#define CPW_NOTIFICATION_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* What is notified of an execution; NULL and 0: no delivery has a part in it. */
typedef struct CpwNotification
{
	const pg_uuid_t *execution;
	const char *pipeline;
	const char *webhook;
	const char *event;
	const pg_uuid_t *delivery;
	TimestampTz received_at;
} CpwNotification;

/*
 * Notifies, when the transaction commits, as the settings notify and
 * notify_pipeline_channels say.
 */
extern void cpw_notification_send(const CpwNotification *notification);

/* What is notified of a registration; NULL and 0: there is none. */
typedef struct CpwRegistrationNotification
{
	const char *webhook;
	const char *outcome;		/* registered, deregistered, failed, retrying */
	const char *provider;
	const char *repository;
	const char *hook_id;
	const char *error_code;
	const char *error;
	TimestampTz next_try_at;
} CpwRegistrationNotification;

/* Notifies the channel cp_webhook_registration when the transaction commits. */
extern void cpw_notification_send_registration(const CpwRegistrationNotification *notification);

/*
 * Notifies that it may be the next one's turn in a pipeline that runs one at a
 * time: on a channel of its own, for this is no new execution.
 */
extern void cpw_notification_send_turn(const char *pipeline);

/* A pipeline's own channel, palloc'd. */
extern char *cpw_notification_channel(const char *pipeline);

#endif							/* CPW_NOTIFICATION_H */
