/* select(2), poll(2) and epoll_wait(2) on 10 to 1000 UDP sockets, one of which is readable: what one call costs
 * (trials/watching.py in Python). Between two calls the caches are left as they are, or swept.
 *
 * No call sleeps. The sizes and the calls take turns, so that what disturbs one disturbs all. */
#pragma once
#include "workload.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>

#define MOST_WATCHED 1000
#ifndef WATCHED
#define WATCHED 10, 100, MOST_WATCHED
#endif
#define TOGETHER 5       /* calls in a row */
#define SWEPT (64 << 20) /* bytes: more than the caches hold */

static const int sizes[] = {WATCHED};
#define SIZES (sizeof(sizes) / sizeof(*sizes))

static struct watching {
	int fds[MOST_WATCHED], epolls[SIZES], highest[SIZES];
	fd_set sets[SIZES];
	struct pollfd polled[MOST_WATCHED];
	volatile char *swept;
} watching;

/* Reads as much as pushes all else out of the caches. */
static inline void sweep(void)
{
	for (size_t at = 0; watching.swept && at < SWEPT; at += 64)
		watching.swept[at]++;
}

static inline void open_watched(struct workload *w, int readable)
{
	struct rlimit room;

	getrlimit(RLIMIT_NOFILE, &room);
	room.rlim_cur = room.rlim_max;
	setrlimit(RLIMIT_NOFILE, &room);
	for (int i = 0; i < sizes[SIZES - 1]; i++) {
		watching.fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (watching.fds[i] < 0 && errno == EMFILE)
			unsupported(w, "no process may have 1000 descriptors open here (ulimit -H -n)");
		if (watching.fds[i] < 0)
			failed(w, "socket");
		if (watching.fds[i] >= FD_SETSIZE)
			unsupported(w, "descriptors begin too high for an fd_set of 1024");
	}
	for (int i = 0; i < readable; i++) {
		struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t size = sizeof(own);
		/* the first of them are in every size, and the last of these first */
		int fd = watching.fds[i < sizes[0] ? sizes[0] - 1 - i : i];

		if (bind(fd, (struct sockaddr *)&own, size) || getsockname(fd, (struct sockaddr *)&own, &size) ||
		    connect(fd, (struct sockaddr *)&own, size) || send(fd, "it stays here", 13, 0) < 0)
			failed(w, "send");
	}
}

static inline void watch_them(struct workload *w)
{
	for (size_t s = 0; s < SIZES; s++) {
		watching.epolls[s] = epoll_create1(0);
		FD_ZERO(&watching.sets[s]);
		for (int i = 0; i < sizes[s]; i++) {
			struct epoll_event event = {.events = EPOLLIN};
			int fd = watching.fds[i];

			watching.polled[i] = (struct pollfd){.fd = fd, .events = POLLIN};
			FD_SET(fd, &watching.sets[s]);
			watching.highest[s] = fd > watching.highest[s] ? fd : watching.highest[s];
			if (epoll_ctl(watching.epolls[s], EPOLL_CTL_ADD, fd, &event))
				failed(w, "epoll_ctl");
		}
	}
}

/* TOGETHER calls of each kind on each size a round. readable: how many sockets are. */
static inline void watch(struct workload *w, bool cold, int readable)
{
	static struct epoll_event events[MOST_WATCHED];
	fd_set set;

	open_watched(w, readable);
	watch_them(w);
	watching.swept = cold ? calloc(1, SWEPT) : NULL;
	begin(w);
	while (!w->done) {
		for (size_t s = 0; s < SIZES; s++) {
			for (int i = 0; i < TOGETHER; i++) {
				set = watching.sets[s];
				sweep();
				select(watching.highest[s] + 1, &set, NULL, NULL, NULL);
			}
			for (int i = 0; i < TOGETHER; i++) {
				sweep();
				poll(watching.polled, sizes[s], -1);
			}
			for (int i = 0; i < TOGETHER; i++) {
				sweep();
				epoll_wait(watching.epolls[s], events, MOST_WATCHED, -1);
			}
		}
		turned(w);
	}
	end(w);
}
