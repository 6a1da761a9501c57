/* Receivers of each I/O model that stamp CLOCK_MONOTONIC before and after every call: what a trace of them is held to.
 *
 *     stamps CPU PAGE COUNT MODEL
 *
 * Prints the socket's descriptor, how long it waited for a CPU meanwhile (ns), two readings of both clocks (before and
 * after the run: CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_MONOTONIC), and a line for each message:
 *
 *     SENT ARRIVED ASKING RECEIVING RECEIVED
 *
 * SENT is the sender's stamp, ARRIVED the kernel's (SO_TIMESTAMPNS, CLOCK_REALTIME; 0: none, socket(7)), ASKING before
 * the first call that waits for the message, RECEIVING before the call that brought it, RECEIVED the first thing after.
 */
#include "stamps.h"
#include <aio.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

#define MOST 1000000

struct row {
	uint64_t sent, arrived, asking, receiving, received;
};

static struct page *page;
static struct row *rows;
static volatile uint64_t count, wanted;
static int fd;
static struct message message;
static char control[128];
static struct iovec part = {&message, sizeof(message)};
static struct msghdr header;

static void ask(void)
{
	header = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
	header.msg_control = control;
	header.msg_controllen = sizeof(control);
	page->asking = count + 1;
}

/* A message is there, since `received`. */
static void note(uint64_t asking, uint64_t receiving, uint64_t received)
{
	struct row *row = &rows[count];
	struct cmsghdr *one = header.msg_controllen ? CMSG_FIRSTHDR(&header) : NULL;
	struct timespec arrived = {0};

	if (one && one->cmsg_type == SO_TIMESTAMPNS)
		memcpy(&arrived, CMSG_DATA(one), sizeof(arrived));
	*row = (struct row){message.sent, arrived.tv_sec * 1000000000ull + arrived.tv_nsec, asking, receiving,
			    received};
	count++;
}

/* One receive; false where there was nothing. asking: 0 for the time before it. */
static int receive(uint64_t asking)
{
	uint64_t before = now();
	ssize_t size = recvmsg(fd, &header, 0);
	uint64_t after = now();

	if (size < 0 && errno != EAGAIN)
		die("recvmsg");
	if (size > 0)
		note(asking ? asking : before, before, after);
	return size > 0;
}

static void blocking(void)
{
	for (; count < wanted;) {
		ask();
		receive(0);
	}
}

static void nonblocking(void)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (; count < wanted;) {
		uint64_t first = now();

		ask();
		while (!receive(first))
			;
	}
}

static void by_select(void)
{
	for (; count < wanted;) {
		fd_set set;

		FD_ZERO(&set);
		FD_SET(fd, &set);
		ask();
		uint64_t before = now();
		select(fd + 1, &set, NULL, NULL, NULL);
		receive(before);
	}
}

static void by_poll(void)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};

	for (; count < wanted;) {
		ask();
		uint64_t before = now();
		poll(&one, 1, -1);
		receive(before);
	}
}

static void by_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	for (; count < wanted;) {
		ask();
		uint64_t before = now();
		epoll_wait(epoll, &event, 1, -1);
		receive(before);
	}
}

static void on_sigio(int number)
{
	(void)number;
	while (receive(0))
		ask();
}

