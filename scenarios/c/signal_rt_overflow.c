/* The queue of real-time signals is full (RLIMIT_SIGPENDING): the kernel falls back to a plain SIGIO.
 *
 * Eight messages come before the program looks, and the queue holds four, less what the user's other programs have in
 * theirs: four signals name their socket, and one SIGIO says only that something was missed. Then all there is has to
 * be received.
 */
#include "rt_signals.h"

#include <sys/resource.h>

#define TOGETHER 8
#define QUEUE 4

/* SIGIO has the lower number and is taken first: it drains, then the queued signals are taken for nothing. */
static void overflow(struct workload *w)
{
	struct rlimit limit;

	getrlimit(RLIMIT_SIGPENDING, &limit);
	limit.rlim_cur = QUEUE;
	if (setrlimit(RLIMIT_SIGPENDING, &limit))
		unsupported(w, "the limit of queued signals cannot be set");
	serve(w, SIGRTMIN + 1, TOGETHER);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "signal-rt-overflow", overflow, OVER(UDP));
}
