/*
 * template.c
 *		What a signature covers, taken apart.
 */
#include "base/template.h"

#include <string.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

#define HEADER_PREFIX	"header:"

typedef struct Element
{
	const char *name;
	CpwPieceKind kind;
} Element;

static const Element elements[] = {
	{"body", CPW_PIECE_BODY},
	{"timestamp", CPW_PIECE_TIMESTAMP},
	{"id", CPW_PIECE_ID},
	{"url", CPW_PIECE_URL},
	{"form", CPW_PIECE_FORM},
};

#define ELEMENT_COUNT	((int) (sizeof(elements) / sizeof(elements[0])))

static bool
is_header_name(const char *text, size_t length)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < length; i++)
	{
		char		c = text[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') &&
			(c < 'A' || c > 'Z') && (c == '\0' || strchr(marks, c) == NULL))
			return false;
	}
	return length > 0;
}

/* What stands between two braces. False where it is no element. */
static bool
read_element(const char *text, size_t length, CpwPiece *piece)
{
	size_t		prefix = strlen(HEADER_PREFIX);

	for (int i = 0; i < ELEMENT_COUNT; i++)
	{
		if (strlen(elements[i].name) != length ||
			memcmp(elements[i].name, text, length) != 0)
			continue;
		piece->kind = elements[i].kind;
		return true;
	}
	if (length <= prefix || memcmp(text, HEADER_PREFIX, prefix) != 0 ||
		!is_header_name(text + prefix, length - prefix))
		return false;
	piece->kind = CPW_PIECE_HEADER;
	piece->text = text + prefix;
	piece->length = length - prefix;
	return true;
}

/* How many bytes from text on are a literal; a doubled brace ends behind one. */
static size_t
literal_length(const char *text, bool *is_doubled)
{
	size_t		length = strcspn(text, "{}");

	*is_doubled = text[length] != '\0' && text[length] == text[length + 1];
	return length + (*is_doubled ? 1 : 0);
}

const char *
cpw_template_parse(const char *text, CpwTemplate *template, size_t *position)
{
	const char *rest = text;

	template->count = 0;
	while (*rest != '\0')
	{
		CpwPiece	piece = {CPW_PIECE_LITERAL, rest, 0};
		bool		is_doubled;

		*position = (size_t) (rest - text);
		if (template->count == CPW_MAX_PIECES)
			return "it has too many parts";
		piece.length = literal_length(rest, &is_doubled);
		if (piece.length > 0)
			rest += piece.length + (is_doubled ? 1 : 0);
		else if (*rest == '}')
			return "a closing brace has no opening one";
		else
		{
			size_t		length = strcspn(rest + 1, "{}");

			if (rest[1 + length] != '}')
				return "an opening brace has no closing one";
			if (!read_element(rest + 1, length, &piece))
				return "what is in the braces is none of body, timestamp, id, url and header:name";
			rest += length + 2;
		}
		template->pieces[template->count++] = piece;
	}
	return NULL;
}

bool
cpw_template_has(const CpwTemplate *template, CpwPieceKind kind)
{
	for (int i = 0; i < template->count; i++)
		if (template->pieces[i].kind == kind)
			return true;
	return false;
}
