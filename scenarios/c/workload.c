/* What a C twin need not know: options, shared page (memfd_create, mmap), sender, and how a run ends. */
#include "workload.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STREAM_BUFFER 65536 /* bytes: room for many messages that a stream has merged */

/* How a run ends early: what siglongjmp brings back to `run`. */
enum { FAILED = 1, SENDER_DIED, UNSUPPORTED, INTERRUPTED = 130 };

const char *const PROTOCOLS[] = {[UDP] = "udp",   [TCP] = "tcp",   [UNIX] = "unix",
				 [PIPE] = "pipe", [DISK] = "file", [NONE] = "none"};
static const char *const TASKRUNS[] = {[INTERRUPTS] = "default", [COOP] = "coop", [DEFER] = "defer"};

struct workload the_workload;

static void on_interrupt(int number)
{
	(void)number;
	siglongjmp(the_workload.early, INTERRUPTED);
}

/* A twin may have children of its own; the sender never ends before FINISHED, unless killed. */
static void on_child_ended(int number)
{
	siginfo_t ended = {0};

	(void)number;
	if (!waitid(P_PID, the_workload.sender, &ended, WEXITED | WNOHANG | WNOWAIT) && ended.si_pid)
		siglongjmp(the_workload.early, SENDER_DIED);
}

void failed(struct workload *w, const char *call)
{
	if (errno == EINTR)
		return;
	fprintf(stderr, "%s: %s: %s\n", w->name, call, strerror(errno));
	siglongjmp(w->early, FAILED);
}

void unsupported(struct workload *w, const char *what)
{
	w->lacks = what;
	siglongjmp(w->early, UNSUPPORTED);
}

uint64_t cpu_ns(void)
{
	struct rusage children;

	getrusage(RUSAGE_CHILDREN, &children);
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) +
	       (children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1000000000ull +
	       (children.ru_utime.tv_usec + children.ru_stime.tv_usec) * 1000ull;
}

struct count *counter(struct workload *w, const char *call, const char *error, const char *signal)
{
	for (struct count *its = w->counts; its < w->counts + MOST_COUNTS; its++) {
		if (!its->call)
			*its = (struct count){call, error, signal, 0};
		if (!strcmp(its->call, call) && !strcmp(its->error, error) && !strcmp(its->signal, signal))
			return its;
	}
	abort();
}

static void *map(struct workload *w, size_t size, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE : MAP_SHARED;
	void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (found == MAP_FAILED)
		failed(w, "mmap");
	return found;
}

void more_receives(struct workload *w)
{
	size_t bytes = w->most_receives * sizeof(uint64_t);
	void *more = mremap(w->receive_ns, bytes, 2 * bytes, MREMAP_MAYMOVE);

	if (more == MAP_FAILED)
		failed(w, "mremap");
	w->receive_ns = more;
	w->most_receives *= 2;
}

static uint64_t whole(const char *name, const char *option, const char *text, uint64_t least, uint64_t most)
{
	char *rest;

	errno = 0;
	uint64_t value = strtoull(text, &rest, 10);
	if (errno || rest == text || *rest || strchr(text, '-') || value < least || value > most) {
		fprintf(stderr, "%s: --%s: '%s' is not a whole number from %" PRIu64 " to %" PRIu64 "\n", name, option,
			text, least, most);
		exit(2);
	}
	return value;
}

/* The protocol called `text`, if the twin runs over it. */
static enum proto protocol(const char *name, unsigned protocols, const char *text)
{
	for (enum proto proto = UDP; proto <= NONE; proto++)
		if (protocols & OVER(proto) && !strcmp(text, PROTOCOLS[proto]))
			return proto;
	fprintf(stderr, "%s runs over", name);
	for (enum proto proto = UDP; proto <= NONE; proto++)
		if (protocols & OVER(proto))
			fprintf(stderr, " %s,", PROTOCOLS[proto]);
	fprintf(stderr, " not over %s\n", text);
	exit(2);
}

/* What io_uring's twins take as --taskrun; false: no such word. */
static bool is_taskrun(struct workload *w, const char *text)
{
	for (w->taskrun = INTERRUPTS; w->taskrun <= DEFER; w->taskrun++)
		if (!strcmp(text, TASKRUNS[w->taskrun]))
			return true;
	return false;
}

