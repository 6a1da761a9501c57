/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * The probes: raw tracepoints on system calls, scheduling, sockets and signals that write one kind of
 * record (iotrace.h) for the threads of the traced tree, and for nobody else.
 *
 * Offsets of kernel structures (O_*) and features (HAVE_*) come from the running kernel's BTF, where a call's
 * registers lie (REGS_*, ARG*) from tracer/kernel/arch, as -D constants: see tracer/bpf/loader.py. Raw tracepoints,
 * because classic ones are skipped in silence while another BPF program runs on that CPU.
 *
 * Cheap: two programs run at every call. sys_enter keeps a time in the thread's slot; sys_exit writes one
 * record for the whole call into its CPU's batch; a batch goes to the ring when it is full or the thread
 * is switched out. Programs that can run in interrupts write to the ring themselves.
 *
 * BCC makes probes of one file's functions and rewrites map calls in one file only. So the probes are one
 * translation unit, this file first, put together from all *.bpf.c here by tracer/bpf/build.py.
 */
#include <uapi/linux/ptrace.h>
#include "iotrace.h"

/* Helpers under names that BCC does not know: where it meets its own ones it reads all of /proc/kallsyms, to look
 * whether the kernel has them (check_bpf_probe_read_user in its b_frontend_action.cc), for as long as clang takes. 5.5
 * has them (6ae08ae3dea2, "bpf: Add probe_read_{user, kernel} and probe_read_{user, kernel}_str helpers"). */
static long (*kernel_bytes)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel;
static long (*user_bytes)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user;
static long (*user_text)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user_str;

/* Not by BCC's prefix, for which it would load and attach the programs itself: tracer/bpf/loader.py does. */
#undef RAW_TRACEPOINT_PROBE
#define RAW_TRACEPOINT_PROBE(event) int tracepoint_##event(struct bpf_raw_tracepoint_args *ctx)
#define TAIL(what) int tail_##what(struct bpf_raw_tracepoint_args *ctx) /* of enum tail, in the same order */

BPF_ARRAY(slots, struct slot, 1); /* one entry that holds SLOTS of them (tracer/bpf/loader.py): no lookup by index */
BPF_ARRAY(threads, struct thread, 1); /* likewise */
BPF_ARRAY(batches, struct batch, CPUS);
BPF_ARRAY(ledgers, struct ledger, CPUS);
BPF_ARRAY(calls, struct call, 512);
BPF_ARRAY(owners, struct owner, 1);
BPF_ARRAY(no_follow, u64, 1); /* not 0: new threads and children are not followed */
BPF_ARRAY(closing, u64, 1);   /* not 0: sys_enter is being detached, an exit without an entry says nothing */
BPF_TABLE("hash", u64, u64, sockets, SOCKETS);
BPF_ARRAY(descriptions, u64, 1);      /* likewise: DESCRIBED. (BCC writes functions for a whole value: slow) */
BPF_ARRAY(changes, struct change, 1); /* likewise: CHANGES */
BPF_ARRAY(wakers, u64, WAKERS);       /* by id: id << 32 | a digest of its name */
BPF_RINGBUF_OUTPUT(ring, RING_PAGES);
BPF_PROG_ARRAY(tail_calls, TAILS);

#define MAX_PROBES 8 /* of a table: an entry lies at its own index or at one of the seven after it */
#define slot_index(key) ((key) & (SLOTS - 1))
#define STACKS 15 /* kernel stacks lie at least so many bits apart, with their guard page */

