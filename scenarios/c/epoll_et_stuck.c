/* epoll(7), edge-triggered, used wrongly: one receive for each wake-up, and what is left behind is never told of.
 *
 * Two messages come before the program first looks. It is told once, takes one, and sleeps with the other in its socket
 * until a third comes: from then on it is one message behind. The last one is told of by nobody.
 */
#include "workload.h"

#include <sys/epoll.h>

#define PATIENCE 2 /* intervals without a wake-up after which the program looks for itself */
#define LEAST_MS 100

/* epoll_wait and one receive in turn. With the last message unread, the program sleeps until its time-out. */
static void stuck(struct workload *w)
{
	struct count *waits = counter(w, "epoll_wait", "", "");
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int timeout_ms = PATIENCE * w->interval_ns / 1000000, epoll = epoll_create1(0), told;
	ssize_t size;

	if (timeout_ms < LEAST_MS)
		timeout_ms = LEAST_MS;
	w->room = w->size; /* of a stream, too, one message at a time */
	fcntl(w->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event))
		failed(w, "epoll_ctl");
	begin(w);
	publish_ahead(w, 1); /* so that the second message comes too */
	await_sent(w, 2);
	while (!w->done) {
		waits->count++;
		told = epoll_wait(epoll, &event, 1, timeout_ms);
		if (told < 0)
			failed(w, "epoll_wait");
		do {
			size = receive(w, w->fd);
			note(w, w->fd, size);
		} while (!told && size >= 0 && !w->done); /* nothing told of it: take all that was left */
		publish_ahead(w, 1);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "epoll-et-stuck", stuck, OVER(UDP) | OVER(TCP));
}
