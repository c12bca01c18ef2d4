/*
 * maintenance.h
 *		The maintenance worker: the background worker for what no delivery
 *		should wait for.
 */
#ifndef CPW_MAINTENANCE_H
#define CPW_MAINTENANCE_H

/* Registers it; called by _PG_init() while the library is preloaded. */
extern void cpw_maintenance_register(void);

#endif							/* CPW_MAINTENANCE_H */
