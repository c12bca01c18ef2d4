/*
 * shape.h
 *		Shapes of requests as data, and one walk that checks a request.
 *
 * A shape says of a member what the API's model says: its type, the limits of
 * its length or value, its pattern, its values. The walk collects every
 * violation in the API's form:
 *
 * Value 'a b' at 'webhook.name' failed to satisfy constraint: Member must ...
 *
 * Elements of lists are counted from 1 (webhook.filters.1.member.jsonPath). A
 * member that is null counts as absent. A member that the shape does not know
 * is a violation that names the nearest known one.
 */
#ifndef CPW_SHAPE_H
#define CPW_SHAPE_H

#include "postgres.h"

#include "pg/errors.h"
#include "utils/jsonb.h"

typedef enum CpwShapeType
{
	CPW_SHAPE_STRING,
	CPW_SHAPE_INTEGER,
	CPW_SHAPE_BOOLEAN,
	CPW_SHAPE_STRUCTURE,
	CPW_SHAPE_LIST,
	CPW_SHAPE_MAP,				/* of any keys, to strings */
	CPW_SHAPE_WHOLE_OBJECT,		/* kept whole: only that it is an object */
	CPW_SHAPE_WHOLE_LIST,		/* kept whole: only that it is an array */
	CPW_SHAPE_ANY				/* kept whole, whatever it is */
} CpwShapeType;

typedef struct CpwShape CpwShape;

typedef struct CpwMember
{
	const char *name;			/* NULL ends a structure's members */
	const CpwShape *shape;
	bool		required;
} CpwMember;

struct CpwShape
{
	CpwShapeType type;
	int64		min;			/* of a length or value; 0: none */
	int64		max;			/* likewise */
	const char *pattern;		/* the whole string must match; NULL: none */
	const char *const *values;	/* the only ones, ended by NULL; NULL: any */
	const CpwMember *members;	/* of a structure */
	const CpwShape *element;	/* of a list; a map's values */
	const CpwShape *key;		/* of a map */
	bool		secret;			/* a value that is never shown */
	bool		(*is_secret_key) (const char *key, int length); /* of a map */
};

/*
 * Checks a request (NULL: SQL's NULL) and raises ValidationException with all
 * violations, or returns.
 */
extern void cpw_shape_check(const CpwShape *shape, Jsonb *request);

/* The shape of a member of a structure, or NULL. */
extern const CpwShape *cpw_shape_member(const CpwShape *structure,
										const char *name, int length);

/* ---- the requests (shapes.c) ---- */

extern const CpwShape cpw_shape_put_webhook;
extern const CpwShape cpw_shape_list_webhooks;
extern const CpwShape cpw_shape_delete_webhook;
extern const CpwShape cpw_shape_register_webhook;	/* and deregister */
extern const CpwShape cpw_shape_test_webhook;
extern const CpwShape cpw_shape_create_pipeline;
extern const CpwShape cpw_shape_update_pipeline;
extern const CpwShape cpw_shape_get_pipeline;
extern const CpwShape cpw_shape_list_pipelines;
extern const CpwShape cpw_shape_delete_pipeline;
extern const CpwShape cpw_shape_start_pipeline_execution;
extern const CpwShape cpw_shape_stop_pipeline_execution;
extern const CpwShape cpw_shape_get_pipeline_execution;
extern const CpwShape cpw_shape_list_pipeline_executions;
extern const CpwShape cpw_shape_tag_resource;
extern const CpwShape cpw_shape_untag_resource;
extern const CpwShape cpw_shape_list_tags_for_resource;

/* What pg/declaration.c walks itself. */
extern const CpwShape cpw_shape_pipeline_declaration;

/*
 * Whether a key of an action's configuration holds a secret: OAuthToken, and
 * whatever ends in Token, Secret or Password, in either case.
 */
extern bool cpw_shape_is_secret_key(const char *key, int length);

#endif							/* CPW_SHAPE_H */
