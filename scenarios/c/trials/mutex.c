/* Mutual exclusion between two threads of one process (pthread_mutex_lock(3p), FUTEX_PRIVATE_FLAG); between two
 * processes see lock.c. */
#include "../contended.h"

/* Three futex calls a round: one waits, the other wakes it, and it looks whether it must wake one, too. */
static void mutex(struct workload *w)
{
	contend(w, PTHREAD_PRIO_NONE, 3);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.mutex", mutex, OVER(NONE));
}
