/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Scheduling: switches and wakings of traced threads. */
/* The names of who had or gets a traced thread's CPU: told once, and again where a name has changed, or where another
 * thread has taken this place in the table. */
#define NEIGHBOURS 4096
BPF_ARRAY(neighbours, u64, NEIGHBOURS);

static __always_inline void neighbour(u32 tid, u64 task, u32 other)
{
	u32 place = other & (NEIGHBOURS - 1);
	u64 comm[2] = {}, *told = neighbours.lookup(&place);

	if (!other || !told || kernel_bytes(comm, sizeof(comm), (void *)(task + O_TASK_COMM)))
		return;
	u64 digest = (comm[0] * 0x9E3779B97F4A7C15ULL ^ comm[1]) * 0x9E3779B97F4A7C15ULL;

	digest = (digest >> 32) << 32 | other;
	if (*told == digest)
		return;
	*told = digest;
	batch_record(bpf_ktime_get_ns(), KIND_NEIGHBOUR, tid, bpf_get_smp_processor_id(), comm[0], comm[1], other,
		     read4(task + O_TASK_TGID), false);
}

/* args: preempt, prev, next[, prev_state]; current is prev. */
RAW_TRACEPOINT_PROBE(sched_switch)
{
	u32 cpu = bpf_get_smp_processor_id();
	u32 out = bpf_get_current_pid_tgid(), in = read4(ctx->args[2] + O_TASK_PID);

	if (find(out)) {
#ifdef HAVE_PREV_STATE
		u32 state = ctx->args[3];
#else
		u32 state = read4(ctx->args[1] + O_TASK_STATE);
#endif
		neighbour(out, ctx->args[2], in);
		batch_record(bpf_ktime_get_ns(), KIND_SWITCH_OUT, out, cpu, SWITCH_SAYS_NEXT, in, (u8)ctx->args[0],
			     state, true);
	}
	if (find(in)) {
		neighbour(in, ctx->args[1], out);
		batch_record(bpf_ktime_get_ns(), KIND_SWITCH_IN, in, cpu, 0, 0, out, 0, false);
	}
	return 0;
}

RAW_TRACEPOINT_PROBE(sched_waking)
{
	u32 tid = read4(ctx->args[0] + O_TASK_PID), waker = bpf_get_current_pid_tgid();

	if (!find(tid))
		return 0;
	emit(KIND_WAKING, tid, bpf_get_smp_processor_id(), 0, 0, waker, 0);
	name_waker(waker);
	return 0;
}
