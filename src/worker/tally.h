/*
 * tally.h
 *		What a receiver counts for each webhook: deliveries by outcome, to be
 *		written behind, and rejections, to be bounded.
 *
 * A counter updated in a delivery's own transaction would make the receivers'
 * commits wait for each other; so counts are kept here and written about once a
 * second, in a transaction of their own. A crash loses that second of counts,
 * never a delivery.
 */
#ifndef CPW_TALLY_H
#define CPW_TALLY_H

#include "postgres.h"

#include "cp_webhook.h"
#include "store/deliveries.h"

/* Counts a delivery that was decided, with a row or without. */
extern void cpw_tally_add(const CpwDelivery *delivery);

/*
 * Whether one more rejection of the webhook may be recorded in this minute
 * (cp_webhook.rejections_per_minute); if so it is taken as used.
 */
extern bool cpw_tally_admit_rejection(const pg_uuid_t *webhook_id);

/* Milliseconds until cpw_tally_take() has something to write, or -1. */
extern long cpw_tally_timeout(void);

/*
 * The counts that are due, in the current context; 0 when none are. They are
 * out of the tally then: cpw_tally_give_back() when they could not be written.
 */
extern int	cpw_tally_take(CpwCounts **counts);
extern void cpw_tally_give_back(const CpwCounts *counts, int count);

#endif							/* CPW_TALLY_H */
