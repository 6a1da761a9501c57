/* Synchronisation: one process waits for an event, another makes it; a semaphore between them, asleep on a futex(2).
 *
 * Nobody excludes anybody: who waits never wakes, and who wakes never waits (compare lock).
 */
#include "children.h"
#include "turns.h"

#include <semaphore.h>

/* What both share. taken: events that have been waited for. */
struct shared {
	sem_t semaphore;
	turn ready, taken;
};

/* Whether somebody sleeps, or is about to: glibc's semaphore has its value in the first word, in the second how many
 * wait. */
static bool is_waited_for(struct shared *shared)
{
	return ((volatile int *)&shared->semaphore)[1];
}

/* Makes an event `interval_ns` after it began to be waited for. */
static void make(struct workload *w, void *its)
{
	struct shared *shared = its;

	shared->ready = 1;
	for (uint64_t number = 0; number < w->messages_to_come; number++) {
		await_turn(&shared->taken, number);
		while (!is_waited_for(shared))
			;
		compute(w->interval_ns);
		sem_post(&shared->semaphore);
	}
}

/* Two futex calls an event: this process waits, the other wakes it. */
static void condition(struct workload *w)
{
	struct count *calls = counter(w, "futex", "", "");
	struct shared *shared = share(w, sizeof(*shared));

	need_glibc(w);
	sem_init(&shared->semaphore, 1, 0); /* 1: of several processes */
	pid_t child = start_child(w, make, shared);
	await_turn(&shared->ready, 1);
	begin(w);
	while (!w->done) {
		calls->count += 2;
		sem_wait(&shared->semaphore);
		turned(w);
		shared->taken = w->messages;
	}
	join_child(w, child);
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "condition", condition, OVER(NONE));
}
