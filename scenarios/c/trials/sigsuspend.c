/* Signal-driven I/O that has nothing else to do: asleep in sigsuspend(2) until SIGIO comes, whose handler receives. All
 * that it does on a CPU is what a message costs: the wake-up, the signal's frame, the handler and its return. */
#include "../workload.h"

static struct count *signals;

static void on_sigio(int number)
{
	struct workload *w = &the_workload;
	ssize_t size;

	(void)number;
	if (w->done)
		return;
	signals->count++;
	do {
		size = receive(w, w->fd);
		note(w, w->fd, size);
	} while (size > 0);
}

static void sleep_for_sigio(struct workload *w)
{
	struct sigaction action = {.sa_handler = on_sigio, .sa_flags = SA_RESTART};
	struct count *suspends = counter(w, "rt_sigsuspend", "", "");
	sigset_t sigio, before;

	signals = counter(w, "", "", "SIGIO");
	sigemptyset(&sigio);
	sigaddset(&sigio, SIGIO);
	sigprocmask(SIG_BLOCK, &sigio, &before); /* it comes in sigsuspend alone */
	sigaction(SIGIO, &action, NULL);
	fcntl(w->fd, F_SETOWN, getpid());
	fcntl(w->fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	begin(w);
	while (!w->done) {
		suspends->count++;
		sigsuspend(&before);
		publish(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.sigsuspend", sleep_for_sigio, OVER(UDP) | OVER(TCP) | OVER(UNIX));
}
