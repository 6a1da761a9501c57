/* Linux native AIO on a socket: asynchronous in name only, io_submit(2) itself sleeps until the data is there. */
#include "native_aio.h"

/* Two calls per message: io_submit, which waits and copies, and io_getevents, which finds all done. */
static void in_name_only(struct workload *w)
{
	struct native_aio aio;
	struct iocb request;

	open_context(w, &aio);
	begin(w);
	while (!w->done) {
		io_prep_pread(&request, w->fd, w->buffer, w->room, 0);
		submit(w, &aio, &request);
		received(w, w->fd, completed(w, &aio));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "linux-aio-socket", in_name_only, OVER(UDP) | OVER(TCP));
}
