/*
 * json_path_emit.c
 *		A parsed JSONPath written as jsonpath: segments and selectors.
 *
 * The constructs and why they are exact (strict, behind a ".**"):
 *   ."a"			a member; nothing where there is none or no object
 *   [1], [last]	an element; nothing where there is none or no array
 *   .**{1}			all children of an object or array
 *   .**			the node and all its descendants
 *   keyvalue()		the members of an object, for a union of names; other nodes
 *					would be an error and are filtered out before
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

static void
too_long(CpwPathState *state)
{
	cpw_path_refuse(state, 0, "its translation is too long", NULL);
}

void
cpw_path_write(CpwPathState *state, const char *format,...)
{
	size_t		room = state->output_size - state->output_used;
	va_list		args;
	int			length;

	if (!cpw_path_is_well(state))
		return;
	va_start(args, format);
	length = vsnprintf(state->output + state->output_used, room, format, args);
	va_end(args);
	if (length < 0 || (size_t) length >= room)
		too_long(state);
	else
		state->output_used += (size_t) length;
}

void
cpw_path_write_text(CpwPathState *state, const CpwPathText *text)
{
	cpw_path_write(state, "\"");
	for (size_t i = 0; i < text->length; i++)
	{
		unsigned char c = (unsigned char) text->bytes[i];

		if (c == '"' || c == '\\')
			cpw_path_write(state, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			cpw_path_write(state, "\\u%04x", c);
		else
			cpw_path_write(state, "%c", c);
	}
	cpw_path_write(state, "\"");
}

void
cpw_path_emit_refusal(CpwPathState *state, const char *reason)
{
	cpw_path_write(state, "($\"%s\" == 1 || \"2000-01-01\".datetime() < "
				   "\"2000-01-01 00:00:00+00\".datetime())", reason);
}

void
cpw_path_emit_constant(CpwPathState *state, bool value)
{
	cpw_path_write(state, value ? "(1 == 1)" : "(1 == 0)");
}

/* ---- selectors ---- */

static void
emit_index(CpwPathState *state, int64_t index)
{
	/* No jsonb array has 2^28 elements, but a subscript is a 32-bit number. */
	const int64_t beyond = INT64_C(1) << 29;

	if (index > beyond)
		index = beyond;
	if (index < -beyond)
		index = -beyond;
	if (index >= 0)
		cpw_path_write(state, "%lld", (long long) index);
	else if (index == -1)
		cpw_path_write(state, "last");
	else
		cpw_path_write(state, "last - %lld", (long long) (-index - 1));
}

/* Whether a name stands in a union twice: its member would be there twice. */
static bool
has_repeated_name(const CpwPathSegment *segment)
{
	for (CpwPathSelector *a = segment->selectors; a != NULL; a = a->next)
		for (CpwPathSelector *b = a->next; b != NULL; b = b->next)
			if (a->kind == CPW_SELECT_NAME && b->kind == CPW_SELECT_NAME &&
				cpw_path_texts_equal(&a->name, &b->name))
				return true;
	return false;
}

static void
emit_names(CpwPathState *state, const CpwPathSegment *segment)
{
	if (has_repeated_name(segment))
		cpw_path_refuse(state, segment->selectors->position,
						"a name that is repeated in a union cannot be expressed",
						"Leave the repetition out.");
	cpw_path_write(state, " ? (@.type() == \"object\").keyvalue() ? (");
	for (CpwPathSelector *selector = segment->selectors; selector != NULL;
		 selector = selector->next)
	{
		cpw_path_write(state, "@.key == ");
		cpw_path_write_text(state, &selector->name);
		cpw_path_write(state, selector->next ? " || " : ").value");
	}
}

static void
emit_subscripts(CpwPathState *state, const CpwPathSegment *segment)
{
	cpw_path_write(state, "[");
	for (CpwPathSelector *selector = segment->selectors; selector != NULL;
		 selector = selector->next)
	{
		if (selector->kind == CPW_SELECT_INDEX)
			emit_index(state, selector->index);
		else
			cpw_path_emit_slice(state, selector);
		cpw_path_write(state, selector->next ? ", " : "]");
	}
}

static bool
is_subscript(const CpwPathSelector *selector)
{
	return selector->kind == CPW_SELECT_INDEX ||
		selector->kind == CPW_SELECT_SLICE;
}

/* Whether jsonpath has an expression for all selectors at once. */
static bool
is_expressible(const CpwPathSegment *segment)
{
	const CpwPathSelector *first = segment->selectors;

	if (first->next == NULL)
		return true;
	for (const CpwPathSelector *other = first->next; other != NULL;
		 other = other->next)
		if (!(first->kind == CPW_SELECT_NAME &&
			  other->kind == CPW_SELECT_NAME) &&
			!(is_subscript(first) && is_subscript(other)))
			return false;
	return first->kind != CPW_SELECT_NAME || !has_repeated_name(segment);
}

static void
emit_union(CpwPathState *state, const CpwPathSegment *segment)
{
	if (segment->descends)
		cpw_path_write(state, ".**");
	if (segment->selectors->kind == CPW_SELECT_NAME)
		emit_names(state, segment);
	else
		emit_subscripts(state, segment);
}

