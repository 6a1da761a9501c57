/* Two threads that meet at a barrier (pthread_barrier_wait(3p)), asleep on a futex(2): each waits for the other in
 * turn, and yet nobody excludes anybody. */
#include "../turns.h"

static pthread_barrier_t barrier;
static turn ready, here, passed, over; /* meetings: that the earlier has come to, that the later has left */

/* Two futex calls a meeting: who comes first waits, who comes last wakes it. */
static void meet(uint64_t number, bool early, uint64_t interval_ns)
{
	if (early) {
		await_turn(&passed, number - 1);
		here = number;
		pthread_barrier_wait(&barrier);
	} else {
		await_turn(&here, number);
		compute(interval_ns); /* the earlier one sleeps by then */
		pthread_barrier_wait(&barrier);
		passed = number;
	}
}

static void *second_thread(void *its)
{
	struct workload *w = its;

	ready = 1;
	for (uint64_t number = 1; number <= w->messages_to_come; number++)
		meet(number, number % 2 == 0, w->interval_ns);
	over = 1;
	return NULL;
}

static void meetings(struct workload *w)
{
	struct count *futex = counter(w, "futex", "", "");

	pthread_barrier_init(&barrier, NULL, 2);
	start_thread(w, second_thread, w);
	await_turn(&ready, 1);
	begin(w);
	while (!w->done) {
		meet(w->messages + 1, w->messages % 2 == 0, w->interval_ns);
		futex->count += 2;
		turned(w);
	}
	await_turn(&over, 1);
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.barrier", meetings, OVER(NONE));
}
