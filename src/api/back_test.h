/*
 * back_test.h
 *		What a webhook would have made of the deliveries that are recorded.
 */
#ifndef CPW_BACK_TEST_H
#define CPW_BACK_TEST_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pg/json.h"
#include "pg/webhook.h"

/*
 * The instant that text says: a timestamp, or an interval before now. Raises
 * ValidationException for what is neither, or not in the past.
 */
extern TimestampTz cpw_back_test_read_since(const char *text);

/*
 * Judges the deliveries since then of the webhook whose id is the compiled
 * one's, and adds the members since, judged, newlyFires, noLongerFires, stays
 * and notJudged. One delivery at a time is in memory. Raises what cancels the
 * statement.
 */
extern void cpw_back_test_add(CpwJsonWriter *answer, CpwWebhook *webhook,
							  TimestampTz since);

#endif							/* CPW_BACK_TEST_H */
