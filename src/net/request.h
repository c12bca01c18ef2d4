/*
 * request.h
 *		One HTTP request as the listener holds it: headers, body, answer.
 *
 * Bodies are bounded one by one and all together, while they come in. Memory
 * is malloc's; what cannot be had makes a refused request, never an error.
 */
#ifndef CPW_REQUEST_H
#define CPW_REQUEST_H

#include <sys/socket.h>

#include "base/json_scan.h"
#include "cp_webhook.h"
#include "net/deadline.h"
#include "net/stream.h"

typedef struct CpwAnswerHeader
{
	const char *name;			/* NULL: the end of a list */
	const char *value;
} CpwAnswerHeader;

typedef struct CpwRequest
{
	/* What came; valid until the request is answered. */
	const char *method;
	const char *target;			/* as it was sent, NUL-terminated */
	CpwHeaders	headers;
	size_t		header_size;	/* names, values and separators */
	const char *malformed;		/* what is wrong with its head, or NULL */
	bool		has_body;
	bool		length_known;	/* a Content-Length came */
	uint64_t	content_length;
	struct sockaddr_storage peer;
	char	   *body;			/* NUL-terminated; NULL when empty */
	size_t		body_length;

	/*
	 * Set where the body could not be taken: BODY_TOO_LARGE or UNAVAILABLE.
	 * The rest of it was thrown away.
	 */
	CpwVerdict	refused;

	/* The owner's. */
	struct CpwRequest *next;	/* in a list that the owner took */
	void	   *owner;

	/*
	 * Of the answer, beside what cpw_listener_answer() is told: another type
	 * than application/json, a list of headers more, and one with a value of
	 * this request's own. NULL, or constants, and a value that ends in NUL.
	 */
	const char *answer_type;
	const CpwAnswerHeader *answer_headers;
	const char *answer_header;
	char		answer_value[192];

	/* The listener's own. */
	struct CpwConnection *connection;
	int			state;
	bool		count_values;
	size_t		body_capacity;
	CpwDeadline patience;		/* with a body that is not complete */
	size_t		progress;		/* body_length when that began */
	size_t		discarded;
	bool		closes;			/* its connection ends behind it */
	bool		lingers;		/* so that its answer arrives all the same */
	CpwJsonScan scan;
	void	   *header_memory;
	int			status;
	const char *allow;
	int			retry_after;
	char	   *answer;
	size_t		answer_length;
	CpwStream  *stream;			/* in place of an answer; or NULL */
} CpwRequest;

/* Requests in the order in which they were appended. */
typedef struct CpwRequestList
{
	CpwRequest *first;
	CpwRequest **end;			/* where the next one is linked */
} CpwRequestList;

extern void cpw_request_list_append(CpwRequestList *list, CpwRequest *request);

/* Takes all of them; also what makes a list. */
extern CpwRequest *cpw_request_list_take(CpwRequestList *list);

/* The bodies that a listener holds, and what they may be. */
typedef struct CpwBodyBudget
{
	size_t		buffered;		/* bytes allocated for bodies */
	size_t		max_buffered;
	size_t		max_body_size;	/* of one */
	size_t		max_json_values;	/* in one that is JSON */
	CpwDeadlines incomplete;	/* bodies, by the patience with them */
} CpwBodyBudget;

/* Finds out from the headers whether a body comes, and how long it is. */
extern void cpw_request_describe_body(CpwRequest *request);

/*
 * Takes the next bytes of a body. Where they do not fit the request becomes
 * refused, and what still comes is thrown away; false when that is so much
 * that the connection should be cut. Where all bodies together are too many,
 * others become refused first that hardly come on.
 */
extern bool cpw_request_append(CpwRequest *request, CpwBodyBudget *budget,
							   const char *bytes, size_t length);

/* The body has come to its end. */
extern void cpw_request_complete_body(CpwRequest *request);

extern void cpw_request_free_body(CpwRequest *request, CpwBodyBudget *budget);

#endif							/* CPW_REQUEST_H */
