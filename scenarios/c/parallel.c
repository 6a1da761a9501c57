/* Parallel: two threads that compute, free to run on all CPUs, at the same time (compare concurrent.c). */
#include "computing.h"

/* Both threads wherever this process may run. */
static void parallel(struct workload *w)
{
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (CPU_COUNT(&cpus) < 2)
		unsupported(w, "there is only one CPU to run on");
	compute_on(w, &cpus);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "parallel", parallel, OVER(NONE));
}
