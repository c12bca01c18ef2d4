/*
 * json_scan.h
 *		Counts the structural bytes of JSON text as it streams, to bound the
 *		tree that parsing would make before it is parsed.
 *
 * 24 MB of "[[],[],..." become gigabytes of parse tree. Each value of a tree
 * costs at least one of , : [ { outside strings, so their number bounds it.
 */
#ifndef CPW_JSON_SCAN_H
#define CPW_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Zero it before the first byte. */
typedef struct CpwJsonScan
{
	size_t		structural;		/* bytes , : [ { outside strings so far */
	bool		in_string;
	bool		escaped;		/* the last byte was a backslash in a string */
} CpwJsonScan;

/* Takes the next bytes of the text. Any split gives the same count. */
extern void cpw_json_scan(CpwJsonScan *scan, const char *bytes, size_t length);

#endif							/* CPW_JSON_SCAN_H */
