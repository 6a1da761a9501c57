/* A select that is given many descriptors and looks at one, beside a poll that looks at all: its set has one bit. */
#define WATCHED 4, 250
#include "../../../../scenarios/c/watching.h"

static void one_bit(struct workload *w)
{
	static struct epoll_event events[MOST_WATCHED];
	fd_set set;

	open_watched(w, 1);
	watch_them(w);
	begin(w);
	while (!w->done) {
		for (size_t s = 0; s < SIZES; s++) {
			for (int i = 0; i < TOGETHER; i++) {
				FD_ZERO(&set);
				FD_SET(watching.fds[sizes[0] - 1], &set); /* the one that is readable */
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
	return run_over(argc, argv, "one_bit", one_bit, OVER(NONE));
}
