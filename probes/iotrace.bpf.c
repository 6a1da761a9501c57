/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * The probes: raw tracepoints on system calls, scheduling, sockets and signals that write one kind of
 * record (iotrace.h) for the threads of the traced tree, and for nobody else.
 *
 * Offsets of kernel structures (O_*) and features (HAVE_*) come from the running kernel's BTF as -D
 * constants, see tracer/session.py. Raw tracepoints, because classic ones are skipped in silence while
 * another BPF program runs on that CPU.
 *
 * Cheap: two programs run at every call. sys_enter keeps a time in the thread's slot; sys_exit writes one
 * record for the whole call into its CPU's batch; a batch goes to the ring when it is full or the thread
 * is switched out. Programs that can run in interrupts write to the ring themselves.
 */
#include <uapi/linux/ptrace.h>
#include "iotrace.h"

BPF_ARRAY(slots, struct slot, SLOTS);
BPF_ARRAY(batches, struct batch, CPUS);
BPF_ARRAY(ledgers, struct ledger, CPUS);
BPF_ARRAY(calls, struct call, 512);
BPF_ARRAY(cookie, u64, 1);
BPF_TABLE("hash", u64, u64, sockets, SOCKETS);
BPF_RINGBUF_OUTPUT(ring, RING_PAGES);

#define WAYS 4 /* how far from its own place a thread's slot can be */

