/* Signal-driven I/O: with O_ASYNC set by fcntl(2), the kernel sends SIGIO when data comes; until then we compute.
 *
 * The handler itself receives, before its rt_sigreturn. (CPython only notes the signal there, and runs a Python
 * handler after it.) While the handler runs SIGIO is blocked, and one more is kept pending.
 */
#include "workload.h"

static struct count *signals;

/* One SIGIO may stand for many messages: receive until EAGAIN. */
static void on_sigio(int number)
{
	struct workload *w = &the_workload;
	ssize_t size;

	(void)number;
	if (w->done) /* an open loop's last messages, or interrupted: the window is over */
		return;
	signals->count++;
	do {
		size = receive(w, w->fd);
		note(w, w->fd, size);
	} while (size > 0); /* 0 is the end of a stream, which never says EAGAIN */
}

/* No call while waiting. */
static void signal_driven(struct workload *w)
{
	struct sigaction action = {.sa_handler = on_sigio, .sa_flags = SA_RESTART};
	volatile unsigned value = 1;
	sigset_t sigio;

	signals = counter(w, "", "", "SIGIO");
	sigaction(SIGIO, &action, NULL);
	fcntl(w->fd, F_SETOWN, getpid());
	fcntl(w->fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	begin(w);
	while (!w->done) {
		value = value * 1103515245 + 12345; /* the program's own work */
		publish(w); /* after the handler, so that a closed loop has one SIGIO per message */
	}
	end(w);
	sigemptyset(&sigio);
	sigaddset(&sigio, SIGIO);
	sigprocmask(SIG_BLOCK, &sigio, NULL); /* the end of the stream is yet to come */
}

int main(int argc, char **argv)
{
	return run(argc, argv, "signal", signal_driven);
}
