/*
 * api.h
 *		The api worker: a background worker that speaks the AWS wire.
 */
#ifndef CPW_API_H
#define CPW_API_H

/* Registers the api worker; called by _PG_init() while preloading. */
extern void cpw_api_register(void);

#endif							/* CPW_API_H */
