/*
 * deadline.c
 *		Deadlines in the order in which they come.
 */
#include "net/deadline.h"

#include <stddef.h>
#include <time.h>

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
cpw_deadline_clear(CpwDeadline *deadline)
{
	CpwDeadlines *list = deadline->list;

	if (list == NULL)
		return;
	if (deadline->previous)
		deadline->previous->next = deadline->next;
	else
		list->first = deadline->next;
	if (deadline->next)
		deadline->next->previous = deadline->previous;
	else
		list->last = deadline->previous;
	deadline->list = NULL;
}

void
cpw_deadline_set(CpwDeadline *deadline, CpwDeadlines *list, int timeout)
{
	CpwDeadline *before;

	cpw_deadline_clear(deadline);
	deadline->due = now_ms() + timeout;
	before = list->last;
	while (before && before->due > deadline->due)
		before = before->previous;
	deadline->list = list;
	deadline->previous = before;
	deadline->next = before ? before->next : list->first;
	if (deadline->next)
		deadline->next->previous = deadline;
	else
		list->last = deadline;
	if (before)
		before->next = deadline;
	else
		list->first = deadline;
}

CpwDeadline *
cpw_deadline_take_overdue(CpwDeadlines *list)
{
	CpwDeadline *first = list->first;

	if (first == NULL || first->due > now_ms())
		return NULL;
	cpw_deadline_clear(first);
	return first;
}

long
cpw_deadline_timeout(const CpwDeadlines *list)
{
	int64_t		left;

	if (list->first == NULL)
		return -1;
	left = list->first->due - now_ms();
	return left < 0 ? 0 : (long) left + 1;
}
