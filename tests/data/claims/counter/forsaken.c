/* A semaphore to which nobody posts: who waits for an event gives up (sem_timedwait(3)), and no event ends the wait. */
#include "../../../../scenarios/c/turns.h"

#include <semaphore.h>

static sem_t semaphore;

static void forsaken(struct workload *w)
{
	struct timespec until;

	sem_init(&semaphore, 0, 0);
	begin(w);
	while (!w->done) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		sem_timedwait(&semaphore, &until);
		turned(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "forsaken", forsaken, OVER(NONE));
}
