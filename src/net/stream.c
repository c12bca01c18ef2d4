/*
 * stream.c
 *		What waits to be sent on an answer that has no end.
 */
#include "net/stream.h"

#include <string.h>

bool
cpw_stream_put(CpwStream *stream, const char *bytes, size_t length)
{
	if (length > CPW_STREAM_SIZE - stream->length)
		return false;
	memcpy(stream->bytes + stream->length, bytes, length);
	stream->length += length;
	return true;
}

size_t
cpw_stream_take(CpwStream *stream, char *to, size_t room)
{
	size_t		taken = stream->length < room ? stream->length : room;

	memcpy(to, stream->bytes, taken);
	stream->length -= taken;
	memmove(stream->bytes, stream->bytes + taken, stream->length);
	return taken;
}

void
cpw_stream_link(CpwStream **list, CpwStream *stream)
{
	stream->next = *list;
	*list = stream;
}

void
cpw_stream_unlink(CpwStream **list, CpwStream *stream)
{
	while (*list != NULL && *list != stream)
		list = &(*list)->next;
	if (*list != NULL)
		*list = stream->next;
}
