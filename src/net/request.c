/*
 * request.c
 *		One HTTP request as the listener holds it: the body's side.
 */
#include "net/request.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/headers.h"

/* A body's buffer starts at its length, but not above this. */
#define FIRST_CAPACITY		(64 * 1024)

/*
 * What is read and thrown away of a body that turned out too large, so that
 * its sender gets to read the answer. Beyond it the connection is cut; a body
 * whose length is known is bounded by max_body_size and read to its end.
 */
#define DISCARD_LIMIT		(4 * 1024 * 1024)

/*
 * A body of which no more comes than this in that time gives its memory to
 * others, where it is short: clients that only hold it would else keep all
 * others out until request_timeout.
 */
#define PATIENCE_MS			2000
#define LEAST_PROGRESS		(16 * 1024)

void
cpw_request_list_append(CpwRequestList *list, CpwRequest *request)
{
	request->next = NULL;
	*list->end = request;
	list->end = &request->next;
}

CpwRequest *
cpw_request_list_take(CpwRequestList *list)
{
	CpwRequest *first = list->first;

	list->first = NULL;
	list->end = &list->first;
	return first;
}

/* Content-Length has been checked by the library: digits, in range. */
static uint64_t
parse_length(const CpwHeader *header)
{
	uint64_t	length = 0;

	for (size_t i = 0; i < header->value_length; i++)
	{
		char		c = header->value[i];

		if (c < '0' || c > '9' || length > UINT64_MAX / 10 - 1)
			break;
		length = length * 10 + (uint64_t) (c - '0');
	}
	return length;
}

void
cpw_request_describe_body(CpwRequest *request)
{
	const CpwHeader *length = cpw_headers_find(&request->headers,
											   "content-length", NULL);

	if (length != NULL)
	{
		request->length_known = true;
		request->content_length = parse_length(length);
	}
	/* Of too many headers one that was not kept may announce a body. */
	request->has_body = request->content_length > 0 ||
		cpw_headers_find(&request->headers, "transfer-encoding", NULL) != NULL ||
		request->header_size == SIZE_MAX;
}

void
cpw_request_free_body(CpwRequest *request, CpwBodyBudget *budget)
{
	free(request->body);
	budget->buffered -= request->body_capacity;
	request->body = NULL;
	request->body_length = 0;
	request->body_capacity = 0;
	cpw_deadline_clear(&request->patience);
}

void
cpw_request_complete_body(CpwRequest *request)
{
	cpw_deadline_clear(&request->patience);
}

static void
be_patient(CpwRequest *request, CpwBodyBudget *budget)
{
	request->progress = request->body_length;
	cpw_deadline_set(&request->patience, &budget->incomplete, PATIENCE_MS);
}

/* Refuses bodies that hardly come on until there are bytes left for another. */
static bool
make_room(CpwBodyBudget *budget, size_t bytes)
{
	CpwDeadline *overdue;

	while (budget->buffered + bytes > budget->max_buffered)
	{
		CpwRequest *request;

		overdue = cpw_deadline_take_overdue(&budget->incomplete);
		if (overdue == NULL)
			return false;
		request = (CpwRequest *) ((char *) overdue -
								  offsetof(CpwRequest, patience));
		if (request->body_length - request->progress >= LEAST_PROGRESS)
		{
			be_patient(request, budget);
			continue;
		}
		request->refused = CPW_VERDICT_UNAVAILABLE;
		cpw_request_free_body(request, budget);
	}
	return true;
}

/* The capacity for needed bytes: what is announced, or ever twice as much. */
static size_t
choose_capacity(const CpwRequest *request, size_t needed)
{
	size_t		announced = (size_t) request->content_length + 1;
	size_t		capacity = request->body_capacity * 2;

	if (capacity == 0)
		capacity = FIRST_CAPACITY;
	if (request->length_known && capacity > announced)
		capacity = announced;
	return capacity < needed ? needed : capacity;
}

/* Makes room for length more bytes and a NUL, or refuses the request. */
static bool
reserve(CpwRequest *request, CpwBodyBudget *budget, size_t length)
{
	size_t		needed = request->body_length + length + 1;
	size_t		capacity;
	char	   *body;

	if (needed - 1 > budget->max_body_size)
	{
		request->refused = CPW_VERDICT_BODY_TOO_LARGE;
		return false;
	}
	if (needed <= request->body_capacity)
		return true;
	capacity = choose_capacity(request, needed);
	/* It comes on: it is none of those that make room for itself. */
	cpw_deadline_clear(&request->patience);
	if (!make_room(budget, capacity - request->body_capacity) ||
		(body = realloc(request->body, capacity)) == NULL)
	{
		request->refused = CPW_VERDICT_UNAVAILABLE;
		return false;
	}
	budget->buffered += capacity - request->body_capacity;
	request->body = body;
	request->body_capacity = capacity;
	be_patient(request, budget);
	return true;
}

/*
 * Counts the values of a body once it is so long that it could hold too many:
 * an ordinary one is never looked at. before is how long it was.
 */
static bool
values_in_bounds(CpwRequest *request, const CpwBodyBudget *budget,
				 size_t before)
{
	size_t		limit = budget->max_json_values;

	if (!request->count_values || request->body_length <= limit)
		return true;
	if (before <= limit)
		before = 0;
	cpw_json_scan(&request->scan, request->body + before,
				  request->body_length - before);
	return request->scan.structural <= limit;
}

bool
cpw_request_append(CpwRequest *request, CpwBodyBudget *budget,
				   const char *bytes, size_t length)
{
	size_t		before = request->body_length;

	if (request->refused == CPW_VERDICT_PENDING &&
		reserve(request, budget, length))
	{
		memcpy(request->body + before, bytes, length);
		request->body_length += length;
		request->body[request->body_length] = '\0';
		if (!values_in_bounds(request, budget, before))
			request->refused = CPW_VERDICT_BODY_TOO_LARGE;
	}
	if (request->refused == CPW_VERDICT_PENDING)
		return true;
	cpw_request_free_body(request, budget);
	request->discarded += length;
	return request->length_known || request->discarded <= DISCARD_LIMIT;
}
