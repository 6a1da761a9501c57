/* Ping-pong between two threads by a condition variable (pthread_cond_wait(3p)), asleep on a futex(2): each wakes the
 * other in turn, and yet nobody excludes anybody.
 *
 * glibc's condition has two futex words, which serve in turns. Each player makes two strokes before the other does, so
 * that both wait at both words. */
#include "../turns.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t ball;                     /* how often it was played, guarded by the mutex */
static turn ready, waiting, caught, over; /* strokes: that are about to be waited for, that have come */

/* The one who waits for stroke `number`. */
static void await_stroke(uint64_t number)
{
	pthread_mutex_lock(&mutex);
	waiting = number;
	while (ball < number)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	caught = number;
}

/* The one who makes it, when the other sleeps, so that the mutex is free for both. */
static void play(uint64_t number, uint64_t interval_ns)
{
	await_turn(&waiting, number);
	compute(interval_ns);
	pthread_mutex_lock(&mutex);
	ball = number;
	pthread_mutex_unlock(&mutex);
	pthread_cond_signal(&changed);
	await_turn(&caught, number);
}

/* Strokes 1, 4, 5, 8, 9 … are the second thread's. */
static bool is_seconds(uint64_t number)
{
	return number / 2 % 2 == 0;
}

static void *second_thread(void *its)
{
	struct workload *w = its;

	ready = 1;
	for (uint64_t number = 1; number <= w->messages_to_come; number++) {
		if (is_seconds(number))
			play(number, w->interval_ns);
		else
			await_stroke(number);
	}
	over = 1;
	return NULL;
}

/* Three futex calls a stroke: one waits, the other wakes it, and glibc takes a mutex after a wait as if others waited
 * for it, too, so that its release looks for whom to wake (__pthread_mutex_cond_lock). */
static void ping_pong(struct workload *w)
{
	struct count *futex = counter(w, "futex", "", "");

	start_thread(w, second_thread, w);
	await_turn(&ready, 1);
	begin(w);
	while (!w->done) {
		if (!is_seconds(w->messages + 1))
			play(w->messages + 1, w->interval_ns);
		else
			await_stroke(w->messages + 1);
		futex->count += 3;
		turned(w);
	}
	await_turn(&over, 1);
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.condvar", ping_pong, OVER(NONE));
}
