/*
 * arn.c
 *		The ARN of a resource read.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/arn.h"
#include "pg/errors.h"
#include "pg/settings.h"

/* arn, partition, service, region, account: what stands before the resource. */
#define PARTS	5

#define NAME_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.@-_"

static const char webhook_prefix[] = "webhook:";

/* The resource of an ARN, behind its fifth colon, or NULL. */
static const char *
find_resource(const char *arn)
{
	for (int i = 0; i < PARTS; i++)
	{
		arn = strchr(arn, ':');
		if (arn == NULL)
			return NULL;
		arn++;
	}
	return arn;
}

CpwArn
cpw_arn_read(const char *arn)
{
	CpwArn		result = {0};
	const char *resource = find_resource(arn);
	char	   *ours;

	if (resource != NULL &&
		strncmp(resource, webhook_prefix, strlen(webhook_prefix)) == 0)
	{
		result.is_webhook = true;
		resource += strlen(webhook_prefix);
	}
	if (resource == NULL || *resource == '\0' || strlen(resource) > 100 ||
		strspn(resource, NAME_CHARACTERS) != strlen(resource))
		cpw_errors_raise(CPW_INVALID_ARN, "At 'resourceArn'.",
						 "Give the arn that put_webhook or get_pipeline answers.",
						 "'%s' is the ARN of no webhook and no pipeline", arn);
	result.name = pstrdup(resource);
	ours = result.is_webhook ? cpw_settings_webhook_arn(resource) :
		cpw_settings_pipeline_arn(resource);
	result.is_ours = strcmp(ours, arn) == 0;
	return result;
}
