/* What the twins of POSIX aio share: the request, and the calls that stand for one: aio_read(3), and the helper
 * thread's pread64(2), which a socket refuses with ESPIPE, and read(2). */
#pragma once
#include "workload.h"

#include <aio.h>

struct asks {
	struct aiocb request;
	struct count *asked, *preads, *refused, *reads;
};

static inline void prepare_asks(struct workload *w, struct asks *its, struct sigevent told)
{
	*its = (struct asks){
		.request = {.aio_fildes = w->fd, .aio_buf = w->buffer, .aio_nbytes = w->room, .aio_sigevent = told},
		.asked = counter(w, "aio_read", "", ""),
		.preads = counter(w, "pread64", "", ""),
		.refused = counter(w, "pread64", "ESPIPE", ""),
		.reads = counter(w, "read", "", ""),
	};
}

/* aio_read(3), which asks. */
static inline void ask(struct workload *w, struct asks *its)
{
	its->asked->count++;
	its->preads->count++; /* the helper thread's */
	its->refused->count++;
	its->reads->count++;
	if (aio_read(&its->request))
		failed(w, "aio_read");
}

/* The result of a request that is complete; the run ends if it is an error. */
static inline ssize_t answer(struct workload *w, struct asks *its)
{
	errno = aio_error(&its->request);
	if (errno)
		failed(w, "aio_read");
	return aio_return(&its->request);
}
