/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Scheduling: switches and wakings of traced threads. */
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
		batch_record(bpf_ktime_get_ns(), KIND_SWITCH_OUT, out, cpu, 0, 0, (u8)ctx->args[0], state, true);
	}
	if (find(in))
		batch_record(bpf_ktime_get_ns(), KIND_SWITCH_IN, in, cpu, 0, 0, out, 0, false);
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
