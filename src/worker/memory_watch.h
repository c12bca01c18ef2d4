/*
 * memory_watch.h
 *		Ends a piece of work that takes too much memory.
 *
 * A filter's path may select more than there is memory for, of a small body,
 * before its time is over. The server bounds no memory, and of a process that
 * the system kills for it all others are started anew.
 */
#ifndef CPW_MEMORY_WATCH_H
#define CPW_MEMORY_WATCH_H

#include "postgres.h"

/*
 * Until the end, which is that of the transaction at the latest, the work is
 * cancelled (57014) at its next look for interrupts when the process has come
 * to more memory than the parsing and filtering of bodies may take. Looks every
 * hundredth of a second, so what takes less time costs nothing. Inside a
 * transaction; none is begun inside another.
 */
extern void cpw_memory_watch_begin(void);

/* Before each part that may be cancelled for itself. */
extern void cpw_memory_watch_next(void);

/* Whether it was the memory that the cancel came for, since the last part. */
extern bool cpw_memory_watch_has_cancelled(void);

extern void cpw_memory_watch_end(void);

#endif							/* CPW_MEMORY_WATCH_H */
