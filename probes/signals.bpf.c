/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Signals: generated for a traced thread, and delivered to it. */
static __always_inline s32 signal_code(u64 info)
{
	return info > 2 ? read4(info + 8) : 0; /* 0 to 2 are SEND_SIG_NOINFO and the like */
}

/* args: sig, info, task, group, result */
RAW_TRACEPOINT_PROBE(signal_generate)
{
	u64 task = ctx->args[2];
	u32 tid = read4(task + O_TASK_PID);

	if (find(tid) || find(read4(task + O_TASK_TGID)))
		emit(KIND_SIGNAL_GENERATE, tid, bpf_get_smp_processor_id(), 0, (s32)ctx->args[4], ctx->args[0],
		     signal_code(ctx->args[1]));
	return 0;
}

/* args: sig, info, k_sigaction; sa_handler is its first field, SIG_DFL 0, SIG_IGN 1 */
RAW_TRACEPOINT_PROBE(signal_deliver)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (find(tid))
		emit(KIND_SIGNAL_DELIVER, tid, bpf_get_smp_processor_id(), read8(ctx->args[2]) > 1, 0, ctx->args[0],
		     signal_code(ctx->args[1]));
	return 0;
}
