/* Multiplexing with poll(2): sleep until one of a list is readable, then receive. */
#include "workload.h"

#include <poll.h>

/* Two calls per message: one waits, the other copies; the whole list goes to the kernel every time. */
static void multiplex(struct workload *w)
{
	struct count *polls = counter(w, "poll", "", "");
	struct pollfd watched = {.fd = w->fd, .events = POLLIN};

	begin(w);
	while (!w->done) {
		polls->count++;
		if (poll(&watched, 1, -1) < 0)
			failed(w, "poll");
		else
			received(w, receive(w, w->fd));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run(argc, argv, "poll", multiplex);
}
