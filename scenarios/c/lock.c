/* Mutual exclusion: two processes share a mutex; whoever wants it while the other has it sleeps on a futex(2).
 *
 * They take turns in being first, so that each waits for the other's release. A mutex that nobody waits for needs no
 * call.
 */
#include "children.h"
#include "turns.h"

/* What both share. taken: the round in which the first has it; returned: in which the second has given it back. */
struct shared {
	pthread_mutex_t mutex;
	turn ready, taken, returned;
};

/* Whether somebody sleeps, or is about to: glibc's mutex begins with its futex word, 0 free, 1 taken, 2 waited for. */
static bool is_contended(struct shared *shared)
{
	return *(volatile int *)&shared->mutex == 2;
}

/* All rounds of one process: `me` is 0 or 1, and first in every second one. */
static void play(struct workload *w, struct shared *shared, uint64_t me)
{
	struct count *calls = counter(w, "futex", "", "");

	for (uint64_t number = 1; number <= w->messages_to_come; number++) {
		if (number % 2 == me) {
			pthread_mutex_lock(&shared->mutex);
			shared->taken = number;
			while (!is_contended(shared))
				;
			compute(w->interval_ns);
			pthread_mutex_unlock(&shared->mutex);
		} else {
			await_turn(&shared->taken, number);
			pthread_mutex_lock(&shared->mutex);
			pthread_mutex_unlock(&shared->mutex);
			shared->returned = number;
		}
		await_turn(&shared->returned, number);
		calls->count += 3;
		turned(w);
	}
}

static void other(struct workload *w, void *its)
{
	struct shared *shared = its;

	shared->ready = 1;
	play(w, shared, 1);
}

/* Three futex calls a round: one process waits, the other wakes it, and it looks whether it must wake one, too. */
static void lock(struct workload *w)
{
	struct shared *shared = share(w, sizeof(*shared));
	pthread_mutexattr_t attributes;

	need_glibc(w);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->mutex, &attributes);
	pid_t child = start_child(w, other, shared);
	await_turn(&shared->ready, 1);
	begin(w);
	play(w, shared, 0);
	join_child(w, child);
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "lock", lock, OVER(NONE));
}
