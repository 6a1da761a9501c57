/* Signals for I/O that are taken by sigwaitinfo(2), without a handler: F_SETSIG by fcntl(2) chooses a real-time signal,
 * whose siginfo names the descriptor that is ready.
 */
#pragma once
#include "workload.h"

/* What takes signals one by one, and counts. */
struct taker {
	sigset_t set; /* SIGIO and the chosen signal, both blocked */
	struct count *waits, *nothing, *sigios, *chosen;
};

/* Lets the kernel queue signal `number` for this process whenever data comes; SIGIO itself is not queued. */
static void arm(struct workload *w, int number)
{
	fcntl(w->fd, F_SETOWN, getpid());
	if (number != SIGIO)
		fcntl(w->fd, F_SETSIG, number);
	fcntl(w->fd, F_SETFL, O_ASYNC | O_NONBLOCK);
}

/* Sleeps until one of the signals comes, at most until `timeout` if there is one, and takes it: its number, 0 if none
 * came. */
static int take(struct workload *w, struct taker *taker, siginfo_t *info, const struct timespec *timeout)
{
	int told;

	taker->waits->count++;
	do {
		told = sigtimedwait(&taker->set, info, timeout);
	} while (told < 0 && errno == EINTR); /* a handler of another signal ran */
	if (told < 0 && errno != EAGAIN)
		failed(w, "sigwaitinfo");
	if (told < 0)
		taker->nothing->count++;
	else
		(told == SIGIO ? taker->sigios : taker->chosen)->count++;
	return told < 0 ? 0 : told;
}

/* Receives one message, or all there is. */
static void receive_told(struct workload *w, int fd, bool all)
{
	ssize_t size;

	do {
		size = receive(w, fd); /* EAGAIN: another signal's receive has taken it */
		note(w, fd, size);
	} while (all && size >= 0 && !w->done);
}

/* Receives on being told by signal `number`, of which one stands for one message. SIGIO, asked for or sent because the
 * queue was full, stands for any number. `together` messages come before the program looks for the first. */
static void serve(struct workload *w, int number, uint64_t together)
{
	struct taker taker = {
		.waits = counter(w, "rt_sigtimedwait", "", ""),
		.nothing = counter(w, "rt_sigtimedwait", "EAGAIN", ""),
		.sigios = counter(w, "", "", "SIGIO"),
		.chosen = counter(w, "", "", "SIGRTMIN+1"),
	};
	struct timespec now = {0};
	siginfo_t info;

	sigemptyset(&taker.set);
	sigaddset(&taker.set, SIGIO);
	sigaddset(&taker.set, number);
	sigprocmask(SIG_BLOCK, &taker.set, NULL);
	arm(w, number);
	begin(w);
	while (!w->done) {
		if (together > 1 && w->messages % together == 0) {
			publish_ahead(w, together - 1);
			await_sent(w, w->messages + together);
		}
		bool sigio = take(w, &taker, &info, NULL) == SIGIO;
		receive_told(w, sigio ? w->fd : info.si_fd, sigio);
		if (sigio &&
		    number != SIGIO) /* these messages are received already; else the queue stays full for ever */
			while (take(w, &taker, &info, &now))
				;
		if (together == 1)
			publish(w);
	}
	end(w);
	publish(w);
}
