/* io_uring, forced to a worker: with IOSQE_ASYNC a kernel thread (io-wq) makes the receive, not the one that asked.
 *
 * Since Linux 5.16 a worker that finds nothing arms a poll, and when data comes a worker is given the request again;
 * before, it blocks in the receive.
 */
#include "uring.h"

/* Two calls per message: one submits and returns, one waits for the completion. */
static void forced(struct workload *w)
{
	struct count *enters = counter(w, "io_uring_enter", "", "");
	struct io_uring ring;

	open_ring(w, &ring);
	begin(w);
	while (!w->done) {
		put_receive(w, &ring)->flags |= IOSQE_ASYNC;
		enters->count += 2;
		io_uring_submit(&ring);
		publish(w);
		io_uring_submit_and_wait(&ring, 1); /* there is nothing to submit: it only waits */
		note(w, w->fd, take(w, &ring, NULL));
	}
	publish(w);
	end(w);
}

int main(int argc, char **argv)
{
	return run_uring(argc, argv, "io-uring-worker", forced);
}
