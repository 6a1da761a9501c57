/* What every C twin shares, as scenarios/kit/ is in Python: the socket, the page shared with the sender,
 * the measured window, and the receiver's own notes, which are the oracle. What a twin need not know is in workload.c
 * (options, sender), transport.c (sockets and pipes) and notes.c.
 *
 * A twin is one file: it includes this one first, has a function that receives until w->done, and a main that calls
 * `run`. By hand, from the clone:
 *
 *     cc -O2 -o /tmp/blocking scenarios/c/{blocking,workload,transport,notes}.c && /tmp/blocking --messages 5
 */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_COUNTS 16

/* The shared page is an array of 64-bit numbers; these are their places, as in scenarios/kit/page.py. */
enum place { PID, PORT, READY, RECEIVED, FINISHED, SENT, STOP, EACH, ENDS = 16 };

enum proto { UDP, TCP, UNIX, PIPE, DISK /* "file": a file in the place of a socket */, NONE /* nothing is sent */ };

extern const char *const PROTOCOLS[]; /* their names */

/* A set of protocols is made of these: OVER(UDP) | OVER(TCP). */
#define OVER(proto) (1u << (proto))

/* When io_uring makes the copy of a receive that had found nothing: it interrupts, or waits for the next entry into the
 * kernel, or for an io_uring_enter that asks for completions. */
enum taskrun { INTERRUPTS, COOP, DEFER };

/* How often a call was made, failed with an error, or a signal was handled; what does not apply is "". */
struct count {
	const char *call, *error, *signal;
	uint64_t count;
};

/* What a signal handler changes is volatile. */
struct workload {
	const char *name;
	uint64_t messages_to_come, interval_ns, size;
	enum proto proto;
	bool open_loop, each; /* each: every message comes on a connection of its own, and `fd` listens */
	bool takes_taskrun;   /* --taskrun is an option of this twin */
	enum taskrun taskrun;
	size_t sockets;
	struct in_addr address;
	int shared_fd, notes_fd;

	int fd;             /* the socket to read, the first of `fds` */
	int *fds, highest;  /* all `sockets` of them, and the highest number among them */
	char *buffer;       /* to read into */
	size_t room;        /* bytes in it */
	volatile bool done; /* there is no more to come */
	volatile uint64_t messages, bytes;

	volatile uint64_t *page;
	uint64_t *receive_ns; /* when each receive had returned */
	size_t receives, most_receives, ends;
	bool *ended; /* by descriptor: its end has come; `ends` of them have */
	uint64_t window_ns[2], cpu_ns;
	uint64_t anonymous_bytes, threads; /* when the window begins */
	struct count counts[MOST_COUNTS], *calls, *again;
	pid_t sender;
	void (*settle)(struct workload *); /* adds to the notes what other processes did, also when a run ends early */
	const char *lacks;                 /* what this machine has not got, and the twin needs */
	sigjmp_buf early;                  /* where a run that ends early goes on */
};

extern struct workload the_workload; /* signal handlers are given nothing else */

/* Runs a twin that watches one socket, or `sockets` if nothing is said and at most `most`, as a program: its exit
 * status, 0, 1 (ended early), 3 (cannot here) or 130 (Ctrl-C); wrong usage exits with 2. `run_over`: over these
 * protocols alone, the first of them (in the order of `enum proto`) if nothing is said; `run_uring`: over UDP
 * and TCP, with --taskrun. */
int run(int argc, char **argv, const char *name, void (*scenario)(struct workload *));
int run_many(int argc, char **argv, const char *name, void (*scenario)(struct workload *), size_t sockets, size_t most);
int run_over(int argc, char **argv, const char *name, void (*scenario)(struct workload *), unsigned protocols);
int run_uring(int argc, char **argv, const char *name, void (*scenario)(struct workload *));

/* Says what errno means for `call` and ends the run; a call that was only interrupted (EINTR) can be made again. */
void failed(struct workload *w, const char *call);