static void
emit_selector(CpwPathState *state, const CpwPathSegment *segment,
			  const CpwPathSelector *selector)
{
	switch (selector->kind)
	{
		case CPW_SELECT_NAME:
			cpw_path_write(state, segment->descends ? ".**." : ".");
			cpw_path_write_text(state, &selector->name);
			break;
		case CPW_SELECT_INDEX:
			cpw_path_write(state, segment->descends ? ".**[" : "[");
			emit_index(state, selector->index);
			cpw_path_write(state, "]");
			break;
		case CPW_SELECT_SLICE:
			cpw_path_write(state, segment->descends ? ".**[" : "[");
			cpw_path_emit_slice(state, selector);
			cpw_path_write(state, "]");
			break;
		case CPW_SELECT_WILDCARD:
		case CPW_SELECT_FILTER:
			cpw_path_write(state, segment->descends ? ".**{1 to last}" :
						   ".**{1}");
			if (selector->kind == CPW_SELECT_WILDCARD)
				break;
			cpw_path_write(state, " ? ");
			cpw_path_emit_condition(state, selector->filter);
			break;
	}
}

static void
emit_segments(CpwPathState *state, const CpwPathQuery *query)
{
	for (const CpwPathSegment *segment = query->segments; segment != NULL;
		 segment = segment->next)
	{
		const CpwPathSelector *first = segment->selectors;

		if (segment == state->split)
			emit_selector(state, segment, state->chosen);
		else if (!is_expressible(segment))
			cpw_path_refuse(state, first->position,
							first->kind == CPW_SELECT_NAME &&
							has_repeated_name(segment) ?
							"a name that is repeated in a union cannot be expressed" :
							"a union of selectors of different kinds, of filters or with * cannot be expressed",
							"Use a path for each of them.");
		else if (first->next == NULL)
			emit_selector(state, segment, first);
		else
			emit_union(state, segment);
	}
}

/* ---- queries ---- */

static void
refuse_function(CpwPathState *state, const CpwPathQuery *query)
{
	if (query->function != CPW_FUNCTION_NONE)
		cpw_path_refuse(state, query->position,
						query->refusal ? query->refusal :
						"length() must be compared with a number here",
						NULL);
}

void
cpw_path_emit_query(CpwPathState *state, const CpwPathQuery *query)
{
	if (!cpw_path_enter(state))
		return;
	refuse_function(state, query);
	cpw_path_write(state, query->is_absolute ? "$" : "@");
	emit_segments(state, query);
	cpw_path_leave(state);
}

/* Whether the first segment is written with a ".**". */
static bool
begins_deep(const CpwPathQuery *query)
{
	const CpwPathSegment *segment = query->segments;

	return segment->descends ||
		segment->selectors->kind == CPW_SELECT_WILDCARD ||
		segment->selectors->kind == CPW_SELECT_FILTER;
}

void
cpw_path_emit_whole(CpwPathState *state, const CpwPathQuery *query)
{
	cpw_path_write(state, "strict $");
	if (query->segments != NULL && !begins_deep(query))
		cpw_path_write(state, ".**{0}");
	emit_segments(state, query);
	if (query->function == CPW_FUNCTION_LENGTH)
	{
		if (!cpw_path_is_singular(query))
			cpw_path_refuse(state, query->position,
							"length() of more than one node cannot be expressed",
							NULL);
		cpw_path_write(state, "%s ? (@.type() == \"array\" || "
					   "@.type() == \"object\" && ",
					   query->segments == NULL ? ".**{0}" : "");
		cpw_path_emit_refusal(state,
							  "length() of an object cannot be expressed");
		cpw_path_write(state, ").size()");
	}
	else
		refuse_function(state, query);
}

/* The first union of the query that cannot be written as it is. */
static const CpwPathSegment *
find_split(const CpwPathQuery *query)
{
	const CpwPathSegment *segment = query->segments;

	while (segment != NULL && is_expressible(segment))
		segment = segment->next;
	return segment;
}

/* Whether any of a union's nodes exists can be asked one by one. */
void
cpw_path_emit_exists(CpwPathState *state, const CpwPathQuery *query)
{
	const CpwPathSegment *outer_split = state->split;
	const CpwPathSelector *outer_chosen = state->chosen;
	const CpwPathSegment *split = find_split(query);
	const CpwPathSelector *selector = split ? split->selectors : NULL;

	if (split != NULL)
		cpw_path_write(state, "(");
	do
	{
		state->split = split;
		state->chosen = selector;
		cpw_path_write(state, "exists(");
		cpw_path_emit_query(state, query);
		cpw_path_write(state, ")");
		selector = selector ? selector->next : NULL;
		if (selector != NULL)
			cpw_path_write(state, " || ");
	} while (selector != NULL && cpw_path_is_well(state));
	state->split = outer_split;
	state->chosen = outer_chosen;
	if (split != NULL)
		cpw_path_write(state, ")");
}

void
cpw_path_emit_pattern(CpwPathState *state, const char *pattern, const CpwPathQuery *a,
			 const CpwPathQuery *b)
{
	for (const char *p = pattern; *p != '\0'; p++)
	{
		if (*p != '%')
			cpw_path_write(state, "%c", *p);
		else if (*++p == 'a')
			cpw_path_emit_query(state, a);
		else
			cpw_path_emit_query(state, b);
	}
}
