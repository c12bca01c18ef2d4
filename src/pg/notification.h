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

/*
 * Notifies that it may be the next one's turn in a pipeline that runs one at a
 * time: on a channel of its own, for this is no new execution.
 */
extern void cpw_notification_send_turn(const char *pipeline);

/* A pipeline's own channel, palloc'd. */
extern char *cpw_notification_channel(const char *pipeline);

#endif							/* CPW_NOTIFICATION_H */
