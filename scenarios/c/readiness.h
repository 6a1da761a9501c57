/* N descriptors, of which K at random are made ready for each operation: what it takes to learn which, and to read
 * them, by select(2), poll(2), epoll(7) and, with bench/readiness_uring.c, by polls of io_uring(7). For `iotrace bench
 * readiness`; the setting is that of table 63-9 of Kerrisk's The Linux Programming Interface.
 *
 * The other ends belong to a second process, which makes descriptors ready when it is told to by shared memory, before
 * an operation begins: no call sleeps. It makes both ends and passes one by SCM_RIGHTS (unix(7)), so that N descriptors
 * cost each process N of its limit, and the watched ones follow each other from the lowest free number.
 *
 *     readiness KIND ACTIVE CHURN STAMPS SEED NOTES_FD N:OPERATIONS,…
 */
#pragma once
#include "readiness_ends.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>

#define LONG_BITS (8 * sizeof(long))

struct bench {
	int active, operations, n;
	bool churn, all_wall;
	uint64_t random;
	struct page *page;
	uint32_t *order; /* indices of descriptors, the first `active` of them are chosen */
	int *fds;
	int found[MOST_ACTIVE]; /* descriptors that the call told */
	/* for each call its own: */
	unsigned long *watched, *set; /* select */
	struct pollfd *polled;
	int epoll;
	struct epoll_event events[MOST_ACTIVE];
	bool begun; /* io_uring: polls that have been told must be asked for again */
};

/* A way to learn which are ready: watches the first n, puts those that are ready into `found` and returns how many,
 * takes leave. renew: one more connection takes the place of the one that was told. */
struct way {
	const char *name;
	void (*watch)(struct bench *);
	int (*wait)(struct bench *);
	void (*renew)(struct bench *, int fd);
	void (*leave)(struct bench *);
};

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static inline uint64_t next_random(struct bench *b) /* xorshift64 */
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	return b->random ^= b->random << 17;
}

/* select, through the kernel's own call: it has no FD_SETSIZE. */

static inline size_t words(struct bench *b)
{
	return (b->fds[b->n - 1] + LONG_BITS) / LONG_BITS;
}

static void watch_by_select(struct bench *b)
{
	b->watched = calloc(words(b), sizeof(long));
	b->set = calloc(words(b), sizeof(long));
	for (int i = 0; i < b->n; i++)
		b->watched[b->fds[i] / LONG_BITS] |= 1ul << b->fds[i] % LONG_BITS;
}

static int wait_by_select(struct bench *b)
{
	int found = 0, ready;

	memcpy(b->set, b->watched, words(b) * sizeof(long));
	ready = syscall(SYS_pselect6, b->fds[b->n - 1] + 1, b->set, NULL, NULL, NULL, NULL);
	for (size_t word = 0; found < ready && word < words(b); word++)
		for (unsigned long bits = b->set[word]; bits; bits &= bits - 1)
			b->found[found++] = word * LONG_BITS + __builtin_ctzl(bits);
	return ready;
}

static void leave_select(struct bench *b)
{
	free(b->watched);
	free(b->set);
}

/* poll */

static void watch_by_poll(struct bench *b)
{
	b->polled = calloc(b->n, sizeof(*b->polled));
	for (int i = 0; i < b->n; i++)
		b->polled[i] = (struct pollfd){.fd = b->fds[i], .events = POLLIN};
}

static int wait_by_poll(struct bench *b)
{
	int found = 0, ready = poll(b->polled, b->n, -1);

	for (int i = 0; found < ready && i < b->n; i++)
		if (b->polled[i].revents)
			b->found[found++] = b->polled[i].fd;
	return ready;
}

static void leave_poll(struct bench *b)
{
	free(b->polled);
}

/* epoll */

static void add_to_epoll(struct bench *b, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &event))
		give_up("epoll_ctl");
}

static void watch_by_epoll(struct bench *b, uint32_t events)
{
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < b->n; i++)
		add_to_epoll(b, b->fds[i], events);
}

static void watch_by_epoll_lt(struct bench *b)
{
	watch_by_epoll(b, EPOLLIN);
}

static void watch_by_epoll_et(struct bench *b)
{
	watch_by_epoll(b, EPOLLIN | EPOLLET);
}

