/* SIGIO is merged: four messages that come before the program looks are one signal (compare signal_rt_burst.c). */
#include "rt_signals.h"

#define TOGETHER 4

/* One signal for all: receive until EAGAIN, or messages are left that nothing tells of. */
static void burst(struct workload *w)
{
	serve(w, SIGIO, TOGETHER);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "signal-burst", burst, OVER(UDP));
}
