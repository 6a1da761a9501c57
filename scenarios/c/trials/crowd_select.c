/* Connections that have a message all at once, with one process for all that waits in select(2). */
#include "../crowd.h"

#include <sys/select.h>

static fd_set watched;
static int highest;

static void prepare(struct workload *w)
{
	(void)w;
	FD_ZERO(&watched);
	for (int i = 0; i < CONNECTIONS; i++) {
		FD_SET(crowd.fds[i], &watched);
		highest = crowd.fds[i] > highest ? crowd.fds[i] : highest;
	}
}

static void serve(struct workload *w)
{
	while (crowd.left) {
		fd_set readable = watched;

		if (select(highest + 1, &readable, NULL, NULL, NULL) < 0)
			failed(w, "select");
		for (int i = 0; i < CONNECTIONS; i++)
			if (FD_ISSET(crowd.fds[i], &readable)) {
				take(w, i);
				crowd.left--;
			}
	}
}

static void crowd_select(struct workload *w)
{
	serve_crowd(w, SCHED_OTHER, prepare, serve);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.crowd_select", crowd_select, OVER(NONE));
}
