/* Two who wait for each other, threads or processes: memory that both share, and turns in it, by which one learns how
 * far the other is without a call (scenarios/interfaces/futex_words.py in Python).
 */
#pragma once
#include "workload.h"

#include <pthread.h>
#include <sys/mman.h>

typedef volatile uint64_t turn;

/* Zeroed memory that children share. */
static inline void *share(struct workload *w, size_t size)
{
	void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (found == MAP_FAILED)
		failed(w, "mmap");
	return found;
}

/* For who looks into the words of glibc's locks. */
static inline void need_glibc(struct workload *w)
{
#ifndef __GLIBC__
	unsupported(w, "locks are looked into here with glibc only");
#endif
	(void)w;
}

/* Another thread, which does `work`; signals are for the first. Nobody joins it: that would be a futex call, too. */
static inline void start_thread(struct workload *w, void *(*work)(void *its), void *its)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&thread, NULL, work, its);
	if (errno)
		failed(w, "pthread_create");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Computes until it is `its` turn, or a later one. */
static inline void await_turn(turn *its, uint64_t least)
{
	while (*its < least)
		;
}

/* Computes for `ns` nanoseconds; CLOCK_MONOTONIC is read without a call. */
static inline void compute(uint64_t ns)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + ns;

	while (clock_ns(CLOCK_MONOTONIC) < end_ns)
		;
}
