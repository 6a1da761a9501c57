/* io_uring, completed inline: the data is there when the receive is submitted, io_uring_enter(2) itself copies it. */
#include "uring.h"

/* One io_uring_enter per message, made once it has come; the completion is in the ring when the call returns. */
static void submit_and_wait(struct workload *w)
{
	struct count *enters = counter(w, "io_uring_enter", "", "");
	struct io_uring ring;

	open_ring(w, &ring);
	begin(w);
	while (!w->done) {
		await_sent(w, w->messages + 1);
		put_receive(w, &ring);
		enters->count++;
		io_uring_submit_and_wait(&ring, 1);
		received(w, w->fd, take(w, &ring, NULL));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_uring(argc, argv, "io-uring-inline", submit_and_wait);
}
