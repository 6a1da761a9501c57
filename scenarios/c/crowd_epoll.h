/* One process for many connections, with epoll(7): it is switched to once, finds many sockets readable, and receives
 * from all of them. */
#pragma once
#include "crowd.h"

#include <sys/epoll.h>

static int epoll;

static inline void register_all(struct workload *w)
{
	epoll = epoll_create1(0);
	for (int i = 0; i < CONNECTIONS; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, crowd.fds[i], &event))
			failed(w, "epoll_ctl");
	}
}

static inline void serve_by_epoll(struct workload *w)
{
	struct epoll_event events[CONNECTIONS];

	while (crowd.left) {
		int count = epoll_wait(epoll, events, CONNECTIONS, -1);

		if (count < 0)
			failed(w, "epoll_wait");
		for (int i = 0; i < count; i++, crowd.left--)
			take(w, events[i].data.u32);
	}
}
