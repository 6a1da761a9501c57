/* Signal-driven I/O with a real-time signal: F_SETSIG chooses it, each arrival queues one, siginfo names the socket.
 *
 * The program sleeps in sigwaitinfo(2), where it could serve any number of sockets; it never asks which one is ready.
 */
#include "rt_signals.h"

/* Two calls per message: sigwaitinfo says which descriptor, recvfrom copies. */
static void real_time(struct workload *w)
{
	serve(w, SIGRTMIN + 1, 1);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "signal-rt", real_time, OVER(UDP));
}
