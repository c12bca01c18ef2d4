/*
 * era.h
 *		In which life of which cluster a transaction id is counted.
 *
 * Transaction ids order what one cluster has done in one life. After a restore
 * they are another cluster's; after a promotion or a recovery to a point in
 * time the same ids are given out again. So each execution is stamped with an
 * era, made of the cluster's identifier and its timeline.
 */
#ifndef CPW_ERA_H
#define CPW_ERA_H

#include "postgres.h"

/* The era in which this server writes, or, in recovery, that it replays. */
extern int64 cpw_era_current(void);

#endif							/* CPW_ERA_H */
