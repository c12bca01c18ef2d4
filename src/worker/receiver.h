/*
 * receiver.h
 *		The receivers: background workers that listen.
 */
#ifndef CPW_RECEIVER_H
#define CPW_RECEIVER_H

/*
 * Registers cp_webhook.workers receivers; called by _PG_init() while the
 * library is preloaded.
 */
extern void cpw_receiver_register(void);

#endif							/* CPW_RECEIVER_H */
