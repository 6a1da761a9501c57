/* Connections that have a message all at once, again and again: what the trials crowd_*.c share (crowd.py in Python).
 *
 * A sender in a process of its own, on the same CPU, sends one message to each socket, and then naps until all of them
 * have been received. A receiver of the policy SCHED_BATCH (sched(7)) does not interrupt the sender when it is woken;
 * one of the default policy may.
 */
#pragma once
#include "children.h"
#include "turns.h"

#include <sched.h>

#define CONNECTIONS 50
#define NAP_NS 1000000

static struct crowd {
	int fds[CONNECTIONS];
	struct sockaddr_in addresses[CONNECTIONS];
	uint64_t left; /* messages that are still to come */
	/* Memory that the sender shares: how many messages each socket has brought, and that it may begin. Each has
	 * one writer. */
	turn *received, *begun;
} crowd;

static inline bool all_received(uint64_t each)
{
	for (int i = 0; i < CONNECTIONS; i++)
		if (crowd.received[i] < each)
			return false;
	return *crowd.begun;
}

static inline void send_to_all(struct workload *w, void *its)
{
	struct timespec nap = {.tv_nsec = NAP_NS};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)its;
	for (uint64_t number = 0; number < w->messages_to_come; number++) {
		while (!all_received(number))
			nanosleep(&nap, NULL);
		for (int i = 0; i < CONNECTIONS; i++)
			sendto(fd, "here", 4, 0, (struct sockaddr *)&crowd.addresses[i], sizeof(*crowd.addresses));
	}
}

/* The message that waits in a socket, noted. */
static inline void take(struct workload *w, int index)
{
	char buffer[64];

	if (recv(crowd.fds[index], buffer, sizeof(buffer), 0) < 0)
		failed(w, "recvfrom");
	crowd.received[index]++;
}

static inline void pin_to_last_cpu(struct workload *w)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		failed(w, "sched_getaffinity");
	CPU_ZERO(&one);
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && !CPU_COUNT(&one); cpu--)
		if (CPU_ISSET(cpu, &allowed))
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		failed(w, "sched_setaffinity");
}

/* As many messages on each socket as there are rounds. prepare: makes ready to receive them, as the policy has it by
 * then; serve: returns when all have been received. */
static inline void serve_crowd(struct workload *w, int policy, void (*prepare)(struct workload *w),
			       void (*serve)(struct workload *w))
{
	struct sched_param none = {0};
	socklen_t size = sizeof(*crowd.addresses);
	pid_t sender;

	crowd.received = share(w, (CONNECTIONS + 1) * sizeof(turn));
	crowd.begun = crowd.received + CONNECTIONS;
	crowd.left = CONNECTIONS * w->messages_to_come;
	for (int i = 0; i < CONNECTIONS; i++) {
		struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

		crowd.fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (crowd.fds[i] < 0 || bind(crowd.fds[i], (struct sockaddr *)&any, sizeof(any)) ||
		    getsockname(crowd.fds[i], (struct sockaddr *)&crowd.addresses[i], &size))
			failed(w, "socket");
	}
	pin_to_last_cpu(w);
	sender = start_child(w, send_to_all, NULL);
	if (sched_setscheduler(0, policy, &none))
		failed(w, "sched_setscheduler");
	prepare(w);
	begin(w);
	*crowd.begun = 1;
	serve(w);
	while (!w->done)
		turned(w);
	end(w);
	join_child(w, sender);
}
