/* Non-blocking I/O: recvfrom(2) on an O_NONBLOCK socket, again and again, until it no longer says EAGAIN. */
#include "workload.h"

/* Many calls per message: each asks, the last one copies; the processor is never given up. */
static void nonblocking(struct workload *w)
{
	fcntl(w->fd, F_SETFL, O_NONBLOCK);
	begin(w);
	while (!w->done) {
		ssize_t size = receive(w, w->fd);
		if (size >= 0)
			received(w, w->fd, size);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run(argc, argv, "nonblocking", nonblocking);
}
