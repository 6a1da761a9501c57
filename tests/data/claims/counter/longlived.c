/* Connections that live on, as most of a server's: epoll is told of each once, and a message takes one call, as poll's;
 * and poll looks at all of them each time. */
#include "../../../../scenarios/c/workload.h"

#include <poll.h>
#include <sys/epoll.h>

#define CONNECTIONS 50

static void longlived(struct workload *w)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd polled[CONNECTIONS];
	int pair[2], epoll = epoll_create1(0);
	char buffer[64];

	for (int i = 0; i < CONNECTIONS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			failed(w, "socketpair");
		polled[i] = (struct pollfd){.fd = pair[0], .events = POLLIN};
	}
	begin(w);
	epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
	while (!w->done) {
		for (int by_epoll = 0; by_epoll < 2; by_epoll++) {
			send(pair[1], "more to come", 12, 0);
			if (by_epoll)
				epoll_wait(epoll, &event, 1, -1);
			else
				poll(polled, CONNECTIONS, -1);
			recv(pair[0], buffer, sizeof(buffer), 0);
		}
		turned(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "longlived", longlived, OVER(NONE));
}