/* No call asks: ASKING is RECEIVING. */
static void by_signal(void)
{
	struct sigaction action = {.sa_handler = on_sigio};
	volatile unsigned value = 1;

	sigaction(SIGIO, &action, NULL);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	ask();
	while (count < wanted)
		value = value * 1103515245 + 12345; /* the program's own work */
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static struct aiocb request;
static volatile uint64_t asked;

static void on_completion(int number)
{
	uint64_t after = now();

	(void)number;
	if (aio_error(&request) || aio_return(&request) != sizeof(message))
		die("aio_read");
	note(asked, asked, after);
	asked = 0;
}

/* A control message needs recvmsg: ARRIVED is 0. */
static void by_posix_aio(void)
{
	struct sigaction action = {.sa_handler = on_completion};
	volatile unsigned value = 1;

	sigaction(SIGRTMIN, &action, NULL);
	request = (struct aiocb){.aio_fildes = fd, .aio_buf = &message, .aio_nbytes = sizeof(message)};
	request.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
	request.aio_sigevent.sigev_signo = SIGRTMIN;
	while (count < wanted) {
		if (!asked) {
			ask();
			header.msg_controllen = 0;
			asked = now();
			if (aio_read(&request))
				die("aio_read");
		}
		value = value * 1103515245 + 12345; /* the program's own work */
	}
}

/* By hand, since liburing may not be there: one recvmsg at a time, submitted and waited for with one call. */
static void by_io_uring(void)
{
	struct io_uring_params made = {0};
	int ring = syscall(SYS_io_uring_setup, 1, &made);

	if (ring < 0) {
		perror("io_uring_setup");
		exit(3);
	}
	char *sq = mmap(NULL, 4096 * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	char *cq = mmap(NULL, 4096 * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	struct io_uring_sqe *entry =
		mmap(NULL, sizeof(*entry), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || entry == MAP_FAILED)
		die("mmap of the ring");
	unsigned *tail = (unsigned *)(sq + made.sq_off.tail), *head = (unsigned *)(cq + made.cq_off.head);
	struct io_uring_cqe *done = (struct io_uring_cqe *)(cq + made.cq_off.cqes);
	unsigned mask = made.cq_entries - 1;

	for (; count < wanted;) {
		ask();
		*entry = (struct io_uring_sqe){.opcode = IORING_OP_RECVMSG, .fd = fd, .addr = (uintptr_t)&header};
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
		uint64_t before = now();
		if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter");
		uint64_t after = now();
		if (done[*head & mask].res != sizeof(message))
			die("recvmsg");
		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
		note(before, before, after);
	}
}

/* The tightest of many readings, so that an interrupt between two clocks is not among it. */
static void read_clocks(uint64_t *three)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = now(), real = now_of(CLOCK_REALTIME), after = now();

		if (after - before >= least)
			continue;
		least = after - before;
		three[0] = before;
		three[1] = real;
		three[2] = after;
	}
}

/* For how long this thread has waited for a CPU (ns): Documentation/scheduler/sched-stats.rst. 0 where it is not told.
 */
static uint64_t delayed(void)
{
	FILE *file = fopen("/proc/self/schedstat", "r");
	unsigned long ns = 0;

	if (file && fscanf(file, "%*u %lu", &ns) != 1)
		ns = 0;
	if (file)
		fclose(file);
	return ns;
}

static const struct {
	const char *name;
	void (*receives)(void);
} MODELS[] = {
	{"blocking", blocking}, {"nonblocking", nonblocking}, {"select", by_select},       {"poll", by_poll},
	{"epoll", by_epoll},    {"signal", by_signal},        {"posix-aio", by_posix_aio}, {"io-uring", by_io_uring},
};

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(here);
	uint64_t clocks[6];
	void (*receives)(void) = NULL;
	int on = 1;

	for (size_t i = 0; argc == 5 && i < sizeof(MODELS) / sizeof(*MODELS); i++)
		if (!strcmp(argv[4], MODELS[i].name))
			receives = MODELS[i].receives;
	if (!receives)
		return 2;
	page = start(argv[1], argv[2]);
	wanted = strtoull(argv[3], NULL, 10);
	rows = wanted && wanted <= MOST ? calloc(wanted, sizeof(*rows)) : NULL;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (!rows || fd < 0 || bind(fd, (struct sockaddr *)&here, size) ||
	    getsockname(fd, (struct sockaddr *)&here, &size) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
		die("socket");
	memset(rows, 0, wanted * sizeof(*rows)); /* its pages are there before the first message */
	page->port = here.sin_port;
	read_clocks(clocks);
	uint64_t before = delayed();
	receives();
	uint64_t waited = delayed() - before;
	read_clocks(clocks + 3);
	printf("%d %lu", fd, waited);
	for (int i = 0; i < 6; i++)
		printf(" %lu", clocks[i]);
	printf("\n");
	for (uint64_t i = 0; i < count; i++)
		printf("%lu %lu %lu %lu %lu\n", rows[i].sent, rows[i].arrived, rows[i].asking, rows[i].receiving,
		       rows[i].received);
	return fflush(stdout) != 0;
}
