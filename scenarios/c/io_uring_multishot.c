/* io_uring, multishot receive (Linux 6.0): one request, a completion for each message, in buffers that it takes. */
#include "uring.h"

#include <sys/mman.h>

#define GROUP 1
#define BUFFERS 8 /* a power of two */

/* A queue of buffers from which the kernel takes one for each receive (Linux 5.19). */
struct buffers {
	struct io_uring_buf_ring *queue;
	char *memory;
	size_t size;
};

/* Lets the kernel use buffer `number` (again): stores to shared memory, not a call. */
static void give(struct buffers *its, unsigned number)
{
	io_uring_buf_ring_add(its->queue, its->memory + number * its->size, its->size, number,
			      io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(its->queue, 1);
}

static void *memory(struct workload *w, size_t size)
{
	void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (found == MAP_FAILED)
		failed(w, "mmap");
	return found;
}

static void open_buffers(struct workload *w, struct io_uring *ring, struct buffers *its)
{
	struct io_uring_buf_reg registered = {.ring_entries = BUFFERS, .bgid = GROUP};
	int error;

	its->size = w->room;
	its->memory = memory(w, BUFFERS * its->size);
	its->queue = memory(w, BUFFERS * sizeof(struct io_uring_buf));
	registered.ring_addr = (uintptr_t)its->queue;
	error = -io_uring_register_buf_ring(ring, &registered, 0);
	if (error)
		unsupported(w, "this kernel's io_uring takes no ring of buffers (Linux 5.19)");
	for (unsigned i = 0; i < BUFFERS; i++)
		give(its, i);
}

/* One request for all messages; io_uring_enter sleeps until the next completion, unless one is there already. */
static void multishot(struct workload *w)
{
	struct count *enters = counter(w, "io_uring_enter", "", "");
	struct buffers buffers;
	struct io_uring ring;
	bool asked = false;

	open_ring(w, &ring);
	open_buffers(w, &ring, &buffers);
	begin(w);
	while (!w->done) {
		unsigned flags;
		int size;

		if (!asked) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			io_uring_prep_recv_multishot(sqe, w->fd, NULL, 0, 0);
			sqe->flags |= IOSQE_BUFFER_SELECT;
			sqe->buf_group = GROUP;
		}
		if (!asked || !io_uring_cq_ready(&ring)) {
			enters->count++;
			io_uring_submit_and_wait(&ring, 1);
			asked = true;
		}
		if (!io_uring_cq_ready(&ring)) /* interrupted */
			continue;
		size = take(w, &ring, &flags);
		asked = flags & IORING_CQE_F_MORE; /* it also ends when no buffer was free */
		if (size == -ENOBUFS)
			continue;
		received(w, w->fd, size);
		if (flags & IORING_CQE_F_BUFFER)
			give(&buffers, flags >> IORING_CQE_BUFFER_SHIFT);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_uring(argc, argv, "io-uring-multishot", multishot);
}
