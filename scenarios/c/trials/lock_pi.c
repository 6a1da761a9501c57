/* Mutual exclusion with priority inheritance (PTHREAD_PRIO_INHERIT): FUTEX_LOCK_PI and FUTEX_UNLOCK_PI of futex(2), and
 * the futex word is the owner's TID. */
#include "../contended.h"

/* Three futex calls a round: one asks the kernel for it, the other returns it there, and so does the first, since the
 * word says that there were waiters. */
static void lock_pi(struct workload *w)
{
	contend(w, PTHREAD_PRIO_INHERIT, 3);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.lock_pi", lock_pi, OVER(NONE));
}
