/* What select, poll and epoll_wait cost by the number of sockets, one call after the other: with warm caches. */
#include "../watching.h"

static void warm(struct workload *w)
{
	watch(w, false, 1);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.watching", warm, OVER(NONE));
}
