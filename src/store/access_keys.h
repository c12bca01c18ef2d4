/*
 * access_keys.h
 *		The table access_keys: who may sign requests on the AWS wire, and as
 *		which role. The only place that reads or writes the secrets.
 */
#ifndef CPW_ACCESS_KEYS_H
#define CPW_ACCESS_KEYS_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct CpwAccessKey
{
	char	   *id;
	Oid			role;			/* may be of a role that was dropped */
	bool		is_active;
	TimestampTz created_at;
} CpwAccessKey;

extern void cpw_access_keys_add(const char *id, Oid role, const char *secret);

/* The key, locked until the end of the transaction; false: there is none. */
extern bool cpw_access_keys_lock(const char *id, CpwAccessKey *key);

/*
 * The key and its secret, palloc'd, for a signature to be checked; false:
 * there is none. The caller wipes the secret.
 */
extern bool cpw_access_keys_find(const char *id, CpwAccessKey *key,
								 char **secret);

extern void cpw_access_keys_set_active(const char *id, bool active);
extern void cpw_access_keys_remove(const char *id);

/* All keys in the order of their making; the number of them. */
extern int	cpw_access_keys_list(CpwAccessKey **keys);

/*
 * Seals every secret by the key that seals now, where another one does. Returns
 * how many; raises an error where one does not open.
 */
extern int64 cpw_access_keys_reseal(void);

#endif							/* CPW_ACCESS_KEYS_H */
