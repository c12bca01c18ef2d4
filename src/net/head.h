/*
 * head.h
 *		A request's head, from libmicrohttpd to a CpwRequest.
 */
#ifndef CPW_HEAD_H
#define CPW_HEAD_H

#include "net/request.h"

/* One header; false: no more, please. */
typedef bool (*CpwHeadVisitor) (void *arg, const char *name,
								size_t name_length, const char *value,
								size_t value_length);

/* A head as libmicrohttpd has taken it apart, pointers into its own bytes. */
typedef struct CpwHeadSource
{
	const char *method;			/* these three of its handler's first call */
	const char *url;
	const char *version;
	size_t		size;			/* of the whole head */
	bool		is_lenient;		/* cpw_head_library_is_lenient() */

	/* Calls visitor for each header in turn. */
	void		(*each_header) (void *connection, CpwHeadVisitor visitor,
								void *arg);
	void	   *connection;
} CpwHeadSource;

/*
 * A request of whose head the first line is here; NULL when memory is short.
 * uri is libmicrohttpd's own text, as it is when it calls back for that.
 */
extern CpwRequest *cpw_head_begin(const char *uri);

/*
 * Copies the rest, and finds out what body comes and what is wrong. False when
 * memory is short.
 */
extern bool cpw_head_take(CpwRequest *request, const CpwHeadSource *source);

/* Whether libmicrohttpd of that version lets pass what it should refuse. */
extern bool cpw_head_library_is_lenient(const char *version);

#endif							/* CPW_HEAD_H */
