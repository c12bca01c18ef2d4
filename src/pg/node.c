/*
 * node.c
 *		What a node that only takes deliveries leaves to others.
 */
#include "postgres.h"

#include "pg/errors.h"
#include "pg/node.h"
#include "pg/settings.h"

static void
check(const char *operation, const char *hint)
{
	if (cpw_setting_ingest_only)
		cpw_errors_raise(CPW_CONFLICT,
						 "cp_webhook.ingest_only is on: definitions come from another node, and executions go to one.",
						 hint, "%s is not for an ingest node", operation);
}

void
cpw_node_check_defines(const char *operation)
{
	check(operation, "Call it on the definition node: what it changes arrives here.");
}

void
cpw_node_check_claims(const char *operation)
{
	check(operation, "Call it on the hub, where the executions of all nodes are.");
}
