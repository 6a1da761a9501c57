/* Linux native AIO with IOCB_CMD_POLL (Linux 4.18): it tells of data, a receive copies it, as with poll(2). */
#include "native_aio.h"

#include <poll.h>

/* Three calls per message: one asks, one waits, one copies. */
static void ask_wait_and_copy(struct workload *w)
{
	struct native_aio aio;
	struct iocb request;

	open_context(w, &aio);
	begin(w);
	while (!w->done) {
		io_prep_poll(&request, w->fd, POLLIN);
		submit(w, &aio, &request);
		completed(w, &aio);
		received(w, w->fd, receive(w, w->fd));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "linux-aio-poll", ask_wait_and_copy, OVER(UDP) | OVER(TCP));
}
