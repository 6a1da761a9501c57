/* Linux native AIO where it is asynchronous: a file with O_DIRECT, which the device copies to the program's buffer. */
#include "native_aio.h"

#define BLOCK 4096 /* bytes: as scenarios/kit/blockfile.py has it */

/* Two calls per message: io_submit asks and returns, io_getevents waits for the device. */
static void asynchronous(struct workload *w)
{
	size_t step = (w->size + BLOCK - 1) / BLOCK * BLOCK;
	struct native_aio aio;
	struct iocb request;

	open_context(w, &aio);
	begin(w);
	while (!w->done) {
		await_sent(w, w->messages + 1);
		io_prep_pread(&request, w->fd, w->buffer, step, w->messages * step);
		submit(w, &aio, &request);
		received(w, w->fd, completed(w, &aio));
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "linux-aio", asynchronous, OVER(DISK));
}
