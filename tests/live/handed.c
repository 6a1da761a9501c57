/* Told in one thread, received in another: an epoll loop that hands each datagram to two workers, which tell it through
 * an eventfd that they are done. Then wake-ups for nothing, and wake-ups that only look as if. Prints what it did. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGES = 97, STALE = 211, TURNS = 31 };
static int data[2], turn[2], epoll, received_from, done_fd, got, stop;
static sem_t work, back;

/* The child sends the next one when the last has arrived. */
static void sender(int messages)
{
	char byte;

	for (int i = 0; i < messages; i++)
		if (write(data[1], "hello", 5) != 5 || read(turn[1], &byte, 1) != 1)
			_exit(1);
	_exit(0);
}

static void *worker(void *unused)
{
	struct epoll_event again = {EPOLLIN | EPOLLONESHOT, {.fd = data[0]}};
	uint64_t one = 1;
	char bytes[64];

	for (;;) {
		while (sem_wait(&work))
			;
		if (__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
			return unused;
		if (recv(received_from, bytes, sizeof bytes, 0) == 5)
			__atomic_add_fetch(&got, 1, __ATOMIC_SEQ_CST);
		epoll_ctl(epoll, EPOLL_CTL_MOD, data[0], &again);
		write(done_fd, &one, sizeof one);
		write(turn[0], "", 1);
	}
}

/* Registered by one number and waited for by another, of the epoll instance as of the socket. */
static int pool(int *woken)
{
	struct epoll_event events[4], socket_event = {EPOLLIN | EPOLLONESHOT, {.fd = data[0]}},
				      done_event = {EPOLLIN, {.fd = done_fd}};
	int watch = dup(epoll), finished = 0;
	pthread_t threads[2];
	uint64_t value;

	fcntl(data[0], F_SETFL, O_NONBLOCK);
	received_from = dup(data[0]);
	epoll_ctl(epoll, EPOLL_CTL_ADD, data[0], &socket_event);
	epoll_ctl(epoll, EPOLL_CTL_ADD, done_fd, &done_event);
	for (int i = 0; i < 2; i++)
		pthread_create(threads + i, 0, worker, 0);
	while (finished < MESSAGES) {
		int count = epoll_wait(watch, events, 4, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == data[0]) {
				sem_post(&work);
			} else if (read(done_fd, &value, sizeof value) == sizeof value) {
				finished += value;
				++*woken;
			}
		}
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		sem_post(&work);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], 0);
	return got;
}

static void *polled_worker(void *unused)
{
	char bytes[64];

	for (int i = 0; i < TURNS; i++) {
		while (sem_wait(&work))
			;
		got += recv(data[0], bytes, sizeof bytes, 0) == 5;
		sem_post(&back);
	}
	return unused;
}

/* The same with poll, and one worker. */
static int polled(void)
{
	struct pollfd watched[2] = {{turn[0], POLLPRI}, {data[0], POLLIN}};
	pthread_t thread;

	got = 0;
	pthread_create(&thread, 0, polled_worker, 0);
	for (int i = 0; i < TURNS; i++) {
		poll(watched, 2, -1);
		sem_post(&work);
		while (sem_wait(&back))
			;
		write(turn[0], "", 1);
	}
	pthread_join(thread, 0);
	return got;
}

/* A socket is registered, dup'ed and closed: epoll goes on telling of it, and EPOLL_CTL_DEL says EBADF (libuv 1148). */
static int stale(void)
{
	int pair[2], instance = epoll_create1(0), told = 0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	struct epoll_event event = {EPOLLIN, {.fd = pair[0]}};

	epoll_ctl(instance, EPOLL_CTL_ADD, pair[0], &event);
	dup(pair[0]);
	close(pair[0]);
	write(pair[1], "x", 1);
	for (int i = 0; i < STALE; i++) {
		told += epoll_wait(instance, &event, 1, -1) == 1;
		epoll_ctl(instance, EPOLL_CTL_DEL, pair[0], 0);
	}
	return told;
}

/* Each wake-up has its datagram; the EAGAIN is another socket's. */
static int looks_at_another(void)
{
	int other[2], found = 0;
	char bytes[64];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, other);
	while (found < TURNS) {
		fd_set set;

		FD_ZERO(&set);
		FD_SET(data[0], &set);
		select(data[0] + 1, &set, 0, 0, 0);
		recv(other[0], bytes, sizeof bytes, MSG_DONTWAIT);
		found += recv(data[0], bytes, sizeof bytes, 0) == 5;
		write(turn[0], "", 1);
	}
	return found;
}

int main(void)
{
	int woken = 0, handed, by_poll, told, found;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, data);
	socketpair(AF_UNIX, SOCK_STREAM, 0, turn);
	sem_init(&work, 0, 0);
	sem_init(&back, 0, 0);
	epoll = epoll_create1(0);
	done_fd = eventfd(0, EFD_NONBLOCK);
	if (!fork())
		sender(MESSAGES);
	handed = pool(&woken);
	wait(0);
	if (!fork())
		sender(TURNS);
	sem_init(&work, 0, 0);
	by_poll = polled();
	wait(0);
	told = stale();
	if (!fork())
		sender(TURNS);
	found = looks_at_another();
	wait(0);
	printf("{\"handed\": %d, \"polled\": %d, ", handed, by_poll);
	printf("\"woken\": %d, \"told\": %d, \"found\": %d}\n", woken, told, found);
	return 0;
}
