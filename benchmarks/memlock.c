/* Preloaded into bpftrace: says that RLIMIT_MEMLOCK was raised. Since Linux 5.11 BPF memory does not count against it,
 * but bpftrace before 0.21 gives up where it may not raise it (no CAP_SYS_RESOURCE). */
#include <sys/resource.h>

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	(void)resource;
	(void)limit;
	return 0;
}
