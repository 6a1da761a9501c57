/* Asynchronous I/O as POSIX has it: aio_read(3) asks, and a signal tells when the data is already in the buffer.
 *
 * The kernel knows nothing of it: glibc's helper thread waits in a blocking read(2), having first tried pread64(2),
 * which a socket refuses with ESPIPE, and then queues the signal (glibc, sysdeps/pthread/aio_misc.c).
 */
#include "posix_aio.h"

static struct asks its;
static struct count *signals;
static volatile bool wanted = true; /* a message is to come that was not yet asked for */

/* The data is there already; nothing is left to do but to look. */
static void on_completion(int number)
{
	struct workload *w = &the_workload;

	(void)number;
	if (w->done) /* interrupted: the window is over */
		return;
	signals->count++;
	note(w, w->fd, answer(w, &its));
	wanted = !w->done;
}

/* No receive call of its own: the request is made, the program computes, the handler finds the data copied. */
static void asynchronous(struct workload *w)
{
	struct sigaction action = {.sa_handler = on_completion, .sa_flags = SA_RESTART};
	volatile unsigned value = 1;

	signals = counter(w, "", "", "SIGRTMIN");
	sigaction(SIGRTMIN, &action, NULL);
	prepare_asks(w, &its, (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN});
	begin(w);
	while (!w->done) {
		if (wanted) { /* not in the handler: aio_read may not be called there */
			wanted = false;
			ask(w, &its);
			publish(w);
		}
		value = value * 1103515245 + 12345; /* the program's own work */
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run(argc, argv, "posix-aio", asynchronous);
}
