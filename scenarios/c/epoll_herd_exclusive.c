/* The herd tamed: with EPOLLEXCLUSIVE (Linux 4.5) a connection wakes one of the four processes (compare epoll_herd.c).
 */
#include "herd.h"

/* Each connection wakes one process, which accepts it. */
int main(int argc, char **argv)
{
	return run_herd(argc, argv, "epoll-herd-exclusive", EPOLLIN | EPOLLEXCLUSIVE);
}
