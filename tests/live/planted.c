/* An epoll loop that receives MESSAGES datagrams, one every INTERVAL µs, and between being told and the receive spins
 * for SPIN µs and makes EXTRA calls more: what `iotrace diff` has to find. Usage: planted MESSAGES INTERVAL SPIN EXTRA
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time); /* in the vDSO: no call */
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void send_all(int fd, int messages, long interval_us)
{
	struct timespec interval = {interval_us / 1000000, interval_us % 1000000 * 1000};

	for (int i = 0; i < messages; i++) {
		nanosleep(&interval, NULL);
		if (write(fd, "hello", 5) != 5)
			_exit(1);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	int ends[2], messages = argc > 4 ? atoi(argv[1]) : 0, extra = argc > 4 ? atoi(argv[4]) : 0, status;
	long long spin_ns = argc > 4 ? atoll(argv[3]) * 1000 : 0;
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);
	char buffer[64];
	pid_t sender;

	if (!messages || socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) || epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event))
		return 2;
	sender = fork();
	if (!sender)
		send_all(ends[1], messages, atol(argv[2]));
	for (int i = 0; i < messages; i++) {
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			return 1;
		for (long long until = now() + spin_ns; now() < until;)
			;
		for (int j = 0; j < extra; j++)
			syscall(SYS_getppid);
		if (read(ends[0], buffer, sizeof buffer) != 5)
			return 1;
	}
	return waitpid(sender, &status, 0) == sender && !status ? 0 : 1;
}