static __always_inline u64 read8(u64 address)
{
	u64 value = 0;

	kernel_bytes(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline u32 read4(u64 address)
{
	u32 value = 0;

	kernel_bytes(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline struct slot *find_at(u64 regs)
{
	u32 zero = 0;
	u64 key = regs >> STACKS;
	struct slot *all = slots.lookup(&zero), *slot;

	if (!all)
		return 0;
	slot = all + slot_index(key);
	if (slot->regs == regs)
		return slot;
	if (!slot->chained)
		return 0;
	for (u32 step = 1; step < MAX_PROBES; step++) {
		slot = all + slot_index(key + step);
		if (slot->regs == regs)
			return slot;
	}
	return 0;
}

static __always_inline struct thread *thread_of(u32 tid)
{
	u32 zero = 0;
	struct thread *all = threads.lookup(&zero), *thread;

	if (!all || !tid)
		return 0;
	thread = all + slot_index(tid);
	if (thread->tid == tid)
		return thread;
	if (!thread->chained)
		return 0;
	for (u32 step = 1; step < MAX_PROBES; step++) {
		thread = all + slot_index(tid + step);
		if (thread->tid == tid)
			return thread;
	}
	return 0;
}

static __always_inline struct slot *find(u32 tid)
{
	u32 zero = 0;
	struct thread *thread = thread_of(tid);
	struct slot *all = slots.lookup(&zero);

	return thread && all ? all + slot_index(thread->slot) : 0;
}

static __always_inline struct ledger *my_ledger(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return ledgers.lookup(&cpu);
}

static __always_inline bool name_slot(u32 tid, u32 slot)
{
	u32 zero = 0;
	struct thread *all = threads.lookup(&zero);

	for (u32 step = 0; all && step < MAX_PROBES; step++) {
		struct thread *thread = all + slot_index(tid + step);

		if (!thread->tid || thread->tid == tid) {
			thread->slot = slot;
			asm volatile("" ::: "memory");
			thread->tid = tid;
			return true;
		}
		if (step == 0)
			thread->chained = 1;
	}
	return false;
}

/* enter and flags: whether it may be in a call; they must be there before others can find the slot. */
static __always_inline struct slot *track(u64 regs, u32 tid, u32 tgid, u64 enter, u32 flags)
{
	u32 zero = 0;
	u64 key = regs >> STACKS;
	struct slot *all = slots.lookup(&zero);

	for (u32 step = 0; all && step < MAX_PROBES; step++) {
		struct slot *slot = all + slot_index(key + step);

		if (!slot->regs || slot->regs == regs) {
			if (!name_slot(tid, slot_index(key + step)))
				break;
			slot->tid = tid;
			slot->tgid = tgid;
			slot->enter = enter;
			slot->nr = 0;
			slot->flags = flags;
			slot->last_fd = -1;
			slot->sent_fd = -1;
			slot->compat = 0;
			slot->life = tgid;
			slot->watched = 0;
			asm volatile("" ::: "memory");
			slot->regs = regs;
			return slot;
		}
		if (step == 0)
			slot->chained = 1;
	}
	struct ledger *ledger = my_ledger();
	if (ledger)
		__sync_fetch_and_add(&ledger->untracked, 1);
	return 0;
}

static __always_inline void untrack(u32 tid)
{
	struct thread *thread = thread_of(tid);
	struct slot *slot = find(tid);

	if (!thread || !slot)
		return;
	thread->tid = 0;
	slot->regs = 0;
	slot->enter = 0;
}

/* Where the registers of another thread's calls lie: as far above its stack's end as ours, which are at `regs`. */
static __always_inline u64 regs_of(u64 task, u64 regs)
{
	u64 stack = read8(task + O_TASK_STACK);

	return stack ? stack + regs - read8(bpf_get_current_task() + O_TASK_STACK) : 0;
}

/* One record straight into the ring, from any context: counted first, lost if there is no room. time: 0 for now. */
static __always_inline void emit_at(u64 time, u32 kind, u32 tid, u32 nr, u64 start, s64 result, s32 fd, u32 arg)
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
	record->time = time ? time : bpf_ktime_get_ns();
	ring.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

static __always_inline void emit(u32 kind, u32 tid, u32 nr, u64 start, s64 result, s32 fd, u32 arg)
{
	emit_at(0, kind, tid, nr, start, result, fd, arg);
}

static __always_inline void flush(struct batch *batch)
{
	u32 count = batch->count;
	u64 more = count - 1;

	if (!count || count > BATCH)
		return;
	batch->count = 0;
	asm volatile("" : "+r"(more)); /* or clang leaves out the mask by which the verifier sees how much it can be */
	more &= BATCH - 1;
	long failed = ring.ringbuf_output(&batch->elements[0], more * sizeof(struct element) + sizeof(struct record),
					  BPF_RB_NO_WAKEUP);
	if (failed)
		batch->lost += count;
}

/* One record into this CPU's batch, from task context. Preemption was off in these programs before Linux 7.0;
 * since then one may be interrupted by the next thread's, which `busy` sends to the ring instead. */
static __always_inline void batch_record(u64 time, u32 kind, u32 tid, u32 nr, u64 start, s64 result, s32 fd, u32 arg,
					 bool now)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct batch *batch = batches.lookup(&cpu);
	u32 count;

	if (!batch)
		return;
	if (batch->busy) {
		emit_at(time, kind, tid, nr, start, result, fd, arg);
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

static __always_inline void name(u32 tid, u32 tgid)
{
	u64 comm[2] = {};

	bpf_get_current_comm(comm, sizeof(comm));
	emit(KIND_NAME, tid, bpf_get_smp_processor_id(), comm[0], comm[1], -1, tgid);
}
