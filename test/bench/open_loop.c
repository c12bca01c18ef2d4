/*
 * open_loop.c
 *		Posts deliveries at a constant rate, whatever the answers do: each has a
 *		time at which it is due, and what it waits for a free connection, or for
 *		this program, counts. Prints for each the execution's id, and when it was
 *		due, sent and answered, in microseconds of the monotonic clock.
 *
 * open_loop PORT PATH FILE SIGNATURE RATE SECONDS CONNECTIONS SEED
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS	1024
#define ID_LENGTH		36

typedef struct Connection
{
	int			fd;
	long		delivery;		/* that it carries */
	size_t		length;			/* of the answer so far */
	char		answer[4096];
} Connection;

typedef struct Delivery
{
	int64_t		sent;
	int64_t		answered;
	char		execution[ID_LENGTH + 1];
} Delivery;

static Connection connections[MAX_CONNECTIONS];
static int	idle[MAX_CONNECTIONS];	/* a ring: each has its turn */
static int	idle_first;
static int	idle_count;
static int	connection_count;
static char *request;
static size_t request_length;
static char *id_place;

static void
fail(const char *what)
{
	fprintf(stderr, "open_loop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
add_idle(int n)
{
	idle[(idle_first + idle_count++) % connection_count] = n;
}

static void
open_connection(int n, int port, int set)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t) n};
	int			one = 1;
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *) &to, sizeof(to)) != 0)
		fail("no connection");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("epoll");
	connections[n].fd = fd;
	add_idle(n);
}

/* The whole request, but for the end of the delivery's id. */
static void
make_request(char **argv)
{
	static char head[2048];
	FILE	   *file = fopen(argv[3], "rb");
	static char body[1 << 20];
	size_t		length;
	int			head_length;

	if (file == NULL)
		fail(argv[3]);
	length = fread(body, 1, sizeof(body), file);
	fclose(file);
	head_length = snprintf(head, sizeof(head),
						   "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
						   "User-Agent: GitHub-Hookshot/7d1c2b5\r\nX-GitHub-Event: push\r\n"
						   "X-Hub-Signature-256: sha256=%s\r\nContent-Length: %zu\r\n"
						   "X-GitHub-Delivery: %08x-0000-4000-8000-000000000000\r\n\r\n",
						   argv[2], argv[4], length, (unsigned) strtoul(argv[8], NULL, 10));
	request_length = (size_t) head_length + length;
	request = malloc(request_length);
	if (request == NULL)
		fail("memory");
	memcpy(request, head, (size_t) head_length);
	memcpy(request + head_length, body, length);
	id_place = request + head_length - 4 - 12;
}

static void
send_one(Delivery *delivery, long number)
{
	Connection *c = &connections[idle[idle_first]];
	char		digits[13];

	idle_first = (idle_first + 1) % connection_count;
	idle_count--;
	snprintf(digits, sizeof(digits), "%012lx", number);
	memcpy(id_place, digits, 12);
	c->delivery = number;
	c->length = 0;
	delivery->sent = now();
	if (send(c->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t) request_length)
		fail("a request is not sent whole");
}

/* Whether the answer is complete now. */
static int
read_answer(Connection *c, Delivery *delivery)
{
	static const char member[] = "\"pipelineExecutionId\":\"";
	ssize_t		got = read(c->fd, c->answer + c->length, sizeof(c->answer) - 1 - c->length);
	char	   *found;

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0)
		fail("the connection has ended");
	c->length += (size_t) got;
	c->answer[c->length] = '\0';
	if (strstr(c->answer, "\r\n\r\n") == NULL || c->answer[c->length - 1] != '}')
		return 0;
	delivery->answered = now();
	found = strstr(c->answer, member);
	if (strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0 || found == NULL)
		fail(c->answer);
	memcpy(delivery->execution, found + sizeof(member) - 1, ID_LENGTH);
	return 1;
}

static void
run(int set, int timer, double rate, long total, Delivery *deliveries)
{
	int64_t		start = now() + 10000;
	long		sent = 0;
	long		answered = 0;

	while (answered < total)
	{
		struct epoll_event events[256];
		int			count;

		while (sent < total && idle_count > 0 && start + (int64_t) ((double) sent * 1e6 / rate) <= now())
		{
			send_one(&deliveries[sent], sent);
			sent++;
		}
		if (sent < total && idle_count > 0)
		{
			int64_t		due = start + (int64_t) ((double) sent * 1e6 / rate);
			struct itimerspec at = {.it_value = {due / 1000000, due % 1000000 * 1000}};

			timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
		}
		count = epoll_wait(set, events, 256, 30000);
		if (count == 0)
			fail("no answer for 30 seconds");
		for (int i = 0; i < count; i++)
		{
			uint32_t	n = events[i].data.u32;
			uint64_t	ticks;

			if (n == MAX_CONNECTIONS)
			{
				if (read(timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
					fail("timer");
			}
			else if (read_answer(&connections[n], &deliveries[connections[n].delivery]))
			{
				answered++;
				add_idle((int) n);
			}
		}
	}
	for (long i = 0; i < total; i++)
		printf("%s %lld %lld %lld\n", deliveries[i].execution,
			   (long long) (start + (int64_t) ((double) i * 1e6 / rate)),
			   (long long) deliveries[i].sent, (long long) deliveries[i].answered);
}

int
main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = MAX_CONNECTIONS};
	int			set = epoll_create1(0);
	int			timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	double		rate;
	long		total;

	if (argc != 9)
		return 2;
	make_request(argv);
	rate = strtod(argv[5], NULL);
	total = (long) (rate * strtod(argv[6], NULL));
	connection_count = (int) strtol(argv[7], NULL, 10);
	if (connection_count < 1 || connection_count > MAX_CONNECTIONS || total < 1 ||
		epoll_ctl(set, EPOLL_CTL_ADD, timer, &event) != 0)
		return 2;
	for (int i = 0; i < connection_count; i++)
		open_connection(i, (int) strtol(argv[1], NULL, 10), set);
	run(set, timer, rate, total, calloc((size_t) total, sizeof(Delivery)));
	return 0;
}
