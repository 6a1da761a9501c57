/* What iotrace bench readiness says of select, poll and epoll, measured by another program, which shares nothing with
 * it and is timed without iotrace: the median wall time of a call, and of the read that follows it.
 *
 *     cc -O2 -o /tmp/readiness benchmarks/readiness.c && /tmp/readiness poll 1000 1000
 *
 * N pipes; their writing ends are left to children, a chunk each, so that a limit of 20,000 descriptors is enough for
 * N = 10,000. Prints the lower quartile, the median and the upper quartile in ns. */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 4096
#define MOST 100000

static int readers[MOST];
static volatile long *wanted, *written; /* what is asked for: operation << 32 | index of a pipe; what was last done */

static int up(const void *a, const void *b)
{
	return (*(const long *)a > *(const long *)b) - (*(const long *)a < *(const long *)b);
}

static void serve(int first, int count, const int *writers)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (long looks = 0;; looks++) {
		long asked = *wanted, mine = (int)asked - first; /* read once: the next one may come meanwhile */

		if (*written != asked && mine >= 0 && mine < count) {
			if (write(writers[mine], "x", 1) != 1)
				_exit(1);
			*written = asked;
			looks = 0;
		} else if (looks > 1000) {
			sched_yield();
		}
	}
}

static int make_pipes(int n, pid_t *children)
{
	int made = 0;

	for (int first = 0; first < n; first += CHUNK) {
		int count = n - first < CHUNK ? n - first : CHUNK, writers[CHUNK], ends[CHUNK];

		for (int i = 0; i < count; i++) {
			int both[2];

			if (pipe(both))
				return -1;
			ends[i] = both[0];
			writers[i] = both[1];
		}
		if (!(children[made++] = fork()))
			serve(first, count, writers);
		for (int i = 0; i < count; i++)
			close(writers[i]);
		for (int i = 0; i < count; i++) { /* to the lowest free number */
			readers[first + i] = dup(ends[i]);
			close(ends[i]);
		}
	}
	return made;
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[2]) : 0, operations = argc > 3 ? atoi(argv[3]) : 0, highest = 0;
	struct rlimit room;
	pid_t children[MOST / CHUNK + 1];

	if (n < 1 || n > MOST || operations < 4)
		return 2;
	getrlimit(RLIMIT_NOFILE, &room);
	room.rlim_cur = room.rlim_max;
	setrlimit(RLIMIT_NOFILE, &room);
	wanted = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	written = wanted + 512;
	int made = make_pipes(n, children), epoll = epoll_create1(0);
	if (made < 0) {
		perror("pipe");
		return 1;
	}
	struct pollfd *polled = calloc(n, sizeof(*polled));
	uint8_t *all = calloc(1, MOST / 8 + 64), *set = calloc(1, MOST / 8 + 64);
	long *took = calloc(operations, sizeof(*took));
	for (int i = 0; i < n; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = readers[i]};

		polled[i] = (struct pollfd){readers[i], POLLIN, 0};
		all[readers[i] / 8] |= 1 << readers[i] % 8;
		highest = readers[i] > highest ? readers[i] : highest;
		if (!strcmp(argv[1], "epoll") && epoll_ctl(epoll, EPOLL_CTL_ADD, readers[i], &event))
			return 1;
	}
	for (int i = 0; i < operations; i++) {
		struct timespec begin, end;
		struct epoll_event event;
		int index = random() % n, ready = -1;
		char byte;

		long asked = (i + 1L) << 32 | index;

		*wanted = asked;
		for (long looks = 0; *written != asked; looks++)
			if (looks > 1000)
				sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &begin);
		if (!strcmp(argv[1], "poll")) {
			poll(polled, n, -1);
			for (ready = 0; !polled[ready].revents;)
				ready++;
			ready = polled[ready].fd;
		} else if (!strcmp(argv[1], "select")) {
			memcpy(set, all, highest / 8 + 8);
			syscall(SYS_pselect6, highest + 1, set, NULL, NULL, NULL, NULL);
			for (ready = 0; !set[ready];)
				ready++;
			ready = ready * 8 + __builtin_ctz(set[ready]);
		} else if (epoll_wait(epoll, &event, 1, -1) == 1) {
			ready = event.data.fd;
		}
		if (ready != readers[index] || read(ready, &byte, 1) != 1)
			return 1;
		clock_gettime(CLOCK_MONOTONIC, &end);
		took[i] = (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec;
	}
	qsort(took, operations, sizeof(*took), up);
	printf("%s %d %ld %ld %ld\n", argv[1], n, took[operations / 4], took[operations / 2], took[3 * operations / 4]);
	for (int i = 0; i < made; i++)
		kill(children[i], SIGKILL);
	return 0;
}
