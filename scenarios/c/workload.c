/* What a C twin need not know: options, shared page (memfd_create, mmap), sender, and the notes as JSON. */
#include "workload.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STREAM_BUFFER 65536 /* bytes: room for many messages that a stream has merged */

/* How a run ends early: what siglongjmp brings back to `run`. */
enum { FAILED = 1, SENDER_DIED, UNSUPPORTED, INTERRUPTED = 130 };

static const char *const PROTOCOLS[] = {[UDP] = "udp", [TCP] = "tcp", [UNIX] = "unix", [PIPE] = "pipe",
					[DISK] = "file"};
static const char *const TASKRUNS[] = {[INTERRUPTS] = "default", [COOP] = "coop", [DEFER] = "defer"};

struct workload the_workload;

static void on_interrupt(int number)
{
	(void)number;
	siglongjmp(the_workload.early, INTERRUPTED);
}

static void on_sender_ended(int number)
{
	(void)number;
	siglongjmp(the_workload.early, SENDER_DIED);
}

void failed(struct workload *w, const char *call)
{
	if (errno == EINTR)
		return;
	fprintf(stderr, "%s: %s: %s\n", w->name, call, strerror(errno));
	siglongjmp(w->early, FAILED);
}

void unsupported(struct workload *w, const char *what, const char *why)
{
	snprintf(w->unsupported, sizeof(w->unsupported), "%s: %s", what, why);
	siglongjmp(w->early, UNSUPPORTED);
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

/* The place of `text` among `count` names; -1 if it is none of them. */
static int place_of(const char *text, const char *const *names, int count)
{
	while (count-- > 0 && strcmp(text, names[count]))
		;
	return count;
}

/* The options of scenarios/kit/options.py, with the same defaults. */
static void parse(struct workload *w, int argc, char **argv, const struct twin *twin)
{
	enum { MESSAGES, INTERVAL, SIZE, PROTO, OPEN_LOOP, SOCKETS, ADDRESS, TASKRUN, SHARED, NOTES, HELP };
	static const uint64_t most_size[] = {
		[UDP] = 65507, [TCP] = 1 << 20, [UNIX] = 131072, [PIPE] = 1 << 20, [DISK] = 1 << 20};
	static const struct option options[] = {
		[MESSAGES] = {"messages", required_argument},
		[INTERVAL] = {"interval-ns", required_argument},
		[SIZE] = {"size", required_argument},
		[PROTO] = {"proto", required_argument},
		[OPEN_LOOP] = {"open-loop", no_argument},
		[SOCKETS] = {"sockets", required_argument},
		[ADDRESS] = {"address", required_argument},
		[TASKRUN] = {"taskrun", required_argument},
		[SHARED] = {"shared-fd", required_argument},
		[NOTES] = {"notes-fd", required_argument},
		[HELP] = {"help", no_argument},
		{0},
	};
	int which = 0, got, place;

	w->messages_to_come = 20;
	w->interval_ns = 10000000;
	w->size = 64;
	w->sockets = twin->sockets;
	w->proto = twin->file ? DISK : UDP;
	w->address.s_addr = htonl(INADDR_LOOPBACK);
	w->shared_fd = w->notes_fd = -1;
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
			w->sockets = whole(w->name, option, optarg, 1, twin->most);
		else if (which == ADDRESS && inet_aton(optarg, &w->address))
			continue;
		else if (which == PROTO && (place = place_of(optarg, PROTOCOLS, DISK + 1)) >= 0 &&
			 (place == DISK) == twin->file)
			w->proto = place;
		else if (which == TASKRUN && twin->taskrun && (place = place_of(optarg, TASKRUNS, DEFER + 1)) >= 0)
			w->taskrun = place;
		else
			break;
	}
	if (got != -1 || optind < argc) {
		fprintf(stderr,
			"usage: %s [--messages N] [--interval-ns NS] [--size BYTES] [--proto %s] [--open-loop] "
			"[--sockets N] [--address IP]%s [--shared-fd FD] [--notes-fd FD]\n",
			w->name, twin->file ? "file" : "udp|tcp|unix|pipe",
			twin->taskrun ? " [--taskrun default|coop|defer]" : "");
		exit(got == 0 && which == HELP ? 0 : 2);
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
	signal(SIGCHLD, on_sender_ended);
	w->sender = fork();
	if (w->sender < 0)
		failed(w, "fork");
	if (w->sender)
		return;
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
	if (by_hand)
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

void note_memory(struct workload *w)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");

	if (!status)
		failed(w, "/proc/self/status");
	while (fgets(line, sizeof(line), status)) {
		if (sscanf(line, "RssAnon: %" SCNu64, &w->anonymous_bytes) == 1)
			w->anonymous_bytes *= 1024;
		sscanf(line, "Threads: %" SCNu64, &w->threads);
	}
	fclose(status);
}

static uint64_t dropped(struct workload *w)
{
	uint64_t sent = w->page[SENT]; /* the last send may be received before its sender has counted it */

	return w->proto != UDP || sent < w->messages ? 0 : sent - w->messages;
}

/* ,"KEY": {"name": count, …} with the counts of which `name` gives a name. */
static void write_counts(FILE *out, struct workload *w, const char *key, const char *call,
			 const char *(*name)(const struct count *, const char *call))
{
	const char *comma = "";

	fprintf(out, "\"%s\": {", key);
	for (struct count *its = w->counts; its < w->counts + MOST_COUNTS && its->call; its++) {
		if (!its->count || !name(its, call))
			continue;
		fprintf(out, "%s\"%s\": %" PRIu64, comma, name(its, call), its->count);
		comma = ", ";
	}
	fprintf(out, "}");
}

static const char *name_of_call(const struct count *its, const char *call)
{
	(void)call;
	return *its->error || *its->signal ? NULL : its->call;
}

static const char *name_of_error(const struct count *its, const char *call)
{
	return *its->error && !strcmp(its->call, call) ? its->error : NULL;
}

static const char *name_of_signal(const struct count *its, const char *call)
{
	(void)call;
	return *its->signal ? its->signal : NULL;
}

/* The notes as scenarios/kit/notes.py writes them; times in nanoseconds of CLOCK_MONOTONIC. */
static void write_notes(struct workload *w)
{
	FILE *out = fdopen(w->notes_fd, "w");
	const char *comma = "";

	if (!out)
		return;
	fprintf(out, "{\"messages\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"dropped\": %" PRIu64 ", ", w->messages,
		w->bytes, dropped(w));
	write_counts(out, w, "calls", "", name_of_call);
	fprintf(out, ", \"errors\": {");
	for (struct count *its = w->counts; its < w->counts + MOST_COUNTS && its->call; its++) {
		if (!*its->error || !its->count) /* no call fails in two ways here, so each is its object's only one */
			continue;
		fprintf(out, "%s", comma);
		write_counts(out, w, its->call, its->call, name_of_error);
		comma = ", ";
	}
	fprintf(out, "}, ");
	write_counts(out, w, "signals", "", name_of_signal);
	fprintf(out, ", \"receive_ns\": [");
	for (size_t i = 0; i < w->receives; i++)
		fprintf(out, "%s%" PRIu64, i ? ", " : "", w->receive_ns[i]);
	fprintf(out, "], \"window_ns\": [%" PRIu64 ", %" PRIu64 "], \"cpu_ns\": %" PRIu64 ", ", w->window_ns[0],
		w->window_ns[1], w->cpu_ns);
	fprintf(out, "\"anonymous_bytes\": %" PRIu64 ", \"threads\": %" PRIu64 ", \"pid\": %d, \"tid\": %d}",
		w->anonymous_bytes, w->threads, getpid(), gettid());
	fclose(out);
}

/* The notes as a few lines for who ran the twin by hand. */
static void write_summary(struct workload *w)
{
	printf("%s over ", w->name);
	if (w->sockets > 1)
		printf("%zu × ", w->sockets);
	printf("%s: %" PRIu64 " messages, %" PRIu64 " bytes, %" PRIu64 " dropped, in %.1f ms\n", PROTOCOLS[w->proto],
	       w->messages, w->bytes, dropped(w), (w->window_ns[1] - w->window_ns[0]) / 1e6);
	printf("  CPU      %.1f ms\n", w->cpu_ns / 1e6);
	if (w->threads > 1)
		printf("  memory   %.1f MiB, %" PRIu64 " threads\n", w->anonymous_bytes / 1048576.0, w->threads);
	for (struct count *its = w->counts; its < w->counts + MOST_COUNTS && its->call; its++) {
		if (!its->count)
			continue;
		if (*its->signal)
			printf("  signal   %s: %" PRIu64 "\n", its->signal, its->count);
		else if (*its->error)
			printf("  error    %s: %" PRIu64 " × %s\n", its->call, its->count, its->error);
		else
			printf("  call     %s: %" PRIu64 "\n", its->call, its->count);
	}
}

int run(int argc, char **argv, const char *name, void (*scenario)(struct workload *))
{
	return run_many(argc, argv, name, scenario, 1, 1);
}

int run_many(int argc, char **argv, const char *name, void (*scenario)(struct workload *), size_t sockets, size_t most)
{
	return run_twin(argc, argv, &(struct twin){name, scenario, sockets, most});
}

/* The notes, or a few lines; of a machine that lacks something, what. */
static void tell(struct workload *w, int status)
{
	if (status == UNSUPPORTED && w->notes_fd >= 0)
		dprintf(w->notes_fd, "{\"unsupported\": \"%s\"}", w->unsupported);
	else if (status == UNSUPPORTED)
		fprintf(stderr, "%s: %s\n", w->name, w->unsupported);
	else if (w->notes_fd >= 0)
		write_notes(w);
	else if (w->window_ns[0])
		write_summary(w);
}

int run_twin(int argc, char **argv, const struct twin *twin)
{
	struct workload *w = &the_workload;
	int status;

	w->name = twin->name;
	parse(w, argc, argv, twin);
	if (signal(SIGINT, on_interrupt) == SIG_IGN)
		signal(SIGINT, SIG_IGN); /* as a shell's background job */
	status = sigsetjmp(w->early, 1);
	if (!status)
		receive_all(w, argc, argv, twin->scenario);
	signal(SIGINT, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* from here on the sender may end */
	end(w);
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
	tell(w, status);
	return status;
}
