/* Connections that bring one message each and are closed, waited for by poll(2), and by epoll(7), which must be told of
 * each by epoll_ctl(2). */
#include "../workload.h"

#include <poll.h>
#include <sys/epoll.h>

static void connected(struct workload *w, int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || send(pair[1], "all there is", 12, 0) < 0)
		failed(w, "socketpair");
}

static void over(struct workload *w, int pair[2])
{
	char buffer[64];

	if (recv(pair[0], buffer, sizeof(buffer), 0) < 0)
		failed(w, "recvfrom");
	close(pair[0]); /* epoll forgets it by itself */
	close(pair[1]);
}

/* A connection waited for in either way a round. */
static void shortlived(struct workload *w)
{
	int epoll = epoll_create1(0), pair[2];

	begin(w);
	while (!w->done) {
		struct epoll_event event = {.events = EPOLLIN};

		connected(w, pair);
		struct pollfd one = {.fd = pair[0], .events = POLLIN};
		poll(&one, 1, -1);
		over(w, pair);
		connected(w, pair);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event))
			failed(w, "epoll_ctl");
		epoll_wait(epoll, &event, 1, -1);
		over(w, pair);
		turned(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.shortlived", shortlived, OVER(NONE));
}
