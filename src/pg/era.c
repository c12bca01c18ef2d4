/*
 * era.c
 *		In which life of which cluster a transaction id is counted.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "common/hashfn.h"
#include "compat.h"
#include "pg/era.h"

int64
cpw_era_current(void)
{
	TimeLineID	timeline;

	if (RecoveryInProgress())
		(void) GetXLogReplayRecPtr(&timeline);
	else
		timeline = GetWALInsertionTimeLine();
	return (int64) hash_combine64(GetSystemIdentifier(), timeline);
}
