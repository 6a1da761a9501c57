/* Multiplexing with select(2), which glibc calls as pselect6: sleep until one of a set is readable, then receive. */
#include "workload.h"

#include <sys/select.h>

#define MOST_SOCKETS 1000 /* an fd_set ends at descriptor 1023 (FD_SETSIZE), and a few are taken already */

/* Two calls per message: one waits, the other copies; the whole set goes to the kernel every time. */
static void multiplex(struct workload *w)
{
	struct count *selects = counter(w, "select", "", "");
	fd_set watched, readable;

	FD_ZERO(&watched);
	for (size_t i = 0; i < w->sockets; i++)
		FD_SET(w->fds[i], &watched);
	begin(w);
	while (!w->done) {
		readable = watched; /* select writes its answer over the question */
		selects->count++;
		if (select(w->highest + 1, &readable, NULL, NULL, NULL) < 0) {
			failed(w, "select");
			continue;
		}
		for (size_t i = 0; i < w->sockets; i++)
			if (FD_ISSET(w->fds[i], &readable))
				received(w, w->fds[i], receive(w, w->fds[i]));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_many(argc, argv, "select", multiplex, 1, MOST_SOCKETS);
}
