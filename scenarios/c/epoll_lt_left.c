/* epoll(7), level-triggered, with data left behind: epoll_wait(2) tells of it again at once, as long as there is any.
 *
 * Messages come two by two, and each wake-up takes one. (epoll_et_stuck.c does the same with edges.)
 */
#include "workload.h"

#include <sys/epoll.h>

#define TOGETHER 2 /* messages that come before the program looks */

/* epoll_wait and one receive in turn; every second epoll_wait returns at once, with the data left by the first. */
static void left(struct workload *w)
{
	struct count *waits = counter(w, "epoll_wait", "", "");
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);

	w->room = w->size; /* of a stream, too, one message at a time */
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event))
		failed(w, "epoll_ctl");
	begin(w);
	while (!w->done) {
		if (w->messages % TOGETHER == 0) {
			publish_ahead(w, TOGETHER - 1);
			await_sent(w, w->messages + TOGETHER);
		}
		waits->count++;
		if (epoll_wait(epoll, &event, 1, -1) < 0)
			failed(w, "epoll_wait");
		note(w, w->fd, receive(w, w->fd));
	}
	end(w);
	publish(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "epoll-lt-left", left, OVER(UDP) | OVER(TCP));
}
