/* The receiver's ends of UDP, TCP, unix datagram sockets or pipes, as scenarios/kit/transport.py makes them, or a file
 * in their place (scenarios/kit/blockfile.py): each has a number by which the sender finds it: a port, the hexadecimal
 * name of an autobound unix socket, the descriptor of a pipe's writing end, or the file's.
 */
#include "workload.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#define SPARE_DESCRIPTORS 24 /* room for what a program has open besides its ends */
#define EACH_BACKLOG 128     /* connections that wait to be accepted */

static void make_room(struct workload *w)
{
	struct rlimit limit;
	rlim_t needed = w->sockets * (w->proto == PIPE ? 2 : 1) + SPARE_DESCRIPTORS;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = needed;
	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		fprintf(stderr, "%s: %zu sockets are more than this process may have open (ulimit -H -n)\n", w->name,
			w->sockets);
		exit(3);
	}
}

/* A bound socket, which listens if it is TCP's; its number into `number`. */
static int bound(struct workload *w, uint64_t *number)
{
	struct sockaddr_in internet = {.sin_family = AF_INET, .sin_addr = w->address};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	bool is_local = w->proto == UNIX;
	struct sockaddr *address = is_local ? (struct sockaddr *)&local : (struct sockaddr *)&internet;
	/* no more than the family: the kernel chooses a name of five hexadecimal digits after a zero byte (unix(7)) */
	socklen_t length = is_local ? sizeof(local.sun_family) : sizeof(internet);
	int fd = socket(address->sa_family, w->proto == TCP ? SOCK_STREAM : SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, address, length) || (w->proto == TCP && listen(fd, w->each ? EACH_BACKLOG : w->sockets)))
		failed(w, "bind");
	length = is_local ? sizeof(local) : sizeof(internet);
	getsockname(fd, address, &length);
	*number = ntohs(internet.sin_port);
	if (is_local) {
		local.sun_path[length - offsetof(struct sockaddr_un, sun_path)] = 0;
		*number = strtoul(local.sun_path + 1, NULL, 16) + 1;
	}
	return fd;
}

/* A pipe whose writing end, the number, lies above, so that reading ends have the low descriptors that select needs. */
static int reading_end(struct workload *w, uint64_t *number)
{
	int both[2];

	if (pipe(both))
		failed(w, "pipe");
	int writer = fcntl(both[1], F_DUPFD_CLOEXEC, w->sockets + SPARE_DESCRIPTORS);
	if (writer < 0)
		failed(w, "fcntl");
	close(both[1]);
	*number = writer;
	return both[0];
}

/* A file without a name that is read past the page cache; its descriptor is the number. */
static int direct_file(struct workload *w, uint64_t *number)
{
	/* on a disk, where /tmp may be memory */
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_DIRECT, 0600);

	if (fd < 0)
		unsupported(w, "no file can be read with O_DIRECT in /var/tmp");
	*number = fd;
	return fd;
}

void open_ends(struct workload *w)
{
	uint64_t *numbers;

	if (w->proto == NONE)
		return;
	make_room(w);
	numbers = calloc(w->sockets, sizeof(*numbers));
	w->fds = calloc(w->sockets, sizeof(*w->fds));
	if (!w->fds || !numbers)
		failed(w, "calloc");
	for (size_t i = 0; i < w->sockets; i++) {
		if (w->proto == PIPE) {
			w->fds[i] = reading_end(w, &numbers[i]);
		} else if (w->proto == DISK) {
			w->fds[i] = direct_file(w, &numbers[i]);
		} else if (w->proto != TCP || i == 0) {
			w->fds[i] = bound(w, &numbers[i]);
		} else { /* all connect to the one that listens */
			w->fds[i] = w->fds[0];
			numbers[i] = numbers[0];
		}
	}
	w->page[PID] = getpid();
	w->page[EACH] = w->each;
	for (size_t i = 0; i < w->sockets; i++)
		w->page[ENDS + i] = numbers[i];
	w->page[PORT] = numbers[0];
	free(numbers);
}

void connect_ends(struct workload *w)
{
	bool accepts = w->proto == TCP && !w->each;

	if (w->proto == NONE)
		return;
	int listener = w->fds[0];
	for (size_t i = 0; i < w->sockets; i++) {
		if (accepts && (w->fds[i] = accept(listener, NULL, NULL)) < 0)
			failed(w, "accept");
		if (w->fds[i] > w->highest)
			w->highest = w->fds[i];
	}
	if (accepts)
		close(listener);
	w->fd = w->fds[0];
	w->ended = calloc(w->highest + 1, sizeof(*w->ended));
	if (!w->ended)
		failed(w, "calloc");
}
