/* Real-time signals are queued: four messages before the program looks are four signals (see signal_burst.c). */
#include "rt_signals.h"

#define TOGETHER 4

/* A signal and a receive for each message, though the program was not looking when they came. */
static void burst(struct workload *w)
{
	serve(w, SIGRTMIN + 1, TOGETHER);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "signal-rt-burst", burst, OVER(UDP));
}
