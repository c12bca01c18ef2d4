/*
 * nodes.h
 *		What nodes tell each other by logical replication: publications, and
 *		what becomes of an execution that has arrived from another node.
 */
#ifndef CPW_NODES_H
#define CPW_NODES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

typedef enum CpwPublished
{
	CPW_PUBLISHED_DEFINITIONS,	/* of the definition node */
	CPW_PUBLISHED_EVENTS		/* of a node that takes deliveries */
} CpwPublished;

/*
 * Makes the publication, or brings one that is there to what this version
 * publishes, and puts a row a table into the store: the publication, the
 * table, its columns. Raises the server's 42501 for who may not.
 */
extern void cpw_nodes_publish(CpwPublished what, Tuplestorestate *store,
							  TupleDesc descriptor);

/*
 * Whether a subscription has copied the definitions, and has come to the end
 * of what was there when it had.
 */
extern bool cpw_nodes_have_definitions(void);

/* An execution that has arrived, with its delivery; texts are palloc'd. */
typedef struct CpwArrival
{
	pg_uuid_t	execution;
	bool		is_waiting;		/* the others are set only then */
	char	   *pipeline;
	bool		has_delivery;	/* and those from here on only then */
	pg_uuid_t	delivery;
	pg_uuid_t	webhook_id;
	char	   *webhook;
	char	   *event;
	TimestampTz received_at;
	char	   *key;			/* the sender's delivery id, if that counts */
} CpwArrival;

/* Reads what is there of an execution; false: nothing. */
extern bool cpw_nodes_find_arrival(const pg_uuid_t *execution,
								   CpwArrival *arrival);

/*
 * Stores its key. False where another execution, *first, has that already: two
 * nodes have taken the same delivery.
 */
extern bool cpw_nodes_keep_key(const CpwArrival *arrival, pg_uuid_t *first);

/* Ends an execution whose delivery has started another one already. */
extern void cpw_nodes_supersede(const pg_uuid_t *execution,
								const pg_uuid_t *first);

#endif							/* CPW_NODES_H */
