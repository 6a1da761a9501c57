/* Two threads that compute, as long as asked and where they may (sched(7)). */
#pragma once
#include "turns.h"

#include <sched.h>
#include <semaphore.h>

#define TRIAL 1000000 /* rounds by which the machine's speed is measured */

static struct computing {
	struct workload *w;
	cpu_set_t cpus;                /* where both may run */
	uint64_t rounds;               /* of work in a portion */
	pthread_barrier_t gate;        /* for the two and the thread that started them */
	sem_t over;                    /* posted by each at its end */
	volatile uint64_t portions[2]; /* done by each */
} computing;

static void work(uint64_t rounds)
{
	volatile unsigned value = 1;

	while (rounds--)
		value = value * 1103515245 + 12345;
}

/* The CPU that is number `index` of those in the set, begun again after the last. */
static cpu_set_t one_of(const cpu_set_t *cpus, int index)
{
	cpu_set_t one;
	int cpu = -1;

	for (index %= CPU_COUNT(cpus); index >= 0; index--)
		while (!CPU_ISSET(++cpu, cpus))
			;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return one;
}

static void *compute_portions(void *its)
{
	volatile uint64_t *portions = its;
	struct workload *w = computing.w;
	cpu_set_t own = one_of(&computing.cpus, portions - computing.portions);

	sched_setaffinity(0, sizeof(own), &own); /* of this thread alone: each begins on a CPU of its own, */
	pthread_barrier_wait(&computing.gate);
	pthread_barrier_wait(&computing.gate);
	sched_setaffinity(0, sizeof(computing.cpus), &computing.cpus); /* and may then go where it likes */
	while (*portions < w->messages_to_come && !w->done) {
		work(computing.rounds);
		++*portions;
	}
	sem_post(&computing.over);
	return NULL;
}

/* Two threads that may run on `cpus`, each with as many portions of work as there would be messages. */
static void compute_on(struct workload *w, const cpu_set_t *cpus)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);

	work(TRIAL);
	computing.rounds = 1 + TRIAL * w->interval_ns / (clock_ns(CLOCK_MONOTONIC) - begin_ns);
	computing.w = w;
	computing.cpus = *cpus;
	pthread_barrier_init(&computing.gate, NULL, 3);
	sem_init(&computing.over, 0, 0);
	for (int i = 0; i < 2; i++)
		start_thread(w, compute_portions, (void *)&computing.portions[i]);
	pthread_barrier_wait(&computing.gate); /* both are ready */
	begin(w);
	pthread_barrier_wait(&computing.gate); /* both go */
	for (int i = 0; i < 2; i++)
		sem_wait(&computing.over);
	while (!w->done)
		turned(w);
	end(w);
}
