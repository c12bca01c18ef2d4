/*
 * node.h
 *		What a node that only takes deliveries leaves to others.
 */
#ifndef CPW_NODE_H
#define CPW_NODE_H

#include "postgres.h"

/*
 * At the beginning of an operation that changes definitions, or that claims or
 * ends executions. Raises ConflictException where cp_webhook.ingest_only is on:
 * what such a node changed by itself would be in the way of what it is sent,
 * and would reach nobody else.
 */
extern void cpw_node_check_defines(const char *operation);
extern void cpw_node_check_claims(const char *operation);

#endif							/* CPW_NODE_H */
