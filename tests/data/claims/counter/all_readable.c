/* trials/watching with all sockets readable: what epoll_wait tells of is no longer one of many, and its cost grows. */
#define WATCHED 4, 250
#include "../../../../scenarios/c/watching.h"

static void all_readable(struct workload *w)
{
	watch(w, false, 250);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "all_readable", all_readable, OVER(NONE));
}
