/* Calls that are given many descriptors and look at one, and an epoll that looks at all: poll has entries of -1, which
 * it ignores (poll(2)), select's set has one bit, and all that epoll watches is readable. */
#define WATCHED 4, 250
#include "../../../../scenarios/c/watching.h"

static void ignored(struct workload *w)
{
	static struct epoll_event events[MOST_WATCHED];
	fd_set set;

	open_watched(w, 250);
	watch_them(w);
	for (int i = 1; i < sizes[SIZES - 1]; i++)
		watching.polled[i].fd = -1;
	begin(w);
	while (!w->done) {
		for (size_t s = 0; s < SIZES; s++) {
			for (int i = 0; i < TOGETHER; i++) {
				FD_ZERO(&set);
				FD_SET(watching.highest[s], &set);
				select(watching.highest[s] + 1, &set, NULL, NULL, NULL);
				poll(watching.polled, sizes[s], -1);
				epoll_wait(watching.epolls[s], events, MOST_WATCHED, -1);
			}
		}
		turned(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "ignored", ignored, OVER(NONE));
}
