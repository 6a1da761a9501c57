/* What readiness.h measures, by select(2), poll(2), epoll(7) and by polls of io_uring(7).
 *
 * A poll (IORING_OP_POLL_ADD) tells once; the next operation asks for it again, in the same io_uring_enter that waits.
 * Where the kernel lets a completion wait for that call (IORING_SETUP_DEFER_TASKRUN, Linux 6.1; COOP_TASKRUN, 5.19), it
 * is made inside it, else wherever the program is interrupted for it. */
#include "../readiness.h"

#include <liburing.h>

#define SQ_ENTRIES 1024

static struct io_uring ring;

static bool set_up(unsigned flags, unsigned completions)
{
	struct io_uring_params params = {.flags = flags | IORING_SETUP_CQSIZE, .cq_entries = completions};

	memset(&ring, 0, sizeof(ring));
	errno = -io_uring_queue_init_params(SQ_ENTRIES, &ring, &params);
	return !errno;
}

static void ask(int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, fd);
}

/* As completions cost least; false with errno: this kernel, or who runs it, lets nobody have a ring. */
static bool open_ring(void)
{
	unsigned most = 2 * SQ_ENTRIES;

#ifdef IORING_SETUP_DEFER_TASKRUN
	if (set_up(IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER, most))
		return true;
#endif
#ifdef IORING_SETUP_COOP_TASKRUN
	if (set_up(IORING_SETUP_COOP_TASKRUN, most))
		return true;
#endif
	return set_up(0, most);
}

static void watch_by_uring(struct bench *b)
{
	if (!open_ring())
		give_up("io_uring_setup");
	for (int i = 0; i < b->n; i++)
		ask(b->fds[i]);
	io_uring_submit(&ring);
	b->begun = false;
}

static int wait_by_uring(struct bench *b)
{
	struct io_uring_cqe *cqes[MOST_ACTIVE];
	int ready;

	for (int i = 0; b->begun && i < b->active; i++)
		ask(b->found[i]);
	b->begun = true;
	if (io_uring_submit_and_wait(&ring, b->active) < 0)
		give_up("io_uring_enter");
	ready = io_uring_peek_batch_cqe(&ring, cqes, b->active);
	for (int i = 0; i < ready; i++)
		b->found[i] = io_uring_cqe_get_data64(cqes[i]);
	io_uring_cq_advance(&ring, ready);
	return ready;
}

static void leave_uring(struct bench *b)
{
	(void)b;
	io_uring_queue_exit(&ring);
}

int main(int argc, char **argv)
{
	enum { PLAIN = sizeof(plain_ways) / sizeof(*plain_ways) };
	struct way ways[PLAIN + 1];
	char lacks[128] = "";

	memcpy(ways, plain_ways, sizeof(plain_ways));
	ways[PLAIN] = (struct way){"io_uring", watch_by_uring, wait_by_uring, NULL, leave_uring};
	if (open_ring())
		leave_uring(NULL);
	else
		snprintf(lacks, sizeof(lacks), "io_uring_setup: %s", strerror(errno));
	return bench_readiness(argc, argv, ways, PLAIN + !*lacks, lacks);
}
