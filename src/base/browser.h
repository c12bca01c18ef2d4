/*
 * browser.h
 *		What a browser says of a request beside what its page asks for: its
 *		cookies, and which page it is.
 *
 * Fetch Metadata (https://www.w3.org/TR/fetch-metadata/) says where a request
 * comes from in a header that no page can write; Origin (RFC 6454) is what
 * older browsers have.
 */
#ifndef CPW_BROWSER_H
#define CPW_BROWSER_H

#include "cp_webhook.h"

/*
 * The value of a cookie (RFC 6265, 5.4): the first of that name, which is the
 * one with the longest path. NULL where there is none.
 */
extern const char *cpw_browser_cookie(const CpwHeaders *headers,
									  const char *name, size_t *length);

/*
 * Whether a request that only reads may be answered: no other page makes it.
 * What is no browser of today says nothing of that, and passes.
 */
extern bool cpw_browser_may_read(const CpwHeaders *headers);

/*
 * Whether a request that changes something is our own page's. origin is what
 * the page's URL begins with where a proxy stands before it, or NULL.
 */
extern bool cpw_browser_may_change(const CpwHeaders *headers,
								   const char *origin);

/* Whether the last proxy says that its client speaks TLS with it. */
extern bool cpw_browser_is_forwarded_https(const CpwHeaders *headers);

/* A header with exactly this value, once. Cases of letters do not matter. */
extern bool cpw_browser_says(const CpwHeaders *headers, const char *name,
							 const char *value);

#endif							/* CPW_BROWSER_H */
