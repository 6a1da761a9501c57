/* The stamping receivers' sender: when the receiver asks for a message it gets one, an interval later, with the time in
 * it.
 *
 *     paced CPU PAGE COUNT INTERVAL_NS */
#include "stamps.h"

static void nap(uint64_t ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};

	nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct message message = {0};
	struct page *page = argc == 5 ? start(argv[1], argv[2]) : NULL;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (!page || fd < 0)
		return 1;
	for (uint64_t i = 1; i <= strtoull(argv[3], NULL, 10); i++) {
		while (page->asking < i)
			nap(50000);
		to.sin_port = page->port;
		nap(strtoull(argv[4], NULL, 10));
		message.sent = now();
		if (sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			die("sendto");
	}
	return 0;
}