/* Ends the run, since this machine lacks what the twin needs. */
void unsupported(struct workload *w, const char *what);

/* A counter of the notes: ask for it before the window, add to it inside. */
struct count *counter(struct workload *w, const char *call, const char *error, const char *signal);

/* Makes room for twice as many receives: a stream may bring one message in several. */
void more_receives(struct workload *w);

/* notes.c: what this process has for itself alone (RssAnon), and its threads, from proc_pid_status(5); and what it did.
 */
void note_memory(struct workload *w);
void write_notes(struct workload *w);
void write_summary(struct workload *w);

/* CPU time of this process and of the children it has waited for, in nanoseconds. */
uint64_t cpu_ns(void);

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* The measured time begins: set-up is before it, and inside it nothing is called but what is noted. */
static inline void begin(struct workload *w)
{
	note_memory(w);
	w->cpu_ns = cpu_ns();
	w->window_ns[0] = clock_ns(CLOCK_MONOTONIC);
	w->page[READY] = 1;
}

/* The measured time ends, also where the run ends early: handlers that still run find nothing to do. */
static inline void end(struct workload *w)
{
	w->done = true;
	if (!w->window_ns[0] || w->window_ns[1])
		return;
	w->window_ns[1] = clock_ns(CLOCK_MONOTONIC);
	w->cpu_ns = cpu_ns() - w->cpu_ns;
}

/* transport.c: opens the receiver's ends and tells their numbers; fills in fds, once the sender has connected. */
void open_ends(struct workload *w);
void connect_ends(struct workload *w);

/* recvfrom(2), or read(2) from a pipe, counted: the bytes it brought, 0 at the end, or -1 where there is nothing
 * (EAGAIN). */
static inline ssize_t receive(struct workload *w, int fd)
{
	ssize_t size;

	w->calls->count++;
	size = w->proto == PIPE ? read(fd, w->buffer, w->room) : recv(fd, w->buffer, w->room, 0);
	if (size < 0 && errno == EAGAIN)
		w->again->count++;
	else if (size < 0)
		failed(w, w->calls->call);
	return size;
}

/* Notes a receive of `size` bytes from `fd`; 0 is its end: of a stream, or said by the sender after all datagrams. */
static inline void note(struct workload *w, int fd, ssize_t size)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	if (size == 0 && !w->ended[fd]) {
		w->ended[fd] = true;
		w->done = ++w->ends == w->sockets;
	}
	if (size <= 0)
		return;
	if (w->receives == w->most_receives)
		more_receives(w);
	w->receive_ns[w->receives++] = now_ns;
	w->bytes += size;
	w->messages = w->proto == TCP || w->proto == PIPE ? w->bytes / w->size : w->receives;
	w->done = w->messages >= w->messages_to_come;
}

/* Whether datagrams may be dropped: then the sender says of every socket that no more will come. */
static inline bool may_lose(const struct workload *w)
{
	return w->open_loop && w->proto == UDP;
}

/* Notes one of the rounds that a twin to which nothing is sent counts in the place of messages. */
static inline void turned(struct workload *w)
{
	w->done = ++w->messages >= w->messages_to_come;
}

/* Tells the sender which messages are finished with, and that `ahead` more may be on their way: a store to shared
 * memory, not a call. */
static inline void publish_ahead(struct workload *w, uint64_t ahead)
{
	w->page[RECEIVED] = w->messages + ahead;
}

static inline void publish(struct workload *w)
{
	publish_ahead(w, 0);
}

/* Computes until `count` messages have been sent, or all that are to come: they are in the socket then. */
static inline void await_sent(struct workload *w, uint64_t count)
{
	volatile unsigned value = 1;

	while (w->page[SENT] < count && w->page[SENT] < w->messages_to_come)
		value = value * 1103515245 + 12345; /* the program's own work */
}

/* Notes a receive from `fd` that has just returned `size` bytes, and lets the sender go on. */
static inline void received(struct workload *w, int fd, ssize_t size)
{
	note(w, fd, size);
	publish(w);
}
