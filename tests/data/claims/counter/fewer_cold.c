/* trials/watching_cold with 250 sockets at the most: no counter-example, but a recording a quarter as long. */
#define WATCHED 4, 250
#include "../../../../scenarios/c/watching.h"

static void fewer_cold(struct workload *w)
{
	watch(w, true, 1);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "fewer_cold", fewer_cold, OVER(NONE));
}
