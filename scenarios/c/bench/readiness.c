/* What readiness.h measures, by select(2), poll(2) and epoll(7). */
#include "../readiness.h"

int main(int argc, char **argv)
{
	return bench_readiness(argc, argv, plain_ways, sizeof(plain_ways) / sizeof(*plain_ways), "");
}
