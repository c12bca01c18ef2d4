/*
 * test_stream.c
 *		What waits on an answer that has no end: in order, and no more of it
 *		than there is room for.
 */
#include "net/stream.h"
#include "check.h"

static void
test_order(void)
{
	CpwStream	stream = {0};
	char		taken[16];

	CHECK(cpw_stream_take(&stream, taken, sizeof(taken)) == 0);
	CHECK(cpw_stream_put(&stream, "hello ", 6));
	CHECK(cpw_stream_put(&stream, "world", 5));
	CHECK(cpw_stream_take(&stream, taken, 4) == 4 &&
		  memcmp(taken, "hell", 4) == 0);
	CHECK(cpw_stream_put(&stream, "!", 1));
	CHECK(cpw_stream_take(&stream, taken, sizeof(taken)) == 8 &&
		  memcmp(taken, "o world!", 8) == 0);
	CHECK(cpw_stream_take(&stream, taken, sizeof(taken)) == 0);
}

static void
test_bound(void)
{
	CpwStream	stream = {0};
	char		byte = 'x';
	char		all[CPW_STREAM_SIZE];

	for (int i = 0; i < CPW_STREAM_SIZE - 1; i++)
		CHECK(cpw_stream_put(&stream, &byte, 1));
	CHECK(!cpw_stream_put(&stream, "ab", 2));
	CHECK(cpw_stream_put(&stream, "a", 1));
	CHECK(!cpw_stream_put(&stream, "b", 1));
	CHECK(cpw_stream_put(&stream, "", 0));
	CHECK(cpw_stream_take(&stream, all, sizeof(all)) == CPW_STREAM_SIZE &&
		  all[0] == 'x' && all[CPW_STREAM_SIZE - 1] == 'a');
	CHECK(cpw_stream_put(&stream, all, sizeof(all)));
}

static void
test_list(void)
{
	CpwStream	streams[3] = {0};
	CpwStream  *list = NULL;

	for (int i = 0; i < 3; i++)
		cpw_stream_link(&list, &streams[i]);
	cpw_stream_unlink(&list, &streams[1]);
	CHECK(list == &streams[2] && list->next == &streams[0] &&
		  streams[0].next == NULL);
	cpw_stream_unlink(&list, &streams[1]);
	CHECK(list == &streams[2]);
	cpw_stream_unlink(&list, &streams[2]);
	cpw_stream_unlink(&list, &streams[0]);
	CHECK(list == NULL);
}

void
test_stream(void)
{
	test_order();
	test_bound();
	test_list();
}
