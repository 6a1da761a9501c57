/* Connections that have a message all at once, with one process for all, scheduled by the policy SCHED_BATCH
 * (sched(7)). */
#include "../crowd_epoll.h"

static void crowd_epoll(struct workload *w)
{
	serve_crowd(w, SCHED_BATCH, register_all, serve_by_epoll);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.crowd_epoll_batch", crowd_epoll, OVER(NONE));
}
