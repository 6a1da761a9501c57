/* Asynchronous I/O as POSIX has it, waited for: aio_read(3) asks, aio_suspend(3) sleeps until the data is there.
 *
 * glibc sleeps on a futex(2) there, until its helper thread, which makes the receive, wakes it.
 */
#include "posix_aio.h"

/* Two library calls per message, and no receive call of its own: the helper thread makes it. */
static void ask_and_suspend(struct workload *w)
{
	struct count *suspends = counter(w, "aio_suspend", "", "");
	struct asks its;

	prepare_asks(w, &its, (struct sigevent){.sigev_notify = SIGEV_NONE});
	const struct aiocb *requests[] = {&its.request};
	begin(w);
	while (!w->done) {
		ask(w, &its);
		publish(w);
		suspends->count++;
		if (aio_suspend(requests, 1, NULL))
			failed(w, "aio_suspend");
		note(w, w->fd, answer(w, &its));
	}
	publish(w);
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "posix-aio-suspend", ask_and_suspend, OVER(UDP) | OVER(TCP));
}
