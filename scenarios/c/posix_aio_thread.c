/* Asynchronous I/O as POSIX has it, told by a thread: aio_read(3) asks, and a new thread calls a function of ours.
 *
 * With SIGEV_THREAD glibc's helper thread, having made the receive, creates a thread for each completion (clone3(2)).
 */
#include "posix_aio.h"

static struct asks its;
static uint64_t finished; /* requests of which a thread has told */
static int problem;       /* errno of the one that failed */

/* In the new thread: the data is there already, nothing is left to do but to look. */
static void on_completion(union sigval value)
{
	struct workload *w = value.sival_ptr;

	problem = aio_error(&its.request);
	if (!problem)
		note(w, w->fd, aio_return(&its.request));
	__atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
}

/* No receive call of its own: the request is made, the program computes, a thread of glibc's finds the data. */
static void told_by_thread(struct workload *w)
{
	volatile unsigned value = 1;
	uint64_t asked = 0;

	prepare_asks(w, &its,
		     (struct sigevent){.sigev_notify = SIGEV_THREAD,
				       .sigev_notify_function = on_completion,
				       .sigev_value.sival_ptr = w});
	begin(w);
	while (!w->done) {
		ask(w, &its);
		asked++;
		publish(w);
		while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < asked)
			value = value * 1103515245 + 12345; /* the program's own work */
		errno = problem;
		if (errno)
			failed(w, "aio_read");
	}
	publish(w);
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "posix-aio-thread", told_by_thread, OVER(UDP) | OVER(TCP));
}
