/*
 * mhd.c
 *		The limit that HTTP sets: libmicrohttpd reads each request to its end and
 *		answers it as a receiver does. No signature, no database.
 *
 * mhd PORT THREADS
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct MHD_Response *response;

static enum MHD_Result
take(void *closure, struct MHD_Connection *connection, const char *url,
	 const char *method, const char *version, const char *data,
	 size_t *data_size, void **state)
{
	static int	begun;

	(void) closure, (void) url, (void) method, (void) version, (void) data;
	if (*state == NULL)
	{
		*state = &begun;
		return MHD_YES;
	}
	if (*data_size > 0)
	{
		*data_size = 0;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

int
main(int argc, char **argv)
{
	static char answer[] =
		"{\"status\":\"triggered\",\"pipelineExecutionId\":\"00000000-0000-0000-0000-000000000000\"}";

	if (argc != 3)
		return 2;
	response = MHD_create_response_from_buffer(strlen(answer), answer,
											   MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Content-Type", "application/json");
	if (MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, (unsigned short) strtoul(argv[1], NULL, 10),
						 NULL, NULL, take, NULL,
						 MHD_OPTION_THREAD_POOL_SIZE, (unsigned int) strtoul(argv[2], NULL, 10),
						 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) 65536,
						 MHD_OPTION_END) == NULL)
	{
		fprintf(stderr, "mhd: the daemon does not start\n");
		return 1;
	}
	for (;;)
		pause();
}
