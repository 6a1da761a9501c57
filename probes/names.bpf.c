/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Names of threads: those that traced threads give themselves or get, and those of threads that wake them. */
#ifdef HAVE_TASK_RENAME
/* args: task, comm: prctl(PR_SET_NAME), a write to /proc/PID/comm, execve */
RAW_TRACEPOINT_PROBE(task_rename)
{
	u32 tid = read4(ctx->args[0] + O_TASK_PID);
	u64 comm[2] = {};

	if (!find(tid))
		return 0;
	bpf_probe_read_kernel_str(comm, sizeof(comm), (void *)ctx->args[1]);
	emit(KIND_NAME, tid, bpf_get_smp_processor_id(), comm[0], comm[1], -1, read4(ctx->args[0] + O_TASK_TGID));
	return 0;
}
#endif

/* current wakes a traced thread, or was interrupted by what does. It may have ended before anybody can look for its
 * name in /proc, and in a PID namespace its number there is another's. So its name is told once: `wakers` has, at a
 * place that follows from its id, who was told of last. Two that have one place are told of again and again. */
static __always_inline void name_waker(u32 waker)
{
	u32 place = waker & (WAKERS - 1);
	u64 comm[2] = {}, *told = wakers.lookup(&place), seen;

	if (!told || !waker || find(waker))
		return;
	bpf_get_current_comm(comm, sizeof(comm));
	seen = (u64)waker << 32 | (u32)((comm[0] ^ comm[1]) * 0x9E3779B97F4A7C15ULL >> 32);
	if (*told == seen)
		return;
	*told = seen;
	emit(KIND_WAKER, waker, bpf_get_smp_processor_id(), comm[0], comm[1], -1, 0);
}
