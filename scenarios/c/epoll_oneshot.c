/* Multiplexing with epoll(7) and EPOLLONESHOT: told once, then silent until armed again by epoll_ctl(2).
 *
 * Where several threads share the set, this keeps all but one of them from the descriptor.
 */
#include "workload.h"

#include <sys/epoll.h>

/* Three calls per message: one waits, one copies, one arms again. */
static void one_shot(struct workload *w)
{
	struct count *waits = counter(w, "epoll_wait", "", ""), *arms = counter(w, "epoll_ctl", "", "");
	struct epoll_event armed = {.events = EPOLLIN | EPOLLONESHOT}, event;
	int epoll = epoll_create1(0);

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &armed))
		failed(w, "epoll_ctl");
	begin(w);
	while (!w->done) {
		waits->count++;
		if (epoll_wait(epoll, &event, 1, -1) < 0)
			failed(w, "epoll_wait");
		note(w, w->fd, receive(w, w->fd));
		arms->count++;
		if (epoll_ctl(epoll, EPOLL_CTL_MOD, w->fd, &armed))
			failed(w, "epoll_ctl");
		publish(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "epoll-oneshot", one_shot, OVER(UDP) | OVER(TCP));
}
