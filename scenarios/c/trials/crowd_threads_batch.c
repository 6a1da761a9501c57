/* Connections that have a message all at once, with a thread for each, scheduled by the policy SCHED_BATCH (sched(7)).
 */
#include "../crowd_threads.h"

static void crowd_threads(struct workload *w)
{
	serve_crowd(w, SCHED_BATCH, start_threads, await_threads);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.crowd_threads_batch", crowd_threads, OVER(NONE));
}
