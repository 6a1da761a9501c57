/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Lives of threads: created, executing another program, ended. */
#define CLONE_FILES 0x400

/* args: task, clone_flags; current is the creator */
RAW_TRACEPOINT_PROBE(task_newtask)
{
	u32 parent = bpf_get_current_pid_tgid();
	struct slot *slot = find(parent);
	u32 zero = 0;

	if (!slot)
		return 0;
	u64 *only = no_follow.lookup(&zero);
	if (only && *only)
		return 0;
	u32 compat = slot->compat, life = slot->life;
	u32 tid = read4(ctx->args[0] + O_TASK_PID), tgid = read4(ctx->args[0] + O_TASK_TGID);

	if (find(tid)) /* this program was here already (HAVE_PREEMPTION) */
		return 0;
	slot = track(regs_of(ctx->args[0], slot->regs), tid, tgid, 0, SLOT_ARRIVED);
	if (slot) {
		slot->compat = compat;
		if (!(ctx->args[1] & CLONE_FILES))
			life = tid * 0x9E3779B1 ^ (u32)(bpf_ktime_get_ns() >> 10);
		slot->life = life;
		emit(KIND_THREAD, tid, bpf_get_smp_processor_id(), ctx->args[1], tgid, parent,
		     read4(ctx->args[0] + O_TASK_FLAGS));
	}
	return 0;
}

RAW_TRACEPOINT_PROBE(sched_process_exit)
{
	u64 both = bpf_get_current_pid_tgid();

	if (!find(both))
		return 0;
	name(both, both >> 32);
	emit(KIND_EXIT, both, bpf_get_smp_processor_id(), 0, both >> 32,
	     read4(bpf_get_current_task() + O_TASK_EXIT_CODE) & 0xffff, 0);
	untrack(both);
	return 0;
}

/* args: task, old pid, bprm. A thread that is not the leader takes the leader's id when it calls execve: the leader
 * has exited by then, and the thread's own id is gone without an exit (fs/exec.c, de_thread). */
RAW_TRACEPOINT_PROBE(sched_process_exec)
{
	u32 tid = bpf_get_current_pid_tgid(), old = ctx->args[1];
	struct thread *from = old == tid ? 0 : thread_of(old);
	struct slot *slot = find(old);

	if (!from || !slot)
		return 0;
	emit(KIND_EXIT, old, bpf_get_smp_processor_id(), slot->enter, tid, -1, GOES_ON);
	slot->tid = tid;
	slot->watched = 0;
	from->tid = 0;
	name_slot(tid, from->slot);
	return 0;
}