static int wait_by_epoll(struct bench *b)
{
	int ready = epoll_wait(b->epoll, b->events, b->active, -1);

	for (int i = 0; i < ready; i++)
		b->found[i] = b->events[i].data.fd;
	return ready;
}

static void renew_in_epoll(struct bench *b, int fd, uint32_t events)
{
	if (epoll_ctl(b->epoll, EPOLL_CTL_DEL, fd, NULL))
		give_up("epoll_ctl");
	add_to_epoll(b, fd, events);
}

static void renew_in_epoll_lt(struct bench *b, int fd)
{
	renew_in_epoll(b, fd, EPOLLIN);
}

static void renew_in_epoll_et(struct bench *b, int fd)
{
	renew_in_epoll(b, fd, EPOLLIN | EPOLLET);
}

static void leave_epoll(struct bench *b)
{
	close(b->epoll);
}

static const struct way plain_ways[] = {
	{"select", watch_by_select, wait_by_select, NULL, leave_select},
	{"poll", watch_by_poll, wait_by_poll, NULL, leave_poll},
	{"epoll-lt", watch_by_epoll_lt, wait_by_epoll, renew_in_epoll_lt, leave_epoll},
	{"epoll-et", watch_by_epoll_et, wait_by_epoll, renew_in_epoll_et, leave_epoll},
};

/* The measurement. */

static void choose(struct bench *b)
{
	for (int i = 0; i < b->active; i++) {
		uint32_t other = i + next_random(b) % (b->n - i), kept = b->order[i];

		b->order[i] = b->order[other];
		b->order[other] = kept;
		b->page->which[i] = b->order[i];
	}
	b->page->count = b->active;
	__sync_synchronize();
	await(&b->page->made, ++b->page->asked);
}

static void operate(struct bench *b, const struct way *way)
{
	char buffer[64];

	if (way->wait(b) != b->active) {
		fprintf(stderr, "readiness: %s told other descriptors than the %d that are ready\n", way->name,
			b->active);
		exit(1);
	}
	for (int i = 0; i < b->active; i++) {
		if (read(b->found[i], buffer, sizeof(buffer)) != sizeof(uint64_t))
			give_up("read");
		if (b->churn && way->renew)
			way->renew(b, b->found[i]);
	}
}

/* Wall and CPU time are taken in turns, since reading the CPU's is a call; all_wall: wall time alone. */
static void measure(struct bench *b, const struct way *way, FILE *notes, const char *separator)
{
	uint64_t *took = calloc(b->operations, sizeof(*took)), began_ns;
	const char *const keys[] = {"wall_ns", "cpu_ns"};

	for (int i = 0; i < b->n; i++)
		b->order[i] = i;
	way->watch(b);
	for (int i = 0; i < 4; i++) { /* what is touched for the first time */
		choose(b);
		operate(b, way);
	}
	began_ns = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < b->operations; i++) {
		clockid_t clock = b->all_wall || i % 2 == 0 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;

		choose(b);
		uint64_t begin_ns = now_ns(clock);
		operate(b, way);
		took[i] = now_ns(clock) - begin_ns;
	}
	fprintf(notes,
		"%s{\"call\": \"%s\", \"n\": %d, \"active\": %d, \"operations\": %d, \"window_ns\": [%llu, %llu]",
		separator, way->name, b->n, b->active, b->operations, (unsigned long long)began_ns,
		(unsigned long long)now_ns(CLOCK_MONOTONIC));
	way->leave(b);
	for (int which = 0; which < 2; which++) {
		int step = b->all_wall ? 1 : 2;

		fprintf(notes, ", \"%s\": [", keys[which]);
		for (int i = which; i < b->operations && (which == 0 || !b->all_wall); i += step)
			fprintf(notes, "%s%llu", i == which ? "" : ", ", (unsigned long long)took[i]);
		fprintf(notes, "]");
	}
	fprintf(notes, "}");
	free(took);
}

/* How long nothing takes by a clock: the median of many. */
static uint64_t of_nothing(clockid_t clock)
{
	uint64_t counts[2000] = {0}, seen = 0;

	for (int i = 0; i < 1001; i++) {
		uint64_t begin_ns = now_ns(clock), took_ns = now_ns(clock) - begin_ns;

		counts[took_ns < 2000 ? took_ns : 1999]++;
	}
	for (int ns = 0;; ns++)
		if ((seen += counts[ns]) > 500)
			return ns;
}

