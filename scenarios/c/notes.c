/* What a twin has done: one JSON object for the tracer, a few lines for who runs it by hand, as scenarios/kit/notes.py
 * does for the Python programs.
 */
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
void write_notes(struct workload *w)
{
	FILE *out = fdopen(w->notes_fd, "w");
	const char *comma = "";

	if (!out)
		return;
	if (w->lacks) {
		fprintf(out, "{\"unsupported\": \"%s\"}", w->lacks);
		fclose(out);
		return;
	}
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
void write_summary(struct workload *w)
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
