/* More aio_read(3)s outstanding than glibc has helper threads for (20, aio_init(3)), each on a descriptor of its own.
 *
 * A getppid(2) after each marks in a trace where it has returned: a C library's function has no exit there.
 */
#include "../posix_aio.h"

#define READS 25
#define FIRST 5 /* that are served before the last one, to which a message is sent before all others */
#define BYTES 64

static int to_itself(struct workload *w)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) ||
	    getsockname(fd, (struct sockaddr *)&address, &length) || connect(fd, (struct sockaddr *)&address, length))
		failed(w, "socket");
	return fd;
}

struct outstanding {
	struct asks each[READS];
	struct count *marks, *sends, *suspends;
};

static void send_to(struct workload *w, struct outstanding *its, int index)
{
	its->sends->count++;
	if (send(its->each[index].request.aio_fildes, "here", 4, 0) < 0)
		failed(w, "sendto");
}

static void await(struct workload *w, struct outstanding *its, int index)
{
	const struct aiocb *requests[] = {&its->each[index].request};

	its->suspends->count++;
	if (aio_suspend(requests, 1, NULL))
		failed(w, "aio_suspend");
	w->bytes += answer(w, &its->each[index]);
}

/* A round: all are asked for; the last one's message is sent, and then the first ones', each of which is waited for. */
static void outstanding(struct workload *w)
{
	static char buffers[READS][BYTES];
	static struct outstanding its;

	its.marks = counter(w, "getppid", "", "");
	its.sends = counter(w, "sendto", "", "");
	its.suspends = counter(w, "aio_suspend", "", "");
	for (int i = 0; i < READS; i++) {
		w->fd = to_itself(w);
		prepare_asks(w, &its.each[i], (struct sigevent){.sigev_notify = SIGEV_NONE});
		its.each[i].request.aio_buf = buffers[i];
		its.each[i].request.aio_nbytes = BYTES;
	}
	begin(w);
	while (!w->done) {
		for (int i = 0; i < READS; i++) {
			ask(w, &its.each[i]);
			its.marks->count++;
			getppid();
		}
		send_to(w, &its, READS - 1);
		for (int i = 0; i < FIRST; i++) {
			send_to(w, &its, i);
			await(w, &its, i);
		}
		await(w, &its, READS - 1);
		for (int i = FIRST; i < READS - 1; i++) {
			send_to(w, &its, i);
			await(w, &its, i);
		}
		turned(w);
	}
	end(w);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "trials.outstanding", outstanding, OVER(NONE));
}