/* The operations that stand behind a size ("10:2000,100:2000"), the next size in *text. */
static bool next_size(char **text, int *n, int *operations)
{
	if (!**text)
		return false;
	*n = strtol(*text, text, 10);
	*operations = strtol(*text + 1, text, 10);
	*text += **text == ',';
	return true;
}

struct job {
	const struct way *way;
	int n, operations;
};

/* Every way with every size that fits, in an order of this seed's. */
static int plan(struct bench *b, struct job *jobs, const struct way *ways, int count, char *sizes, int most)
{
	int planned = 0, n, operations;

	while (next_size(&sizes, &n, &operations))
		for (int i = 0; i < count; i++)
			if (n <= most)
				jobs[planned++] = (struct job){&ways[i], n, operations};
	for (int i = planned - 1; i > 0; i--) {
		int other = next_random(b) % (i + 1);
		struct job kept = jobs[i];

		jobs[i] = jobs[other];
		jobs[other] = kept;
	}
	return planned;
}

/* lacks: why io_uring is not among the ways, "" where it is, or was not meant to be. */
static void tell_limits(FILE *notes, const struct page *page, int wanted, int fit, const char *lacks)
{
	if (*lacks)
		fprintf(notes, ", \"lacks\": {\"io_uring\": \"%s\"}", lacks);
	if ((int)page->opened < fit)
		fprintf(notes, ", \"most\": %u, \"why\": \"%s\"", page->opened, strerror(page->failed));
	else if (fit < wanted)
		fprintf(notes,
			", \"most\": %d, \"why\": \"no process may have more descriptors open here (ulimit -H "
			"-n)\"",
			fit);
}

static int bench_readiness(int argc, char **argv, const struct way *ways, int count, const char *lacks)
{
	static struct bench b;
	struct job jobs[128];
	int over[2], wanted = 0, n, operations, planned;

	if (argc != 8) {
		fprintf(stderr, "usage: readiness KIND ACTIVE CHURN STAMPS SEED NOTES_FD N:OPERATIONS,...\n");
		return 2;
	}
	b.active = atoi(argv[2]);
	b.churn = atoi(argv[3]);
	b.all_wall = atoi(argv[4]);
	b.random = 88172645463325252ull + strtoull(argv[5], NULL, 10) * 0x9e3779b97f4a7c15ull;
	for (char *sizes = argv[7]; next_size(&sizes, &n, &operations);)
		wanted = n > wanted ? n : wanted;
	if (wanted > MOST_DESCRIPTORS || b.active < 1 || b.active > MOST_ACTIVE)
		return 2;
	close_all_but(atoi(argv[6]));
	int fit = permitted(wanted);
	b.page = mmap(NULL, sizeof(*b.page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b.page == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, over))
		give_up("socketpair");
	pid_t parent = getpid(), child = fork();
	if (child < 0)
		give_up("fork");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(over[0]);
		if (getppid() == parent)
			make_ready(b.page, argv[1], fit, over[1]);
		_exit(1);
	}
	close(over[1]);
	fill_up_to(over[0] > atoi(argv[6]) ? over[0] : atoi(argv[6]));
	b.fds = take_over(b.page, over[0]);
	b.order = calloc(MOST_DESCRIPTORS, sizeof(*b.order));
	FILE *notes = fdopen(atoi(argv[6]), "w");
	if (!notes)
		give_up("notes");
	planned = plan(&b, jobs, ways, count, argv[7], b.page->opened);
	fprintf(notes, "{\"first\": %d, \"nothing_ns\": {\"wall\": %llu, \"cpu\": %llu}, \"blocks\": [", b.fds[0],
		(unsigned long long)of_nothing(CLOCK_MONOTONIC),
		(unsigned long long)of_nothing(CLOCK_THREAD_CPUTIME_ID));
	for (int i = 0; i < planned; i++) {
		b.n = jobs[i].n;
		b.operations = jobs[i].operations;
		measure(&b, jobs[i].way, notes, i ? ", " : "");
	}
	fprintf(notes, "]");
	tell_limits(notes, b.page, wanted, fit, lacks);
	fprintf(notes, "}\n");
	fclose(notes);
	kill(child, SIGKILL);
	return 0;
}
