/* Two threads that want one mutex, and take turns in being first, so that each waits for the other's release. (lock.c
 * has the same between two processes.) */
#pragma once
#include "turns.h"

/* taken: the round in which the first has it; returned: in which the second has given it back. */
static struct contended {
	pthread_mutex_t mutex;
	turn ready, taken, returned, over;
} contended;

/* Whether somebody sleeps, or is about to: glibc's mutex begins with its futex word, 0 free, 1 taken, 2 waited for;
 * or, with priority inheritance, the owner's TID, and FUTEX_WAITERS where somebody waits (futex(2)). */
static inline bool is_contended(void)
{
	uint32_t word = *(volatile uint32_t *)&contended.mutex;

	return word == 2 || word & 0x80000000;
}

/* One round of one thread, which is first or second. */
static inline void one_round(uint64_t number, bool first, uint64_t interval_ns)
{
	if (first) {
		pthread_mutex_lock(&contended.mutex);
		contended.taken = number;
		while (!is_contended())
			;
		compute(interval_ns);
		pthread_mutex_unlock(&contended.mutex);
	} else {
		await_turn(&contended.taken, number);
		pthread_mutex_lock(&contended.mutex);
		pthread_mutex_unlock(&contended.mutex);
		contended.returned = number;
	}
	await_turn(&contended.returned, number);
}

static inline void *second_thread(void *its)
{
	struct workload *w = its;

	contended.ready = 1;
	for (uint64_t number = 1; number <= w->messages_to_come; number++)
		one_round(number, number % 2 == 1, w->interval_ns);
	contended.over = 1;
	return NULL;
}

/* A trial: a mutex with this protocol (pthread_mutexattr_setprotocol(3p)), which makes `calls` futex calls a round. */
static inline void contend(struct workload *w, int protocol, uint64_t calls)
{
	struct count *futex = counter(w, "futex", "", "");
	pthread_mutexattr_t attributes;

	need_glibc(w);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	errno = pthread_mutex_init(&contended.mutex, &attributes);
	if (errno)
		unsupported(w, "this kernel has no such mutex");
	start_thread(w, second_thread, w);
	await_turn(&contended.ready, 1);
	begin(w);
	while (!w->done) {
		one_round(w->messages + 1, w->messages % 2 == 1, w->interval_ns);
		futex->count += calls;
		turned(w);
	}
	await_turn(&contended.over, 1);
	end(w);
}
