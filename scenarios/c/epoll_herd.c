/* The thundering herd: four processes in epoll_wait(2) for one listening socket, and each connection wakes them all. */
#include "herd.h"

/* Whoever is first accepts; the others have woken for nothing, and some find that out by EAGAIN. */
int main(int argc, char **argv)
{
	return run_herd(argc, argv, "epoll-herd", EPOLLIN);
}
