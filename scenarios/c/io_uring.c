/* io_uring, poll-armed: a receive that finds nothing is retried by the kernel when data comes, in the asking thread.
 *
 * The completion is then read from shared memory, without a call.
 */
#include "uring.h"

/* One io_uring_enter per message, to submit; the program computes until the completion stands in the ring. With
 * --taskrun defer a second call lets the kernel copy, once the ring says that there is something to do. */
static void asynchronous(struct workload *w)
{
	struct count *enters = counter(w, "io_uring_enter", "", "");
	volatile unsigned value = 1;
	struct io_uring ring;

	open_ring(w, &ring);
	begin(w);
	while (!w->done) {
		put_receive(w, &ring);
		enters->count++;
		io_uring_submit(&ring);
		publish(w);
		while (!io_uring_cq_ready(&ring)) {
			if (work_waits(&ring)) {
				enters->count++;
				io_uring_get_events(&ring);
			}
			value = value * 1103515245 + 12345; /* the program's own work */
		}
		note(w, w->fd, take(w, &ring, NULL));
	}
	publish(w);
	end(w);
}

int main(int argc, char **argv)
{
	return run_uring(argc, argv, "io-uring", asynchronous);
}
