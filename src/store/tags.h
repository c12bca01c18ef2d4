/*
 * tags.h
 *		The table resource_tags. The caller has locked the resource.
 */
#ifndef CPW_TAGS_H
#define CPW_TAGS_H

#include "postgres.h"

#include "utils/jsonb.h"

/* A resource that can have tags. */
typedef struct CpwResource
{
	const char *type;			/* CPW_RESOURCE_WEBHOOK or _PIPELINE */
	const char *name;
} CpwResource;

#define CPW_RESOURCE_WEBHOOK	"webhook"
#define CPW_RESOURCE_PIPELINE	"pipeline"

/*
 * Adds tags, an array of {"key", "value"}; a key that is there gets the new
 * value.
 */
extern void cpw_tags_add(const CpwResource *resource, Jsonb *tags);

/* Those that are committed now, and the transaction's own. */
extern int	cpw_tags_count(const CpwResource *resource);

/*
 * Removes the tags with those keys, an array of strings; NULL: all tags. Then
 * it raises serialization_failure where one is not in the transaction's
 * snapshot and would stay.
 */
extern void cpw_tags_remove(const CpwResource *resource, Jsonb *keys);

/*
 * At most limit tags after a key, in the order of keys, as an array of {"key",
 * "value"}.
 */
extern Jsonb *cpw_tags_list(const CpwResource *resource, const char *after,
							int limit);

#endif							/* CPW_TAGS_H */
