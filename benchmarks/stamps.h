/* What the stamping receivers and their sender share: the page by which they take turns, and the message. */
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* In shared memory, so that taking turns is no system call. */
struct page {
	volatile uint64_t port, asking; /* the receiver's; how many messages it has asked for */
};

struct message {
	uint64_t sent; /* ns of CLOCK_MONOTONIC, just before the send */
	char rest[56];
};

static inline uint64_t now_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t); /* no system call */
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static inline uint64_t now(void)
{
	return now_of(CLOCK_MONOTONIC);
}

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Runs on this CPU and maps the page. */
static inline struct page *start(const char *cpu, const char *path)
{
	int fd = open(path, O_RDWR);
	cpu_set_t cpus;
	struct page *page;

	CPU_ZERO(&cpus);
	CPU_SET(atoi(cpu), &cpus);
	if (fd < 0 || sched_setaffinity(0, sizeof(cpus), &cpus))
		die("start");
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (page == MAP_FAILED)
		die("mmap");
	close(fd);
	return page;
}
