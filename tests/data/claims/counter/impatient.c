/* A mutex that is never given back in time: who waits for it gives up (pthread_mutex_timedlock(3p)), and nobody's
 * release ends the wait. */
#include "../../../../scenarios/c/turns.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static turn taken;

static void *keeper(void *its)
{
	(void)its;
	pthread_mutex_lock(&mutex);
	taken = 1;
	for (;;)
		pause();
}

static void impatient(struct workload *w)
{
	struct timespec until;

	start_thread(w, keeper, NULL);
	await_turn(&taken, 1);
	begin(w);
	while (!w->done) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_mutex_timedlock(&mutex, &until);
		turned(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "impatient", impatient, OVER(NONE));
}
