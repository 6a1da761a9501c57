/* Looks at descriptors that are never ready, with a time-out of 0, as fast as the CPU goes.
 *
 *     watch SECONDS CPU CALL COUNT CHANGES [LIMIT]
 *
 * CALL: poll, select or epoll_wait. COUNT: how many descriptors. CHANGES: 0, or 1 to watch for something else in every
 * call (of epoll_wait the time-out changes: at once, or 1 ns by epoll_pwait2). Prints what load.h says. */
#include "load.h"
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

#define MOST_WATCHED 512

int main(int argc, char **argv)
{
	struct pollfd fds[MOST_WATCHED];
	struct epoll_event event = {.events = EPOLLIN};
	int watched = argc > 5 ? atoi(argv[4]) : 0, changes = argc > 5 ? atoi(argv[5]) : 0;
	int epoll = epoll_create1(0), highest = 0;
	char *own[] = {argv[0], argv[1], argv[2], argc > 6 ? argv[6] : "0"};

	if (watched < 1 || watched > MOST_WATCHED)
		return 1;
	for (int i = 0; i < watched; i++) {
		highest = fds[i].fd = socket(AF_INET, SOCK_DGRAM, 0);
		fds[i].events = POLLIN;
		if (fds[i].fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i].fd, &event))
			return 1;
	}
	if (begin(4, own))
		return 1;
	while (more())
		for (int i = 0; i < CHUNK; i++) {
			int odd = changes & i;

			if (!strcmp(argv[3], "poll")) {
				fds[watched - 1].events = odd ? POLLIN | POLLPRI : POLLIN;
				poll(fds, watched, 0);
			} else if (!strcmp(argv[3], "select")) {
				struct timeval now = {0, 0};
				fd_set set;

				FD_ZERO(&set);
				for (int one = odd; one < watched; one++)
					FD_SET(fds[one].fd, &set);
				select(highest + 1, &set, 0, 0, &now);
			} else {
				struct timespec wait = {0, odd};

				if (changes)
					epoll_pwait2(epoll, &event, 1, &wait, 0);
				else
					epoll_wait(epoll, &event, 1, 0);
			}
		}
	return end();
}
