/* Multiplexing with poll(2): sleep until one of a list is readable, then receive. */
#include "workload.h"

#include <poll.h>
#include <stdlib.h>

#define MOST_SOCKETS 20000

/* Two calls per message: one waits, the other copies; the whole list goes to the kernel every time. */
static void multiplex(struct workload *w)
{
	struct count *polls = counter(w, "poll", "", "");
	struct pollfd *watched = calloc(w->sockets, sizeof(*watched));

	if (!watched)
		failed(w, "calloc");
	for (size_t i = 0; i < w->sockets; i++)
		watched[i] = (struct pollfd){.fd = w->fds[i], .events = POLLIN};
	begin(w);
	while (!w->done) {
		polls->count++;
		if (poll(watched, w->sockets, -1) < 0) {
			failed(w, "poll");
			continue;
		}
		for (size_t i = 0; i < w->sockets; i++)
			if (watched[i].revents)
				received(w, w->fds[i], receive(w, w->fds[i]));
	}
	end(w);
	free(watched);
}

int main(int argc, char **argv)
{
	return run_many(argc, argv, "poll", multiplex, 1, MOST_SOCKETS);
}
