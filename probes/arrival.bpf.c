/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * How a thread comes to be traced: it announces itself at the gate, or iotrace adopts it while it runs. Either is a
 * prctl that no kernel knows (it fails with EINVAL and does nothing) with the run's secret. The secret lets in one
 * target, and what only iotrace may ask for is taken from its own process alone. */
#define TASK_WAKING 0x200 /* include/linux/sched.h: woken, and on its way to a CPU's queue */

/* A directory of /proc/PID/task names its thread whatever PID namespace either side is in: file -> inode, which lies
 * in a struct proc_inode -> struct pid -> the id in the initial namespace, and the task. */
static __always_inline u64 named_by(u64 file, u32 *tid)
{
	u64 pid = read8(read8(file + O_FILE_INODE) - O_PROC_INODE + O_PROC_PID);
	u64 link = read8(pid + O_PID_TASKS); /* tasks[PIDTYPE_PID].first, 0 once the thread is gone */

	*tid = read4(pid + O_PID_NUMBERS);
	return pid && link ? link - O_TASK_PID_LINKS : 0;
}

static __always_inline u64 file_of(u64 fdt, u32 fd)
{
	return fd < read4(fdt + O_FDTABLE_MAX) ? read8(read8(fdt + O_FDTABLE_FD) + 8 * (u64)fd) : 0;
}

/* A thread that runs is not stopped to be looked at. If its next event is a call's exit it was inside that call, which
 * then counts from now on; if it is an entry, or none, it was not, or is in it still. What it does from the moment
 * when the slot can be found is seen; so whether it has a CPU is looked at after that, and told as of before. */
static __always_inline void adopt(u64 task, u64 regs, u32 tid, u32 tgid, u32 seen_as)
{
	u64 now = bpf_ktime_get_ns(), comm[2] = {};
	u32 cpu = bpf_get_smp_processor_id();
	struct slot *slot;

	if (!regs || find(tid))
		return;
	slot = track(regs, tid, tgid, now, SLOT_UNSEEN);
	if (!slot)
		return;
	slot->compat = (u32)read8(regs + REGS_CODE_SEGMENT) == CODE_SEGMENT_32;
	emit_at(now, KIND_START, tid, cpu, now, tgid, -1, seen_as);
	kernel_bytes(comm, sizeof(comm), (void *)(task + O_TASK_COMM));
	emit_at(now, KIND_NAME, tid, cpu, comm[0], comm[1], -1, tgid);
	emit_at(now, KIND_FILE, tid, 0, 0, 0, -1, hidden(read8(task + O_TASK_FILES)));
#ifdef O_TASK_ON_CPU
	if (!read4(task + O_TASK_ON_CPU)) {
		u32 state = read4(task + O_TASK_STATE) & ~TASK_WAKING;

		emit_at(now, KIND_SWITCH_OUT, tid, cpu, 0, 0, !state, state);
	}
#endif
}

/* Whether the calling process is the one that made itself known. Its ID alone would not do: when it has ended, another
 * process can get the same. */
static __always_inline bool is_owner(struct owner *owner, u32 tgid, u64 birth)
{
	return owner->birth && owner->birth == birth && owner->tgid == tgid;
}

TAIL(arrive)
{
	u64 both = bpf_get_current_pid_tgid(), regs = ctx->args[0];
	u32 tid = both, tgid = both >> 32;
	u32 zero = 0, from = 0;
	struct owner *owner = owners.lookup(&zero);
	u64 task, files, birth, args[8] = {}; /* of the prctl: its option is ARG0 */

	kernel_bytes(args, sizeof(args), (void *)(regs + REGS_ARGUMENTS));
	if (!owner || !owner->secret || args[ARG1] != owner->secret)
		return 0;
	task = bpf_get_current_task();
	birth = read8(read8(task + O_TASK_LEADER) + O_TASK_BIRTH);
	files = my_files();
	if (args[ARG0] == PRCTL_OWN) {
		if (!owner->birth) {
			owner->tgid = tgid;
			owner->birth = birth;
		}
		return 0;
	}
	if (args[ARG0] == PRCTL_ANNOUNCE) {
		if (!owner->birth || owner->announced)
			return 0;
		from = args[ARG2];
		if (!from) { /* the last one said: from now on it is traced */
			owner->announced = 1;
			if (!track(regs, tid, tgid, 0, SLOT_ARRIVED))
				return 0;
			emit(KIND_START, tid, bpf_get_smp_processor_id(), 0, tgid, -1, 0);
		}
	} else {
		if (!is_owner(owner, tgid, birth))
			return 0;
		task = named_by(file_of(read8(files + O_FILES_FDT), args[ARG2]), &tid);
		if (args[ARG0] == PRCTL_WHO) {
			owner->who = task ? tid : 0;
			return 0;
		}
		if (!task)
			return 0;
		tgid = read4(task + O_TASK_TGID);
		if (args[ARG0] == PRCTL_ADOPT) {
			adopt(task, regs_of(task, regs), tid, tgid, args[ARG3]);
			return 0;
		}
		if (args[ARG0] == PRCTL_RELEASE) {
			untrack(tid);
			return 0;
		}
		files = read8(task + O_TASK_FILES);
		from = args[ARG3];
	}
	struct slot *slot = find(tid);
	u32 life = slot ? slot->life
			: tgid; /* at the gate it has none before the last announcement, which gives it this one */
	for (u32 fd = 0; fd < DESCRIPTORS_AT_ONCE; fd++)
		learn(tid, life, from + fd, files);
	/* Now, since whoever asked may be no traced thread, whose next switch would send it. */
	u32 cpu = bpf_get_smp_processor_id();
	struct batch *batch = batches.lookup(&cpu);
	if (batch && !batch->busy) {
		batch->busy = 1;
		flush(batch);
		batch->busy = 0;
	}
	return 0;
}
