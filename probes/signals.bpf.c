/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Signals: generated for a traced thread, and delivered to it. */
static __always_inline s32 signal_code(u64 info)
{
	return info > 2 ? read4(info + 8) : 0; /* 0 to 2 are SEND_SIG_NOINFO and the like */
}

/* si_fd of a signal that F_SETSIG or O_ASYNC sent; si_code tells (POLL_IN = 1 to POLL_HUP = 6). */
static __always_inline s64 signal_descriptor(u64 info)
{
	s32 code = signal_code(info);

	return code >= 1 && code <= 6 ? (s32)read4(info + 24) : 0;
}

#define SIGSYS 31
#define SYS_SECCOMP 1 /* si_code: a seccomp filter said SECCOMP_RET_TRAP, or KILL where the kernel dumps core */

/* args: sig, info, task, group, result */
RAW_TRACEPOINT_PROBE(signal_generate)
{
	u64 task = ctx->args[2];
	u32 tid = read4(task + O_TASK_PID);
	struct slot *slot = find(tid);

	if (slot && ctx->args[0] == SIGSYS && signal_code(ctx->args[1]) == SYS_SECCOMP)
		slot->flags |= SLOT_TRAPPED;
	if (slot || find(read4(task + O_TASK_TGID)))
		emit(KIND_SIGNAL_GENERATE, tid, bpf_get_smp_processor_id(), signal_descriptor(ctx->args[1]),
		     (s32)ctx->args[4], ctx->args[0], signal_code(ctx->args[1]));
	return 0;
}

/* args: sig, info, k_sigaction; sa_handler is its first field, SIG_DFL 0, SIG_IGN 1 */
RAW_TRACEPOINT_PROBE(signal_deliver)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (find(tid))
		emit(KIND_SIGNAL_DELIVER, tid, bpf_get_smp_processor_id(), read8(ctx->args[2]) > 1,
		     signal_descriptor(ctx->args[1]), ctx->args[0], signal_code(ctx->args[1]));
	return 0;
}
