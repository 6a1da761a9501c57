/* Multiplexing with epoll(7), level-triggered: the kernel keeps the set, epoll_wait(2) sleeps until one is readable. */
#include "workload.h"

#include <sys/epoll.h>

#define MOST_SOCKETS 20000
#define EVENTS 64

/* Two calls per message: one waits, the other copies; the set went to the kernel once, before. */
static void multiplex(struct workload *w)
{
	struct count *waits = counter(w, "epoll_wait", "", "");
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0);

	for (size_t i = 0; i < w->sockets; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = w->fds[i]};

		/* without EPOLLET: told again as long as there is data */
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, w->fds[i], &event))
			failed(w, "epoll_ctl");
	}
	begin(w);
	while (!w->done) {
		waits->count++;
		int ready = epoll_wait(epoll, events, EVENTS, -1);
		if (ready < 0)
			failed(w, "epoll_wait");
		for (int i = 0; i < ready; i++)
			received(w, events[i].data.fd, receive(w, events[i].data.fd));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_many(argc, argv, "epoll-lt", multiplex, 1, MOST_SOCKETS);
}
