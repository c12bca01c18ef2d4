/*
 * template.h
 *		What a signature covers: a text with elements in braces.
 *
 *	{body} {timestamp} {id} {url} {header:name}
 *
 * A brace that is meant as itself is doubled. The built-in schemes have one
 * element more, {form}: the fields of a form, sorted, as Twilio signs them.
 */
#ifndef CPW_TEMPLATE_H
#define CPW_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum CpwPieceKind
{
	CPW_PIECE_LITERAL,
	CPW_PIECE_BODY,
	CPW_PIECE_TIMESTAMP,
	CPW_PIECE_ID,
	CPW_PIECE_URL,
	CPW_PIECE_HEADER,
	CPW_PIECE_FORM
} CpwPieceKind;

typedef struct CpwPiece
{
	CpwPieceKind kind;
	const char *text;			/* LITERAL, HEADER: in the template's text */
	size_t		length;
} CpwPiece;

#define CPW_MAX_PIECES		16

typedef struct CpwTemplate
{
	CpwPiece	pieces[CPW_MAX_PIECES];
	int			count;
} CpwTemplate;

/*
 * Takes a template apart; the pieces point into the text. Returns NULL, or
 * what is wrong with it as a clause, *position (from 0) being where.
 */
extern const char *cpw_template_parse(const char *text,
									  CpwTemplate *template, size_t *position);

/* Whether it has such a piece. */
extern bool cpw_template_has(const CpwTemplate *template, CpwPieceKind kind);

#endif							/* CPW_TEMPLATE_H */
