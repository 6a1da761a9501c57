/* Several processes on one listening socket, each with an epoll(7) set of its own: who is woken, and who gets it. */
#pragma once
#include "children.h"
#include "turns.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define WORKERS 4

/* What one process counts, in memory that all share. */
static struct worker {
	_Alignas(64) volatile uint64_t waits, accepts, nothing, receives, bytes;
	turn ready;
	pid_t pid;
} *workers;

static uint32_t events; /* with which the listening socket is registered: EPOLLIN and what changes who is woken */
static int enough;      /* an eventfd(2) that tells all of the end */

static void watch(struct workload *w, int epoll, int fd, uint32_t its_events)
{
	struct epoll_event event = {.events = its_events, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		failed(w, "epoll_ctl");
}

/* Accepts a connection, if no other process was quicker, and receives its message. */
static void accept_one(struct workload *w, struct worker *me)
{
	ssize_t size;

	me->accepts++;
	int connection = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0 && errno == EAGAIN) {
		me->nothing++;
		return;
	}
	if (connection < 0 || (size = recv(connection, w->buffer, w->room, 0)) < 0)
		_exit(1);
	me->bytes += size;
	me->receives++;
	close(connection);
}

/* One process: wait, accept, receive, until all messages have come to one or another. */
static void work(struct workload *w, void *its)
{
	struct worker *me = its;
	int epoll = epoll_create1(0);
	uint64_t received = 0;

	watch(w, epoll, w->fd, events);
	watch(w, epoll, enough, EPOLLIN);
	me->ready = 1;
	while (received < w->messages_to_come) {
		struct epoll_event told[2];

		me->waits++;
		int count = epoll_wait(epoll, told, 2, -1);
		for (int i = 0; i < count; i++)
			if (told[i].data.fd == enough)
				return;
		accept_one(w, me);
		received = 0;
		for (int i = 0; i < WORKERS; i++)
			received += workers[i].receives;
		w->page[RECEIVED] = received;
	}
	eventfd_write(enough, 1);
}

/* What all of them did, at the end. */
static void add_up(struct workload *w)
{
	eventfd_write(enough, 1);
	for (struct worker *its = workers; its < workers + WORKERS; its++) {
		waitpid(its->pid, NULL, 0);
		counter(w, "epoll_wait", "", "")->count += its->waits;
		counter(w, "accept4", "", "")->count += its->accepts;
		counter(w, "accept4", "EAGAIN", "")->count += its->nothing;
		w->calls->count += its->receives;
		w->messages += its->receives;
		w->bytes += its->bytes;
	}
}

/* Lets WORKERS processes accept and receive the messages, each message on a connection of its own. */
static void serve(struct workload *w)
{
	int seconds = 1;

	fcntl(w->fd, F_SETFL, O_NONBLOCK);
	/* told of a connection when its data is there */
	setsockopt(w->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
	workers = share(w, WORKERS * sizeof(*workers));
	enough = eventfd(0, EFD_CLOEXEC);
	for (int i = 0; i < WORKERS; i++)
		workers[i].pid = start_child(w, work, &workers[i]);
	w->settle = add_up;
	for (int i = 0; i < WORKERS; i++)
		await_turn(&workers[i].ready, 1);
	begin(w);
	for (int i = 0; i < WORKERS; i++)
		join_child(w, workers[i].pid);
	end(w);
}

/* A twin in which the listening socket is registered with `its_events`. */
static int run_herd(int argc, char **argv, const char *name, uint32_t its_events)
{
	events = its_events;
	the_workload.each = true;
	return run_over(argc, argv, name, serve, OVER(TCP));
}
