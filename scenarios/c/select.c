/* Multiplexing with select(2), which glibc calls as pselect6: sleep until one of a set is readable, then receive. */
#include "workload.h"

#include <sys/select.h>

/* Two calls per message: one waits, the other copies; the whole set goes to the kernel every time. */
static void multiplex(struct workload *w)
{
	struct count *selects = counter(w, "select", "", "");

	begin(w);
	while (!w->done) {
		fd_set readable;

		FD_ZERO(&readable);
		FD_SET(w->fd, &readable);
		selects->count++;
		if (select(w->fd + 1, &readable, NULL, NULL, NULL) < 0)
			failed(w, "select");
		else
			received(w, receive(w, w->fd));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run(argc, argv, "select", multiplex);
}
