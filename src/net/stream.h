/*
 * stream.h
 *		What waits to be sent on an answer that has no end.
 *
 * A stream's bytes are told one message at a time, and a reader that does not
 * take them has room for a few: then it is to be cut, so that none is waited
 * for and none costs more than this. Nothing is allocated.
 */
#ifndef CPW_STREAM_H
#define CPW_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that a reader may be behind, beside what the kernel holds for it. */
#define CPW_STREAM_SIZE		4096

typedef struct CpwStream
{
	struct CpwStream *next;		/* the listener's others */
	struct CpwRequest *request;
	bool	   *progressed;		/* the listener's own */
	void		(*on_end) (struct CpwRequest *request);
	bool		waits;			/* suspended: there was nothing to send */
	bool		over;			/* nothing comes any more */
	size_t		length;
	char		bytes[CPW_STREAM_SIZE];
} CpwStream;

/* Adds bytes to what waits; false (and nothing is added) without room. */
extern bool cpw_stream_put(CpwStream *stream, const char *bytes,
						   size_t length);

/* Takes at most room bytes of what waits, in order; returns how many. */
extern size_t cpw_stream_take(CpwStream *stream, char *to, size_t room);

/* A list of streams. */
extern void cpw_stream_link(CpwStream **list, CpwStream *stream);
extern void cpw_stream_unlink(CpwStream **list, CpwStream *stream);

#endif							/* CPW_STREAM_H */
