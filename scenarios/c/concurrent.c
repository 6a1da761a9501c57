/* Concurrent: two threads that compute on one CPU (sched_setaffinity(2)), in turns and never at the same time. */
#include "computing.h"

/* Both threads on the last CPU that this process may use. */
static void concurrent(struct workload *w)
{
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	cpus = one_of(&cpus, CPU_COUNT(&cpus) - 1);
	compute_on(w, &cpus);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "concurrent", concurrent, OVER(NONE));
}
