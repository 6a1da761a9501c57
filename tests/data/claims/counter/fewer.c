/* trials/watching with 250 sockets at the most: no counter-example, but a recording a quarter as long. */
#define WATCHED 4, 250
#include "../../../../scenarios/c/watching.h"

static void fewer(struct workload *w)
{
	watch(w, false, 1);
}

int main(int argc, char **argv)
{
	return run_over(argc, argv, "fewer", fewer, OVER(NONE));
}