static __always_inline u64 read8(u64 address)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline u32 read4(u64 address)
{
	u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline struct slot *find(u32 tid)
{
	u32 index = tid & (SLOTS - 1);
	struct slot *slot = slots.lookup(&index);

	if (!slot || !tid)
		return 0;
	if (slot->tid == tid)
		return slot;
	if (!slot->chained)
		return 0;
	for (int way = 1; way < WAYS; way++) {
		index = (tid + way) & (SLOTS - 1);
		slot = slots.lookup(&index);
		if (slot && slot->tid == tid)
			return slot;
	}
	return 0;
}

static __always_inline struct ledger *my_ledger(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return ledgers.lookup(&cpu);
}

static __always_inline struct slot *track(u32 tid, u32 tgid)
{
	for (int way = 0; way < WAYS; way++) {
		u32 index = (tid + way) & (SLOTS - 1);
		struct slot *slot = slots.lookup(&index);

		if (slot && (!slot->tid || slot->tid == tid)) {
			slot->tgid = tgid;
			slot->enter = 0;
			slot->last_fd = -1;
			slot->compat = 0;
			slot->tid = tid;
			return slot;
		}
		if (slot && way == 0)
			slot->chained = 1;
	}
	struct ledger *ledger = my_ledger();
	if (ledger)
		__sync_fetch_and_add(&ledger->untracked, 1);
	return 0;
}

/* One record straight into the ring, from any context: counted first, lost if there is no room. */
static __always_inline void emit(u32 kind, u32 tid, u32 nr, u64 start, s64 result, s32 fd, u32 arg)
{
	struct ledger *ledger = my_ledger();
	struct record *record;

	if (!ledger)
		return;
	__sync_fetch_and_add(&ledger->counted, 1);
	record = ring.ringbuf_reserve(sizeof(*record));
	if (!record) {
		__sync_fetch_and_add(&ledger->lost, 1);
		return;
	}
	record->start = start;
	record->result = result;
	record->tid = tid;
	record->kind = kind;
	record->nr = nr;
	record->fd = fd;
	record->arg = arg;
	record->time = bpf_ktime_get_ns();
	ring.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

static __always_inline void flush(struct batch *batch)
{
	u32 count = batch->count;

	if (!count || count > BATCH)
		return;
	batch->count = 0;
	long failed = ring.ringbuf_output(&batch->elements[0], count * sizeof(struct element) - sizeof(u64), BPF_RB_NO_WAKEUP);
	if (failed)
		batch->lost += count;
}

/* One record into this CPU's batch, from task context. Preemption was off in these programs before Linux 7.0;
 * since then one may be interrupted by the next thread's, which `busy` sends to the ring instead. */
static __always_inline void stage(u64 time, u32 kind, u32 tid, u32 nr, u64 start, s64 result, s32 fd, u32 arg,
				  bool now)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct batch *batch = batches.lookup(&cpu);
	u32 count;

	if (!batch)
		return;
	if (batch->busy) {
		emit(kind, tid, nr, start, result, fd, arg);
		return;
	}
	batch->busy = 1;
	batch->counted++;
	count = batch->count & (BATCH - 1);
	struct element *element = &batch->elements[count];
	element->record.time = time;
	element->record.start = start;
	element->record.result = result;
	element->record.tid = tid;
	element->record.kind = kind;
	element->record.nr = nr;
	element->record.fd = fd;
	element->record.arg = arg;
	element->gap = sizeof(struct record);
	count++;
	batch->count = count;
	if (count == BATCH || now)
		flush(batch);
	batch->busy = 0;
}

/* The descriptor's inode and mode go into a record, and a socket's address into the table by which
 * sk_data_ready knows it: task -> files -> fdt -> fd[n] -> private_data -> sk. */
static __always_inline void learn(u32 tid, s32 fd, u64 fdt)
{
	u64 file, inode, number;
	u32 mode;

	if (fd < 0 || fd >= read4(fdt + O_FDTABLE_MAX))
		return;
	file = read8(read8(fdt + O_FDTABLE_FD) + 8 * (u64)fd);
	if (!file)
		return;
	inode = read8(file + O_FILE_INODE);
	number = read8(inode + O_INODE_NUMBER);
	mode = read4(inode + O_INODE_MODE) & 0xffff;
	if ((mode & 0170000) == 0140000) {
		u64 sock = read8(read8(file + O_FILE_PRIVATE) + O_SOCKET_SK);

		if (sock && sockets.update(&sock, &number)) {
			struct ledger *ledger = my_ledger();
			if (ledger)
				__sync_fetch_and_add(&ledger->unlearnt, 1);
		}
	}
	emit(KIND_DESCRIPTOR, tid, bpf_get_smp_processor_id(), number, read4(file + O_FILE_FLAGS), fd, mode);
}

static __always_inline u64 my_descriptors(void)
{
	return read8(read8(bpf_get_current_task() + O_TASK_FILES) + O_FILES_FDT);
}

/* A thread at the gate says the run's secret with a prctl that does nothing: so the target is known by what
 * the kernel sees, whatever PID namespace we are in. Its descriptors are learnt then. */
static __always_inline void announce(u64 regs, u32 tid, u32 tgid)
{
	u32 zero = 0;
	u64 *secret = cookie.lookup(&zero);
	u64 argument[2] = {}; /* si, di */

	bpf_probe_read_kernel(argument, sizeof(argument), (void *)(regs + 104));
	if (!secret || !*secret || argument[0] != *secret || !track(tid, tgid))
		return;
	emit(KIND_START, tid, bpf_get_smp_processor_id(), 0, tgid, -1, 0);
	u64 fdt = my_descriptors();
	for (int fd = 0; fd < 64; fd++)
		learn(tid, fd, fdt);
}

RAW_TRACEPOINT_PROBE(sys_enter)
{
	u64 both = bpf_get_current_pid_tgid();
	u32 tid = both;
	struct slot *slot = find(tid);

	if (!slot) {
		if (ctx->args[1] == NR_PRCTL)
			announce(ctx->args[0], tid, both >> 32);
		return 0;
	}
	slot->nr = ctx->args[1];
	slot->enter = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void name(u32 tid, u32 tgid)
{
	u64 comm[2] = {};

	bpf_get_current_comm(comm, sizeof(comm));
	emit(KIND_NAME, tid, bpf_get_smp_processor_id(), comm[0], comm[1], -1, tgid);
}

/* What a call that sets something up teaches; the rare part of sys_exit. */
static __always_inline void learn_call(struct slot *slot, u32 todo, u32 nr, s64 result, u64 first, u64 second,
				       u64 third, u64 fourth, u64 regs)
{
	u32 tid = slot->tid;
	s32 pair[2] = {-1, -1};
	u32 arg = fourth;

	if (todo & LEARN_EXEC) {
		u32 segment = read8(regs + 136);

		slot->compat = segment == 0x23;
		emit(KIND_EXEC, tid, bpf_get_smp_processor_id(), 0, slot->tgid, -1, segment);
		name(tid, slot->tgid);
		return;
	}
	if (todo & LEARN_THIRD)
		bpf_probe_read_user(&arg, sizeof(arg), (void *)fourth);
	if (todo & LEARN_ARGS)
		emit(KIND_ARGS, tid, nr, second, third, first, arg);
	if (todo & LEARN_PAIR0)
		bpf_probe_read_user(pair, sizeof(pair), (void *)first);
	if (todo & LEARN_PAIR3)
		bpf_probe_read_user(pair, sizeof(pair), (void *)fourth);
	if (todo & LEARN_RESULT)
		pair[0] = result;
	if (todo & LEARN_FIRST)
		pair[0] = first;
	if (todo & LEARN_THIRD)
		pair[0] = third;
	u64 fdt = my_descriptors();
	learn(tid, pair[0], fdt);
	learn(tid, pair[1], fdt);
}

RAW_TRACEPOINT_PROBE(sys_exit)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct slot *slot = find(tid);
	u64 regs, start, now;
	s64 result;
	u32 nr, arg = 0;

	if (!slot)
		return 0;
	start = slot->enter;
	if (!start) /* the new thread's half of a clone */
		return 0;
	now = bpf_ktime_get_ns();
	regs = ctx->args[0];
	result = ctx->args[1];
	nr = slot->nr;
	slot->enter = 0;

	/* The arguments, still in the registers: r10 r9 r8 ax cx dx si di, from r10 = argument 3 to di = argument 0. */
	u64 args[8];
	if (bpf_probe_read_kernel(args, sizeof(args), (void *)(regs + 56)))
		return 0;
	u32 index = nr;
	struct call *call = calls.lookup(&index);
	u32 todo = 0;
	if (call && !slot->compat) {
		if (call->keep == 2)
			arg = args[5];
		else if (call->keep == 3)
			arg = args[0];
		else if (call->keep == 1)
			arg = args[6];
		todo = call->learn;
	}
	if (slot->compat)
		nr |= 0x8000;
	stage(now, KIND_CALL, tid, nr, start, result, args[7], arg, false);
	if (!todo)
		return 0;
	if (todo == LEARN_FIRST) {
		if ((s32)args[7] == slot->last_fd)
			return 0;
		slot->last_fd = args[7];
	} else if (result < 0) {
		return 0;
	}
	learn_call(slot, todo, nr, result, args[7], args[6], args[5], args[0], regs);
	return 0;
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
		stage(bpf_ktime_get_ns(), KIND_SWITCH_OUT, out, cpu, 0, 0, (u8)ctx->args[0], state, true);
	}
	if (find(in))
		stage(bpf_ktime_get_ns(), KIND_SWITCH_IN, in, cpu, 0, 0, out, 0, false);
	return 0;
}

