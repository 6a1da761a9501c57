/* Connections that have a message all at once, with one process for all that waits in poll(2). */
#include "../crowd.h"

#include <poll.h>

static struct pollfd watched[CONNECTIONS];

static void prepare(struct workload *w)
{
	(void)w;
	for (int i = 0; i < CONNECTIONS; i++)
		watched[i] = (struct pollfd){.fd = crowd.fds[i], .events = POLLIN};
}

static void serve(struct workload *w)
{
	while (crowd.left) {
		if (poll(watched, CONNECTIONS, -1) < 0)
			failed(w, "poll");
		for (int i = 0; i < CONNECTIONS; i++)
			if (watched[i].revents & POLLIN) {
				take(w, i);
				crowd.left--;
			}
	}
}

static void crowd_poll(struct workload *w)
{
	serve_crowd(w, SCHED_OTHER, prepare, serve);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.crowd_poll", crowd_poll, OVER(NONE));
}
