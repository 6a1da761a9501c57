/* The second process of readiness.h: it makes descriptors of a kind, passes the ends that are to be watched by
 * SCM_RIGHTS (unix(7)), and makes some of them ready when memory that both share says so. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_DESCRIPTORS 100000
#define MOST_ACTIVE 1000
#define PASSED 250          /* descriptors in one message: the kernel takes 253 (SCM_MAX_FD) */
#define SPARE (PASSED + 64) /* descriptors that are on their way, and the program's own */
#define PATIENCE 5000       /* looks at the shared memory, before the CPU is offered to others */

/* What both processes see. asked, made: operations that were to be made ready, and are. */
struct page {
	volatile uint64_t asked, made;
	volatile uint32_t count, which[MOST_ACTIVE];
	volatile uint32_t opened; /* descriptors that could be made */
	volatile int failed;      /* errno of the first that could not */
};

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "readiness: %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void await(volatile uint64_t *its, uint64_t least)
{
	for (int looks = 0; *its < least; looks++)
		if (looks > PATIENCE)
			sched_yield();
	__sync_synchronize();
}

/* Both ends of one connection, [0] to be watched; false: it cannot be made. */
static bool make_ends(const char *kind, int ends[2])
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(own);
	bool tcp = !strcmp(kind, "tcp");
	int type = tcp ? SOCK_STREAM : SOCK_DGRAM, first;

	if (!strcmp(kind, "pipe"))
		return !pipe2(ends, O_NONBLOCK);
	if (!strcmp(kind, "unix"))
		return !socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
	if (!strcmp(kind, "eventfd")) {
		ends[0] = eventfd(0, EFD_NONBLOCK);
		ends[1] = ends[0] < 0 ? -1 : dup(ends[0]);
		return ends[1] >= 0;
	}
	first = socket(AF_INET, type | (tcp ? 0 : SOCK_NONBLOCK), 0);
	ends[1] = socket(AF_INET, type, 0);
	if (first < 0 || ends[1] < 0 || bind(first, (struct sockaddr *)&own, size) || (tcp && listen(first, 1)) ||
	    getsockname(first, (struct sockaddr *)&own, &size) || connect(ends[1], (struct sockaddr *)&own, size))
		return false;
	ends[0] = first;
	if (tcp) {
		struct linger at_once = {.l_onoff = 1}; /* no thousands of ports stay behind in TIME_WAIT */

		ends[0] = accept4(first, NULL, NULL, SOCK_NONBLOCK);
		close(first);
		setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	}
	return ends[0] >= 0;
}

static void pass(int over, const int *fds, int count)
{
	char room[CMSG_SPACE(PASSED * sizeof(int))] = {0}, byte = 0;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	if (count) {
		message.msg_control = room;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		*head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	if (sendmsg(over, &message, 0) < 0)
		give_up("sendmsg");
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

static _Noreturn void make_ready(struct page *page, const char *kind, int most, int over)
{
	int *far = calloc(most, sizeof(int)), passed[PASSED], waiting = 0;
	uint64_t one = 1, operation = 0;

	for (int i = 0; i < most; i++) {
		int ends[2];

		if (!make_ends(kind, ends)) {
			page->failed = errno;
			break;
		}
		far[i] = ends[1];
		passed[waiting++] = ends[0];
		page->opened = i + 1;
		if (waiting == PASSED) {
			pass(over, passed, waiting);
			waiting = 0;
		}
	}
	if (waiting)
		pass(over, passed, waiting);
	pass(over, NULL, 0);
	for (;;) {
		await(&page->asked, ++operation);
		for (uint32_t i = 0; i < page->count; i++)
			if (write(far[page->which[i]], &one, sizeof(one)) != sizeof(one))
				give_up("write");
		__sync_synchronize();
		page->made = operation;
	}
}

static int *take_over(struct page *page, int over)
{
	int *fds = calloc(MOST_DESCRIPTORS, sizeof(int)), count = 0, highest;

	for (;;) {
		char room[CMSG_SPACE(PASSED * sizeof(int))], byte;
		struct iovec data = {.iov_base = &byte, .iov_len = 1};
		struct msghdr message = {
			.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};

		if (recvmsg(over, &message, 0) != 1)
			give_up("recvmsg");
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		if (!head)
			break;
		int came = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + count, CMSG_DATA(head), came * sizeof(int));
		count += came;
	}
	highest = count ? fds[count - 1] : 0;
	if ((uint32_t)count != page->opened || (count && highest - fds[0] != count - 1)) {
		fprintf(stderr, "readiness: the descriptors do not follow each other\n");
		exit(1);
	}
	return fds;
}

/* Closes what was inherited and not meant: it would lie among the descriptors. */
static void close_all_but(int notes)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fd != notes)
			close(fd);
}

/* Leaves no free number below `highest`, which is taken. */
static void fill_up_to(int highest)
{
	for (int fd = 0; fd < highest && fd >= 0;)
		fd = open("/dev/null", O_RDONLY);
}

/* As many descriptors as are permitted, and at most `wanted`; root may raise the limit. */
static int permitted(int wanted)
{
	struct rlimit room;

	getrlimit(RLIMIT_NOFILE, &room);
	if (room.rlim_max < (rlim_t)wanted + SPARE) {
		struct rlimit more = {wanted + SPARE, wanted + SPARE};

		if (!setrlimit(RLIMIT_NOFILE, &more))
			return wanted;
	}
	room.rlim_cur = room.rlim_max;
	setrlimit(RLIMIT_NOFILE, &room);
	return room.rlim_max < (rlim_t)wanted + SPARE ? (int)room.rlim_max - SPARE : wanted;
}
