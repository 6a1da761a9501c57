/* Blocking I/O: recvfrom(2) sleeps in the kernel until a message is there, and returns with it. */
#include "workload.h"

/* One call per message: it waits and it copies. */
static void blocking(struct workload *w)
{
	begin(w);
	while (!w->done)
		received(w, w->fd, receive(w, w->fd));
	end(w);
}

int main(int argc, char **argv)
{
	return run(argc, argv, "blocking", blocking);
}
