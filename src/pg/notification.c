/*
 * notification.c
 *		What a started execution tells those who listen.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "common/md5.h"
#include "compat.h"
#include "pg/notification.h"
#include "pg/settings.h"
#include "pg/uuid7.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#define CHANNEL					"cp_webhook"
#define TURN_CHANNEL			"cp_webhook_turn"
#define REGISTRATION_CHANNEL	"cp_webhook_registration"

#define MD5_DIGITS	32

static void
append_text(StringInfo json, const char *member, const char *text)
{
	appendStringInfo(json, ",\"%s\":", member);
	if (text != NULL)
		escape_json(json, text);
	else
		appendStringInfoString(json, "null");
}

/* {"pipelineExecutionId", "pipelineName", ...}: well below 8,000 bytes. */
static char *
describe(const CpwNotification *notification)
{
	StringInfoData json;
	char		received_at[MAXDATELEN + 1];
	bool		has_delivery = notification->delivery != NULL;

	if (has_delivery)
		JsonEncodeDateTime(received_at,
						   TimestampTzGetDatum(notification->received_at),
						   TIMESTAMPTZOID, NULL);
	initStringInfo(&json);
	appendStringInfo(&json, "{\"pipelineExecutionId\":\"%s\"",
					 cpw_uuid7_text(notification->execution));
	append_text(&json, "pipelineName", notification->pipeline);
	append_text(&json, "webhook", notification->webhook);
	append_text(&json, "event", notification->event);
	append_text(&json, "deliveryId",
				has_delivery ? cpw_uuid7_text(notification->delivery) : NULL);
	append_text(&json, "receivedAt", has_delivery ? received_at : NULL);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * The name of a channel has NAMEDATALEN - 1 bytes at most, a pipeline's may
 * have more: its end is then a checksum.
 */
char *
cpw_notification_channel(const char *pipeline)
{
	char	   *channel = psprintf(CHANNEL "_%s", pipeline);
	char		digits[MD5_DIGITS + 1];
	const char *error;

	if (strlen(channel) < NAMEDATALEN)
		return channel;
	if (!pg_md5_hash(pipeline, strlen(pipeline), digits, &error))
		elog(ERROR, "could not compute a checksum: %s", error);
	memcpy(channel + NAMEDATALEN - 1 - MD5_DIGITS, digits, sizeof(digits));
	return channel;
}

void
cpw_notification_send(const CpwNotification *notification)
{
	/* The server sends what is the same only once a transaction. */
	char	   *payload = "{}";

	if (cpw_setting_notify == CPW_NOTIFY_OFF)
		return;
	if (cpw_setting_notify == CPW_NOTIFY_EXECUTION)
		payload = describe(notification);
	Async_Notify(CHANNEL, payload);
	if (cpw_setting_notify_pipeline_channels)
		Async_Notify(cpw_notification_channel(notification->pipeline), payload);
}

/* A notification has room for 8,000 bytes; an error is below a thousand. */
void
cpw_notification_send_registration(const CpwRegistrationNotification *notification)
{
	StringInfoData json;
	char		next_try_at[MAXDATELEN + 1];

	if (notification->next_try_at != 0)
		JsonEncodeDateTime(next_try_at,
						   TimestampTzGetDatum(notification->next_try_at),
						   TIMESTAMPTZOID, NULL);
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"webhook\":");
	escape_json(&json, notification->webhook);
	append_text(&json, "outcome", notification->outcome);
	append_text(&json, "provider", notification->provider);
	append_text(&json, "repository", notification->repository);
	append_text(&json, "hookId", notification->hook_id);
	append_text(&json, "errorCode", notification->error_code);
	append_text(&json, "errorMessage", notification->error);
	append_text(&json, "nextTryAt",
				notification->next_try_at != 0 ? next_try_at : NULL);
	appendStringInfoChar(&json, '}');
	Async_Notify(REGISTRATION_CHANNEL, json.data);
}

void
cpw_notification_send_turn(const char *pipeline)
{
	StringInfoData json;

	if (cpw_setting_notify == CPW_NOTIFY_OFF)
		return;
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"pipelineName\":");
	escape_json(&json, pipeline);
	appendStringInfoChar(&json, '}');
	Async_Notify(TURN_CHANNEL, json.data);
	if (cpw_setting_notify_pipeline_channels)
		Async_Notify(cpw_notification_channel(pipeline), json.data);
}
