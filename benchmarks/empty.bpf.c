/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * What every tracer of all system calls must pay: the two raw tracepoints with programs that do nothing. */
#include <uapi/linux/ptrace.h>

int nothing_enter(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

int nothing_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}