/* The options of scenarios/kit/options.py, with the same defaults. */
static void parse(struct workload *w, int argc, char **argv, unsigned protocols, size_t sockets, size_t most_sockets)
{
	enum { MESSAGES, INTERVAL, SIZE, PROTO, OPEN_LOOP, SOCKETS, ADDRESS, TASKRUN, SHARED, NOTES, HELP };
	static const uint64_t most_size[] = {[UDP] = 65507,    [TCP] = 1 << 20,  [UNIX] = 131072,
					     [PIPE] = 1 << 20, [DISK] = 1 << 20, [NONE] = 1 << 20};
	static const struct option options[] = {
		[MESSAGES] = {.name = "messages", .has_arg = required_argument},
		[INTERVAL] = {.name = "interval-ns", .has_arg = required_argument},
		[SIZE] = {.name = "size", .has_arg = required_argument},
		[PROTO] = {.name = "proto", .has_arg = required_argument},
		[OPEN_LOOP] = {.name = "open-loop", .has_arg = no_argument},
		[SOCKETS] = {.name = "sockets", .has_arg = required_argument},
		[ADDRESS] = {.name = "address", .has_arg = required_argument},
		[TASKRUN] = {.name = "taskrun", .has_arg = required_argument},
		[SHARED] = {.name = "shared-fd", .has_arg = required_argument},
		[NOTES] = {.name = "notes-fd", .has_arg = required_argument},
		[HELP] = {.name = "help", .has_arg = no_argument},
		{0},
	};
	int which = 0, got;

	w->messages_to_come = 20;
	w->interval_ns = 10000000;
	w->size = 64;
	w->proto = __builtin_ctz(protocols);
	w->sockets = sockets;
	w->address.s_addr = htonl(INADDR_LOOPBACK);
	w->shared_fd = w->notes_fd = -1;
	opterr = 0;
	while ((got = getopt_long(argc, argv, "", options, &which)) == 0) {
		const char *option = options[which].name;

		if (which == MESSAGES)
			w->messages_to_come = whole(w->name, option, optarg, 1, 10000000);
		else if (which == INTERVAL)
			w->interval_ns = whole(w->name, option, optarg, 0, 10000000000000);
		else if (which == SIZE)
			w->size = whole(w->name, option, optarg, 1, 1 << 20);
		else if (which == SHARED)
			w->shared_fd = whole(w->name, option, optarg, 0, 1 << 30);
		else if (which == NOTES)
			w->notes_fd = whole(w->name, option, optarg, 0, 1 << 30);
		else if (which == OPEN_LOOP)
			w->open_loop = true;
		else if (which == SOCKETS)
			w->sockets = whole(w->name, option, optarg, 1, most_sockets);
		else if (which == ADDRESS && inet_aton(optarg, &w->address))
			continue;
		else if (which == PROTO)
			w->proto = protocol(w->name, protocols, optarg);
		else if (which == TASKRUN && w->takes_taskrun && is_taskrun(w, optarg))
			continue;
		else
			break;
	}
	if (got == 0 && which == HELP) {
		printf("usage: %s [--messages N] [--interval-ns NS] [--size BYTES] [--proto PROTOCOL] [--open-loop] "
		       "[--sockets N] [--address IP]%s [--shared-fd FD] [--notes-fd FD]\n",
		       w->name, w->takes_taskrun ? " [--taskrun default|coop|defer]" : "");
		exit(0);
	}
	if (got != -1 || optind < argc) {
		fprintf(stderr, "%s: '%s' is no option, or has no such value (--help names them)\n", w->name,
			argv[got == -1 ? optind : optind - 1]);
		exit(2);
	}
	if (w->size > most_size[w->proto]) {
		fprintf(stderr, "%s: a datagram (%s) holds at most %" PRIu64 " bytes\n", w->name, PROTOCOLS[w->proto],
			most_size[w->proto]);
		exit(2);
	}
}