RAW_TRACEPOINT_PROBE(sched_waking)
{
	u32 tid = read4(ctx->args[0] + O_TASK_PID);

	if (find(tid))
		emit(KIND_WAKING, tid, bpf_get_smp_processor_id(), 0, 0, bpf_get_current_pid_tgid(), 0);
	return 0;
}

/* A socket's address may be another socket's later: the inode tells whether it is still the one we learnt. */
static __always_inline void ready(u64 sock)
{
	u64 *number = sockets.lookup(&sock);
	u64 socket;

	if (!number)
		return;
	socket = read8(sock + O_SOCK_SOCKET);
	if (!socket)
		return;
	if (read8(socket + O_SOCKET_INODE + O_INODE_NUMBER) != *number) {
		sockets.delete(&sock);
		return;
	}
	emit(KIND_READY, bpf_get_current_pid_tgid(), bpf_get_smp_processor_id(), *number, 0, -1, 0);
}

#ifdef HAVE_SK_DATA_READY
RAW_TRACEPOINT_PROBE(sk_data_ready)
{
	ready(ctx->args[0]);
	return 0;
}
#endif
#ifdef HAVE_KPROBE_READY
int kprobe_readable(struct pt_regs *ctx)
{
	ready(PT_REGS_PARM1(ctx));
	return 0;
}
#endif

#ifdef HAVE_SKB_COPY
RAW_TRACEPOINT_PROBE(skb_copy_datagram_iovec)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (find(tid))
		emit(KIND_COPY, tid, bpf_get_smp_processor_id(), 0, (s32)ctx->args[1], -1, 0);
	return 0;
}
#endif

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

/* args: task, clone_flags; current is the creator */
RAW_TRACEPOINT_PROBE(task_newtask)
{
	u32 parent = bpf_get_current_pid_tgid();
	struct slot *slot = find(parent);

	if (!slot)
		return 0;
	u32 compat = slot->compat;
	u32 tid = read4(ctx->args[0] + O_TASK_PID), tgid = read4(ctx->args[0] + O_TASK_TGID);
	slot = track(tid, tgid);
	if (slot) {
		slot->compat = compat;
		emit(KIND_THREAD, tid, bpf_get_smp_processor_id(), 0, tgid, parent,
		     read4(ctx->args[0] + O_TASK_FLAGS));
	}
	return 0;
}

RAW_TRACEPOINT_PROBE(sched_process_exit)
{
	u64 both = bpf_get_current_pid_tgid();
	struct slot *slot = find(both);

	if (!slot)
		return 0;
	name(both, both >> 32);
	emit(KIND_EXIT, both, bpf_get_smp_processor_id(), 0, both >> 32, -1, 0);
	slot->enter = 0;
	slot->tid = 0;
	return 0;
}

/* args: task, old pid, bprm. A thread that is not the leader takes the leader's id when it calls execve: the leader
 * has exited by then, and the thread's own id is gone without an exit (fs/exec.c, de_thread). */
RAW_TRACEPOINT_PROBE(sched_process_exec)
{
	u32 tid = bpf_get_current_pid_tgid(), old = ctx->args[1];
	struct slot *from = old == tid ? 0 : find(old);

	if (!from)
		return 0;
	u64 enter = from->enter;
	u32 nr = from->nr;
	from->enter = 0;
	from->tid = 0;
	emit(KIND_EXIT, old, bpf_get_smp_processor_id(), 0, tid, -1, 0);
	struct slot *slot = track(tid, tid);
	if (slot) {
		slot->nr = nr;
		slot->enter = enter;
	}
	return 0;
}

#ifdef HAVE_AIO_READ
/* int aio_read(struct aiocb *): the C library's; its helper thread does the system calls. */
int uprobe_aio_read(struct pt_regs *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();
	u64 block = PT_REGS_PARM1(ctx);
	s32 fd = -1; /* aio_fildes, the first field */

	if (!find(tid))
		return 0;
	bpf_probe_read_user(&fd, sizeof(fd), (void *)block);
	emit(KIND_LIBRARY, tid, LIBRARY_AIO_READ, block, 0, fd, 0);
	return 0;
}
#endif
