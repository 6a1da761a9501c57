/* Multiplexing with epoll(7), edge-triggered: epoll_wait(2) tells of each arrival once, so receive until EAGAIN. */
#include "workload.h"

#include <sys/epoll.h>

/* Receives all there is. */
static void drain(struct workload *w)
{
	ssize_t size;

	do {
		size = receive(w, w->fd);
		note(w, w->fd, size);
	} while (size > 0); /* 0 is the end of a stream, which never says EAGAIN */
}

/* Three calls per message: one waits, one copies, one finds that nothing is left; only then may it wait again. */
static void edge_triggered(struct workload *w)
{
	struct count *waits = counter(w, "epoll_wait", "", "");
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int epoll = epoll_create1(0);

	fcntl(w->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event))
		failed(w, "epoll_ctl");
	begin(w);
	while (!w->done) {
		waits->count++;
		if (epoll_wait(epoll, &event, 1, -1) < 0)
			failed(w, "epoll_wait");
		drain(w);
		publish(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "epoll-et", edge_triggered, OVER(UDP) | OVER(TCP));
}
