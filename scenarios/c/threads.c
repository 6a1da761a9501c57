/* A thread for each connection (pthreads(7)), every one of them asleep in recvfrom(2); compare epoll-lt on as many. */
#include "workload.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#define MOST_SOCKETS 1000
#define SOCKETS 4

static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER; /* one thread finishes a message at a time */
static sem_t started, over;
static bool finished;

/* One thread. Its last call is that from which it does not return, so a call is noted when it has. */
static void *serve(void *its)
{
	struct workload *w = &the_workload;
	int fd = *(int *)its;
	char *buffer = malloc(w->room);
	ssize_t size;

	sem_post(&started);
	do {
		size = w->proto == PIPE ? read(fd, buffer, w->room) : recv(fd, buffer, w->room, 0);
		size = size < 0 ? 0 : size; /* its sender is gone */
		pthread_mutex_lock(&noting);
		if (!finished) {
			w->calls->count++;
			received(w, fd, size);
		}
		if (!finished && w->done && (size == 0 || !may_lose(w)))
			finished = !sem_post(&over);
		pthread_mutex_unlock(&noting);
	} while (size > 0);
	free(buffer);
	return NULL;
}

/* One call per message, as in blocking; the thread that started the others waits for the last message. */
static void threads(struct workload *w)
{
	sigset_t all, before;

	sem_init(&started, 0, 0);
	sem_init(&over, 0, 0);
	sigfillset(&all); /* signals are for the first thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < w->sockets; i++) {
		pthread_t thread;

		errno = pthread_create(&thread, NULL, serve, &w->fds[i]);
		if (errno)
			failed(w, "pthread_create");
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	for (size_t i = 0; i < w->sockets; i++)
		sem_wait(&started);
	begin(w);
	sem_wait(&over);
	end(w);
}

int main(int argc, char **argv)
{
	return run_many(argc, argv, "threads", threads, SOCKETS, MOST_SOCKETS);
}
