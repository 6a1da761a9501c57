/* Many threads that are never idle, and descriptors that lie there: what attaching is measured on.
 *
 *     crowd PROCESSES THREADS DESCRIPTORS
 *
 * Each of PROCESSES has THREADS threads, each with a socket pair of its own, which it sends to and receives from
 * without end, and DESCRIPTORS more descriptors. Prints the process IDs, one a line, when all run; ends when stdin
 * does. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t all;

static void *work(void *none)
{
	char bytes[64] = "";
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		exit(1);
	pthread_barrier_wait(&all);
	for (;;)
		if (send(pair[0], bytes, sizeof(bytes), 0) < 0 || recv(pair[1], bytes, sizeof(bytes), 0) < 0)
			exit(1);
	return none;
}

static void run(int threads, int descriptors, int ready)
{
	pthread_attr_t small;
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < descriptors / 2; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			exit(1);
	}
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	pthread_barrier_init(&all, 0, threads + 1);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread, &small, work, 0))
			exit(1);
	if (write(ready, "", 1) != 1)
		exit(1);
	pthread_barrier_wait(&all);
	alarm(300); /* should nobody end it */
	pause();
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int ready[2], processes;
	char byte;

	if (argc < 4 || pipe(ready))
		return 1;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	processes = atoi(argv[1]);
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (!pid)
			run(atoi(argv[2]), atoi(argv[3]), ready[1]);
		if (pid < 0 || read(ready[0], &byte, 1) != 1)
			return 1;
		printf("%d\n", pid);
	}
	printf("\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