/* Starts scenarios/kit/sender.py as a child, in a group of its own so that Ctrl-C reaches the receiver alone. */
static void start_sender(struct workload *w, int argc, char **argv)
{
	char sockets[24], shared[16], receiver[16];
	char *command[argc + 12];
	int count = 0;

	snprintf(sockets, sizeof(sockets), "%zu", w->sockets);
	snprintf(shared, sizeof(shared), "%d", w->shared_fd);
	snprintf(receiver, sizeof(receiver), "%d", getpid());
	command[count++] = "python3";
	command[count++] = "-m";
	command[count++] = "scenarios.kit.sender";
	for (int i = 1; i < argc; i++)
		command[count++] = argv[i];
	command[count++] = "--proto";
	command[count++] = (char *)PROTOCOLS[w->proto];
	command[count++] = "--sockets";
	command[count++] = sockets;
	command[count++] = "--shared-fd";
	command[count++] = shared;
	command[count++] = "--watch-pid";
	command[count++] = receiver;
	command[count] = NULL;
	signal(SIGCHLD, on_child_ended);
	w->sender = fork();
	if (w->sender < 0)
		failed(w, "fork");
	if (w->sender) {
		on_child_ended(SIGCHLD); /* it may have been too early */
		return;
	}
	signal(SIGCHLD, SIG_DFL);
	setpgid(0, 0);
	execvp(command[0], command);
	perror(command[0]);
	_exit(1);
}

/* Shared page, socket, sender, and then the twin's own loop. */
static void receive_all(struct workload *w, int argc, char **argv, void (*scenario)(struct workload *))
{
	bool by_hand = w->shared_fd < 0;
	struct stat page;

	if (by_hand) {
		w->shared_fd = memfd_create("iotrace-scenario", 0);
		if (w->shared_fd < 0 || ftruncate(w->shared_fd, getpagesize() + w->sockets * sizeof(uint64_t)))
			failed(w, "memfd_create");
	}
	if (fstat(w->shared_fd, &page))
		failed(w, "fstat");
	w->page = map(w, page.st_size, w->shared_fd);
	open_ends(w);
	if (by_hand && w->proto != NONE)
		start_sender(w, argc, argv);
	connect_ends(w);
	w->room = w->size > STREAM_BUFFER ? w->size : STREAM_BUFFER;
	w->buffer = map(w, w->room, -1);
	w->most_receives = w->messages_to_come;
	w->receive_ns = map(w, w->most_receives * sizeof(uint64_t), -1);
	const char *call = w->proto == PIPE ? "read" : "recvfrom";
	w->calls = counter(w, call, "", "");
	w->again = counter(w, call, "EAGAIN", "");
	scenario(w);
	end(w);
}

/* All of a twin but its options. */
static int run_parsed(struct workload *w, int argc, char **argv, void (*scenario)(struct workload *))
{
	int status;

	if (signal(SIGINT, on_interrupt) == SIG_IGN)
		signal(SIGINT, SIG_IGN); /* as a shell's background job */
	status = sigsetjmp(w->early, 1);
	if (!status)
		receive_all(w, argc, argv, scenario);
	signal(SIGINT, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* from here on the sender may end */
	end(w);
	if (w->settle)
		w->settle(w);
	if (status == SENDER_DIED || (!status && !may_lose(w) && w->messages < w->messages_to_come)) {
		fprintf(stderr, "%s: the sender ended early\n", w->name);
		status = FAILED;
	}
	if (w->page) {
		w->page[STOP] = status != 0;
		w->page[FINISHED] = 1; /* only now may the sender close its end */
	}
	if (w->sender > 0)
		waitpid(w->sender, NULL, 0);
	if (w->notes_fd >= 0)
		write_notes(w);
	else if (w->lacks)
		fprintf(stderr, "%s: %s\n", w->name, w->lacks);
	else if (w->window_ns[0])
		write_summary(w);
	return status;
}

int run(int argc, char **argv, const char *name, void (*scenario)(struct workload *))
{
	return run_many(argc, argv, name, scenario, 1, 1);
}

int run_over(int argc, char **argv, const char *name, void (*scenario)(struct workload *), unsigned protocols)
{
	struct workload *w = &the_workload;

	w->name = name;
	parse(w, argc, argv, protocols, 1, 1);
	return run_parsed(w, argc, argv, scenario);
}

int run_uring(int argc, char **argv, const char *name, void (*scenario)(struct workload *))
{
	the_workload.takes_taskrun = true;
	return run_over(argc, argv, name, scenario, OVER(UDP) | OVER(TCP));
}

int run_many(int argc, char **argv, const char *name, void (*scenario)(struct workload *), size_t sockets, size_t most)
{
	struct workload *w = &the_workload;

	w->name = name;
	parse(w, argc, argv, OVER(UDP) | OVER(TCP) | OVER(UNIX) | OVER(PIPE), sockets, most);
	return run_parsed(w, argc, argv, scenario);
}
