/* What the loads share: they pin themselves, time chunks of calls and print one line at the end:
 *
 *     CALLS BEGIN_NS END_NS CPU_NS MEDIAN
 *
 * BEGIN and END are CLOCK_MONOTONIC, CPU the time that this process had one, MEDIAN the median over the chunks of the
 * time of one call in ns: what other programs take from the CPU falls into few chunks, and so does not move it. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 128
#define MOST 8000000

static double *chunks;
static long count, limit, first, last, stop;

static inline long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t); /* the monotonic one is no system call */
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int begin(int argc, char **argv)
{
	cpu_set_t cpus;

	if (argc < 3)
		return 1;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[2]), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		return 1;
	limit = argc > 3 ? atol(argv[3]) : 0;
	chunks = malloc(MOST * sizeof(*chunks));
	if (!chunks)
		return 1;
	first = last = now(CLOCK_MONOTONIC);
	stop = first + (long)(atof(argv[1]) * 1e9);
	count = -1;
	return 0;
}

static inline int more(void)
{
	long t = now(CLOCK_MONOTONIC);

	if (count >= 0)
		chunks[count] = (double)(t - last) / CHUNK;
	count++;
	last = t;
	return t < stop && count < MOST && (!limit || count * CHUNK < limit);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int end(void)
{
	long cpu = now(CLOCK_PROCESS_CPUTIME_ID);

	if (!count)
		return 1;
	qsort(chunks, count, sizeof(*chunks), compare);
	printf("%ld %ld %ld %ld %.2f\n", count * CHUNK, first, last, cpu, chunks[count / 2]);
	return fflush(stdout) != 0;
}
