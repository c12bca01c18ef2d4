/*
 * instant.h
 *		The timestamps of signed requests, as senders write them.
 */
#ifndef CPW_INSTANT_H
#define CPW_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads a timestamp: seconds since 1970 (up to 11 digits) or milliseconds (12
 * or 13), a date as HTTP writes it (Thu, 07 Sep 2017 06:30:04 GMT, the comma
 * at will, UTC for GMT), or one of RFC 3339 (2017-09-07T06:30:04Z, with a
 * fraction or an offset). *seconds are those since 1970, the fraction cut off.
 * False for anything else.
 */
extern bool cpw_instant_parse(const char *text, size_t length,
							  int64_t *seconds);

#endif							/* CPW_INSTANT_H */
