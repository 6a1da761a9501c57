/* What the twins of Linux native AIO share: a context for one request at a time, by libaio, and its calls, counted. */
#pragma once
#include "workload.h"

#include <libaio.h>
#include <string.h>

struct native_aio {
	io_context_t context;
	struct count *submits, *waits;
};

static inline void open_context(struct workload *w, struct native_aio *its)
{
	int error;

	*its = (struct native_aio){NULL, counter(w, "io_submit", "", ""), counter(w, "io_getevents", "", "")};
	error = -io_setup(1, &its->context);
	if (error == ENOSYS)
		unsupported(w, "io_setup: this kernel has no such AIO");
	if (error) {
		errno = error;
		failed(w, "io_setup");
	}
}

/* io_submit(2) of one request. */
static inline void submit(struct workload *w, struct native_aio *its, struct iocb *request)
{
	int result;

	its->submits->count++;
	result = io_submit(its->context, 1, &request);
	if (result == -EINVAL || result == -ENOSYS)
		unsupported(w, "io_submit: this kernel has no such AIO");
	if (result < 0) {
		errno = -result;
		failed(w, "io_submit");
	}
}

/* io_getevents(2): sleeps until the request is complete, and returns its result. */
static inline long completed(struct workload *w, struct native_aio *its)
{
	struct io_event event = {0};
	int result;

	do {
		its->waits->count++;
		result = io_getevents(its->context, 1, 1, &event, NULL);
	} while (result == -EINTR);
	errno = result < 0 ? -result : (long)event.res < 0 ? -(long)event.res : 0;
	if (errno)
		failed(w, "io_getevents");
	return event.res;
}
