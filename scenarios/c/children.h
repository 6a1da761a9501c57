/* Processes that a twin starts beside its own: fork(2), an end with their parent's (prctl(2)), waitpid(2). */
#pragma once
#include "workload.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* A process that does `work` and ends, with this one at the latest; its ID. Ctrl-C ends it. */
static inline pid_t start_child(struct workload *w, void (*work)(struct workload *w, void *its), void *its)
{
	pid_t parent = getpid(), child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		failed(w, "fork");
	if (child)
		return child;
	signal(SIGCHLD, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		work(w, its);
	_exit(0);
}

/* Waits for the end of a child; the run fails if that did. */
static inline void join_child(struct workload *w, pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) == child && status) {
		errno = ECHILD;
		failed(w, "a process of the scenario");
	}
}
