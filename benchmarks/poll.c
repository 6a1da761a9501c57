/* The hardest load for a tracer: recvfrom on an empty UDP socket, EAGAIN, again, as fast as the CPU goes.
 *
 *     poll SECONDS CPU [LIMIT]
 *
 * Runs on CPU and prints what load.h says. LIMIT ends it after so many calls. */
#include "load.h"
#include <sys/socket.h>

int main(int argc, char **argv)
{
	char byte;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || begin(argc, argv))
		return 1;
	while (more())
		for (int i = 0; i < CHUNK; i++)
			recvfrom(fd, &byte, 1, 0, 0, 0);
	return end();
}
