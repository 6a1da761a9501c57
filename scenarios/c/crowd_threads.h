/* A thread for each of many connections, which sleeps in recvfrom and is switched to for every message. */
#pragma once
#include "crowd.h"

#include <sys/eventfd.h>

static int all_done; /* an eventfd: the last thread wakes the first one, which sleeps once */

static inline void *one_connection(void *its)
{
	struct workload *w = &the_workload;
	int index = (int *)its - crowd.fds;
	uint64_t one = 1;

	for (uint64_t round = 0; round < w->messages_to_come; round++) {
		take(w, index);
		if (__atomic_sub_fetch(&crowd.left, 1, __ATOMIC_RELAXED) == 0 && write(all_done, &one, 8) < 0)
			failed(w, "write");
	}
	return NULL;
}

static inline void start_threads(struct workload *w)
{
	all_done = eventfd(0, 0);
	if (all_done < 0)
		failed(w, "eventfd");
	for (int i = 0; i < CONNECTIONS; i++)
		start_thread(w, one_connection, &crowd.fds[i]);
}

static inline void await_threads(struct workload *w)
{
	uint64_t one;

	if (read(all_done, &one, 8) < 0)
		failed(w, "read");
}
