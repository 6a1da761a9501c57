/* What select, poll and epoll_wait cost by the number of sockets, where other work has swept the caches before each
 * call. */
#include "../watching.h"

static void cold(struct workload *w)
{
	watch(w, true, 1);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.watching_cold", cold, OVER(NONE));
}
