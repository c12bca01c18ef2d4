/*
 * head.h
 *		A request's head, from libmicrohttpd to a CpwRequest.
 */
#ifndef CPW_HEAD_H
#define CPW_HEAD_H

#include "net/request.h"

struct MHD_Connection;

/*
 * A request of whose head the first line is here; NULL when memory is short.
 * uri is libmicrohttpd's own text, as it is when it calls back for that.
 */
extern CpwRequest *cpw_head_begin(const char *uri);

/*
 * Copies the rest, and finds out what body comes and what is wrong. method,
 * url and version are those of libmicrohttpd's first call of its handler.
 * False when memory is short.
 */
extern bool cpw_head_take(CpwRequest *request, struct MHD_Connection *mhd,
						  const char *method, const char *url,
						  const char *version);

/*
 * The level of strictness to ask of libmicrohttpd, for its option
 * MHD_OPTION_STRICT_FOR_CLIENT.
 */
extern int	cpw_head_strictness(void);

#endif							/* CPW_HEAD_H */
