/*
 * page_token.h
 *		NextToken: where the next page of a list begins.
 *
 * A token is opaque to its user: base64 of a version, a checksum and the last
 * item that was shown. It holds for the list that made it; the checksum finds
 * what this service did not make, and protects nothing: an item may be anybody's, and is
 * taken for nothing but a bound.
 */
#ifndef CPW_PAGE_TOKEN_H
#define CPW_PAGE_TOKEN_H

#include "postgres.h"

#include "utils/jsonb.h"

/* The token after the item last of a list; scope names the list. Palloc'd. */
extern char *cpw_page_token_make(const char *scope, const char *last);

/*
 * The item after which a request's page begins: "" without the member. Raises
 * InvalidNextTokenException for a token of another list or of no list.
 */
extern char *cpw_page_token_read(JsonbContainer *request, const char *member,
								 const char *scope);

/* The same for a list of rows with ids: the item is a uuid's text. */
extern char *cpw_page_token_read_id(JsonbContainer *request,
									const char *member, const char *scope);

#endif							/* CPW_PAGE_TOKEN_H */
