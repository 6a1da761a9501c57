/* Multiplexing with epoll(7), level-triggered: the kernel keeps the set, epoll_wait(2) sleeps until one is readable. */
#include "workload.h"

#include <sys/epoll.h>

/* Two calls per message: one waits, the other copies; the set went to the kernel once, before. */
static void multiplex(struct workload *w)
{
	struct count *waits = counter(w, "epoll_wait", "", "");
	struct epoll_event event = {.events = EPOLLIN, .data.fd = w->fd}; /* no EPOLLET: told as long as there is data */
	int epoll = epoll_create1(0);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event))
		failed(w, "epoll_ctl");
	begin(w);
	while (!w->done) {
		waits->count++;
		if (epoll_wait(epoll, &event, 1, -1) < 0)
			failed(w, "epoll_wait");
		else
			received(w, receive(w, event.data.fd));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run(argc, argv, "epoll-lt", multiplex);
}
