/*
 * json_path.c
 *		One translation of a JSONPath: memory, problems, and its two steps.
 */
#include "base/json_path.h"

#include <stdalign.h>
#include <string.h>

#include "base/json_path_tree.h"

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

static bool
fail(CpwPathState *state, CpwJsonPathStatus status, size_t position,
	 const char *reason, const char *hint)
{
	if (state->status != CPW_JSON_PATH_OK)
		return false;
	state->status = status;
	state->problem.position = position;
	state->problem.reason = reason;
	state->problem.hint = hint;
	return false;
}

bool
cpw_path_invalid(CpwPathState *state, size_t position, const char *reason)
{
	return fail(state, CPW_JSON_PATH_INVALID, position, reason, NULL);
}

bool
cpw_path_refuse(CpwPathState *state, size_t position, const char *reason,
				const char *hint)
{
	return fail(state, CPW_JSON_PATH_REFUSED, position, reason, hint);
}

bool
cpw_path_is_well(const CpwPathState *state)
{
	return state->status == CPW_JSON_PATH_OK;
}

void *
cpw_path_alloc(CpwPathState *state, size_t size)
{
	const size_t unit = alignof(max_align_t);
	void	   *result;

	size = (size + unit - 1) / unit * unit;
	if (size > state->memory_size - state->memory_used)
	{
		cpw_path_refuse(state, state->at, "the path is too complex", NULL);
		return NULL;
	}
	result = state->memory + state->memory_used;
	state->memory_used += size;
	return memset(result, 0, size);
}

bool
cpw_path_enter(CpwPathState *state)
{
	if (state->depth == CPW_JSON_PATH_DEPTH)
		return cpw_path_refuse(state, state->at,
							   "the path is nested too deeply", NULL);
	state->depth++;
	return true;
}

void
cpw_path_leave(CpwPathState *state)
{
	state->depth--;
}

/* The number, from 1, of the character at a byte. */
static size_t
character_at(const CpwPathState *state, size_t position)
{
	size_t		number = 1;

	for (size_t i = 0; i < position && i < state->length; i++)
		number += ((unsigned char) state->text[i] & 0xc0) != 0x80;
	return number;
}

CpwJsonPathStatus
cpw_json_path_translate(const char *text, size_t length, void *memory,
						char *output, size_t output_size,
						CpwJsonPathProblem *problem)
{
	CpwPathState state = {
		.text = text,
		.length = length,
		.memory = memory,
		.memory_size = CPW_JSON_PATH_MEMORY(length),
		.output = output,
		.output_size = output_size,
	};
	CpwPathQuery *query = NULL;

	if (length > CPW_JSON_PATH_LENGTH)
		cpw_path_refuse(&state, CPW_JSON_PATH_LENGTH,
						"the path is longer than 10000 bytes", NULL);
	else
		query = cpw_path_parse_query(&state, false);
	if (query != NULL && state.at < length)
		cpw_path_invalid(&state, state.at, "here the path should end");
	if (cpw_path_is_well(&state))
		cpw_path_emit_whole(&state, query);
	if (!cpw_path_is_well(&state))
	{
		*problem = state.problem;
		problem->position = character_at(&state, problem->position);
	}
	return state.status;
}
