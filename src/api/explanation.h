/*
 * explanation.h
 *		A dry run told step by step.
 */
#ifndef CPW_EXPLANATION_H
#define CPW_EXPLANATION_H

#include "postgres.h"

#include "api/dry_run.h"

/*
 * Adds the members outcome, httpStatus, reason, pipelineExecutionId, steps and
 * warnings of a dry run that is judged. Every step is told, also those behind
 * the one that decided. Values are bounded, and none is a secret.
 */
extern void cpw_explanation_add(CpwJsonWriter *answer, CpwDryRun *run);

/*
 * Adds the strings of what is to be known of a webhook's filters beyond a
 * verdict: inputs that are not signed, inputs that are not recorded.
 */
extern void cpw_explanation_add_warnings(CpwJsonWriter *answer,
										 const CpwWebhook *webhook,
										 bool query_is_missing);

#endif							/* CPW_EXPLANATION_H */
