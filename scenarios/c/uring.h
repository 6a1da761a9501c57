/* What the io_uring twins share: a ring by liburing, with the chosen kind of task work, and a completion's result. */
#pragma once
#include "workload.h"

#include <liburing.h>
#include <string.h>

#define ENTRIES 8

/* Makes the ring; ends the run where the kernel has or allows none, or not this --taskrun. */
static inline void open_ring(struct workload *w, struct io_uring *ring)
{
	static const unsigned setup[] = {
		[INTERRUPTS] = 0,
		[COOP] = IORING_SETUP_COOP_TASKRUN, /* Linux 5.19 */
		/* Linux 6.1; the flag in the ring tells the program that there is something to call for */
		[DEFER] = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_TASKRUN_FLAG,
	};
	int error = -io_uring_queue_init(ENTRIES, ring, setup[w->taskrun]);

	if (error == EINVAL && w->taskrun)
		unsupported(w, w->taskrun == COOP
				       ? "--taskrun: this kernel has no IORING_SETUP_COOP_TASKRUN (Linux 5.19)"
				       : "--taskrun: this kernel has no IORING_SETUP_DEFER_TASKRUN (Linux 6.1)");
	if (error == ENOSYS || error == EPERM || error == EINVAL)
		unsupported(w, "io_uring_setup: too old, built without, or kernel.io_uring_disabled");
	if (error) {
		errno = error;
		failed(w, "io_uring_setup");
	}
}

/* Whether work waits for the program to call for it: a load from shared memory, not a call. */
static inline bool work_waits(const struct io_uring *ring)
{
	return __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN;
}

/* Puts a request to receive into the submission queue: stores to shared memory, not a call. */
static inline struct io_uring_sqe *put_receive(struct workload *w, struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_recv(sqe, w->fd, w->buffer, w->room, 0);
	return sqe;
}

/* The oldest completion, taken out of its queue: its result, and its flags into `flags` unless that is NULL. */
static inline int take(struct workload *w, struct io_uring *ring, unsigned *flags)
{
	unsigned head = *ring->cq.khead;
	struct io_uring_cqe seen = ring->cq.cqes[head & *ring->cq.kring_mask];

	io_uring_cq_advance(ring, 1);
	if (flags)
		*flags = seen.flags;
	if (seen.res == -EINVAL)
		unsupported(w, "this kernel's io_uring does not know the request");
	if (seen.res < 0 && seen.res != -ENOBUFS) {
		errno = -seen.res;
		failed(w, "io_uring");
	}
	return seen.res;
}
