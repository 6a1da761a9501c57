/* A program that nobody traces: getppid, the cheapest call, in a loop.
 *
 *     bystander SECONDS CPU [LIMIT]
 *
 * Runs on CPU and prints what load.h says. */
#include "load.h"
#include <sys/syscall.h>

int main(int argc, char **argv)
{
	if (begin(argc, argv))
		return 1;
	while (more())
		for (int i = 0; i < CHUNK; i++)
			syscall(SYS_getppid);
	return end();
}
