/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * System calls: raw sys_enter and sys_exit, and what a call that sets something up teaches. */
#define FUTEX_CMD_MASK 0x7f /* of <linux/futex.h> */
#define FUTEX_WAIT 0
#define FUTEX_WAIT_BITSET 9
#define EINPROGRESS 115 /* a connect that will be made */
#define EBADF 9         /* a close that has closed nothing; with any other error it has (close(2)) */

/* Whether the 32-bit ABI made the call that current is in (tracer/kernel/arch/x86_64.py). */
static __always_inline bool in_compat_call(void)
{
	return read4(bpf_get_current_task() + O_TASK_STATUS) & TS_COMPAT;
}

/* Likewise at its exit: nr as it was entered, number: orig_ax now. Another one is an execve's (-1: a sigreturn's). */
static __always_inline bool was_compat_call(u32 nr, u64 number)
{
	if ((u32)number != nr && (s32)number != -1)
		return nr == I386_EXECVE || nr == I386_EXECVEAT;
	return in_compat_call();
}

/* A record's nr; `arg` takes the number that does not fit. */
static __always_inline u32 code_of(u32 nr, bool compat, u32 *arg)
{
	if (nr >= NR_MOST) {
		*arg = nr;
		nr = NR_WHOLE;
	}
	return compat ? nr | NR_COMPAT : nr;
}

static __always_inline u32 kept(struct call *call, u64 *args)
{
	if (call->keep == 2)
		return args[ARG2];
	if (call->keep == 3)
		return args[ARG3];
	if (call->keep == 1)
		return args[ARG1];
	return call->keep == 5 ? args[ARG5] : 0;
}

/* Whether the futex call that is entered may sleep until another thread wakes it; FUTEX_LOCK_PI's word says whose it
 * is. */
static __always_inline bool is_futex_wait(u64 regs)
{
	u32 command = read8(regs + REGS_ARGUMENTS + 8 * ARG1) & FUTEX_CMD_MASK;

	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

static __always_inline void entered(struct bpf_raw_tracepoint_args *ctx, struct slot *slot)
{
	u32 nr = ctx->args[1];
	struct call *call = calls.lookup(&nr);

	*(u64 *)&slot->nr = nr; /* and flags */
	slot->enter = bpf_ktime_get_ns();
	if (nr == NR_IO_SUBMIT && !in_compat_call()) {
		slot->at = 0;
		tail_calls.call(ctx, TAIL_SUBMIT);
	}
	if (!call || !(call->learn & (LEARN_WATCHED | LEARN_OWNER)))
		return;
	if (call->learn & LEARN_OWNER) {
		/* The operation first: most futex calls of most programs wake, and pay for one register alone. */
		if (!(call->learn & LEARN_SILENT) && is_futex_wait(ctx->args[0]) && !in_compat_call())
			tail_calls.call(ctx, TAIL_OWNER);
	} else if (!in_compat_call()) {
		tail_calls.call(ctx, TAIL_WATCH);
	}
}

RAW_TRACEPOINT_PROBE(sys_enter)
{
	struct slot *slot = find_at(ctx->args[0]);

	if (slot)
		entered(ctx, slot);
	else if (ctx->args[1] == NR_PRCTL)
		tail_calls.call(ctx, TAIL_ARRIVE);
	return 0;
}

#ifdef HAVE_PREEMPTION
/* Where a program may be preempted, the kernel skips it for the next thread on that CPU. So sys_enter and sys_exit are
 * there twice, and the second instance does nothing if the first ran. */
int again_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct slot *slot = find_at(ctx->args[0]);

	if (!slot) {
		if (ctx->args[1] == NR_PRCTL)
			tail_calls.call(ctx, TAIL_ARRIVE);
	} else if (!slot->enter && !(slot->flags & SLOT_ARRIVED)) { /* not the prctl in which it has just arrived */
		entered(ctx, slot);
	}
	return 0;
}
#endif

/* What a call that sets something up teaches; the rare part of sys_exit. */
TAIL(learn)
{
	u64 regs = ctx->args[0], args[8] = {};
	struct slot *slot = find_at(regs);
	s64 result = ctx->args[1];
	s32 pair[2] = {-1, -1}; /* descriptors: a new one, and a new one or one to look at */

	if (!slot)
		return 0;
	u32 nr = slot->nr, tid = slot->tid;
	struct call *call = calls.lookup(&nr);
	if (!call || kernel_bytes(args, sizeof(args), (void *)(regs + REGS_ARGUMENTS)))
		return 0;
	u32 todo = call->learn & ~LEARN_SILENT;
	u64 first = args[ARG0], second = args[ARG1], third = args[ARG2], fourth = args[ARG3];
	u64 files = my_files();
	u32 arg = fourth;

	if (todo & LEARN_ENDS) { /* that descriptors are closed is told even of a call that leaves no record */
		if (result < 0 && (result == -EBADF || !(todo & LEARN_FIRST)))
			return 0;
		if (call->learn & (LEARN_SILENT | LEARN_ARGS))
			emit(KIND_ARGS, tid, nr, second, third, first, arg);
		closed(slot->life, files, first, !(todo & LEARN_FIRST));
		return 0;
	}
	if (todo & LEARN_EXEC) {
		tail_calls.call(ctx, TAIL_EXECUTED);
		return 0;
	}
	if (todo & LEARN_EVENTS)
		tail_calls.call(ctx, TAIL_EVENTS);
	if (todo & LEARN_THIRD) {
		pair[1] = third;
		user_bytes(&arg, sizeof(arg), (void *)fourth);
	}
	if (todo & LEARN_ARGS)
		emit(KIND_ARGS, tid, nr, second, third, first, arg);
	if (todo & LEARN_FIRST)
		pair[1] = first;
	if (todo & LEARN_PAIR0)
		user_bytes(pair, sizeof(pair), (void *)first);
	if (todo & LEARN_PAIR3)
		user_bytes(pair, sizeof(pair), (void *)fourth);
	if (todo & LEARN_RESULT || (todo & LEARN_DUPS && is_dup(second)))
		pair[0] = result;
	if (todo & LEARN_SECOND)
		pair[0] = kept(call, args);
	if (todo & LEARN_ADDRESS && !(todo & LEARN_RESULT)) /* a bind or connect: its KIND_FILE says more now */
		forget(key_of(slot->life, files, first));
	learn_as(tid, slot->life, pair[1], files, todo & (LEARN_PAIR0 | LEARN_PAIR3));
	learn_as(tid, slot->life, pair[0], files, !(todo & LEARN_SECOND));
	if (todo & (LEARN_PATH0 | LEARN_PATH1 | LEARN_ADDRESS))
		tail_calls.call(ctx, TAIL_DESCRIBE);
	return 0;
}

/* The path by which a descriptor was opened, a socket's addresses. */
TAIL(describe)
{
	u64 regs = ctx->args[0], args[8] = {};
	struct slot *slot = find_at(regs);
	s64 result = ctx->args[1];

	if (!slot)
		return 0;
	u32 nr = slot->nr, tid = slot->tid;
	struct call *call = calls.lookup(&nr);
	if (!call || kernel_bytes(args, sizeof(args), (void *)(regs + REGS_ARGUMENTS)))
		return 0;
	s32 fd = call->learn & LEARN_RESULT ? result : (s64)args[ARG0];
	if (call->learn & (LEARN_PATH0 | LEARN_PATH1))
		path_of(tid, fd, call->learn & LEARN_PATH0 ? args[ARG0] : args[ARG1]);
	if (call->learn & LEARN_ADDRESS)
		addresses(tid, fd, read8(my_files() + O_FILES_FDT));
	return 0;
}

/* A thread executes another program now. */
TAIL(executed)
{
	struct slot *slot = find_at(ctx->args[0]);

	if (!slot)
		return 0;
	closed(slot->life, my_files(), 0, true);
	u32 segment = read8(ctx->args[0] + REGS_CODE_SEGMENT);
	slot->compat = segment == CODE_SEGMENT_32;
	emit(KIND_EXEC, slot->tid, bpf_get_smp_processor_id(), 0, slot->tgid, -1, segment);
	name(slot->tid, slot->tgid);
	return 0;
}

/* A call of which sys_enter was not shown: a seccomp filter or a tracer (ptrace) answered it before. */
TAIL(unentered)
{
	struct slot *slot = find_at(ctx->args[0]);
	struct ledger *ledger = my_ledger();
	u32 zero = 0, arg = 0;
	u64 regs[REGS_COUNT], *ending = closing.lookup(&zero);

	if (!slot || !ledger || !ending || *ending)
		return 0;
	if (kernel_bytes(regs, sizeof(regs), (void *)(ctx->args[0] + REGS_ARGUMENTS)))
		return 0;
	u32 nr = regs[REG_NUMBER], trapped = slot->flags & SLOT_TRAPPED;
	bool compat = in_compat_call();
	struct call *call = calls.lookup(&nr);
	__sync_fetch_and_add(&ledger->unentered, 1);
	slot->flags &= ~SLOT_TRAPPED;
	if (call && !compat) {
		if (call->learn & LEARN_SILENT)
			return 0;
		arg = kept(call, regs);
	}
	u32 code = code_of(nr, compat, &arg);
	batch_record(bpf_ktime_get_ns(), KIND_UNENTERED, slot->tid, code, trapped ? SAYS_TRAPPED : SAYS_REFUSED,
		     ctx->args[1], regs[ARG0], arg, false);
	return 0;
}

/* me: SLOT_FIRST or SLOT_SECOND, the instance of the program. */
static __always_inline int returned(struct bpf_raw_tracepoint_args *ctx, u32 me)
{
	struct slot *slot = find_at(ctx->args[0]);
	u64 regs, start, now;
	s64 result;
	u32 tid, nr, arg = 0, todo = 0;

	if (!slot)
		return 0;
	start = slot->enter;
#ifdef HAVE_PREEMPTION
	if (slot->flags & (SLOT_FIRST | SLOT_SECOND) & ~me) {
		slot->flags &= ~(SLOT_FIRST | SLOT_SECOND);
		return 0;
	}
	slot->flags |= me;
#endif
	if (!start) {
		if (slot->flags & SLOT_ARRIVED) /* the new thread's half of a clone */
			slot->flags &= ~SLOT_ARRIVED;
		else
			tail_calls.call(ctx, TAIL_UNENTERED);
		return 0;
	}
	now = bpf_ktime_get_ns();
	regs = ctx->args[0];
	result = ctx->args[1];
	nr = slot->nr;
	tid = slot->tid;

	/* The arguments are still in the registers. */
	u64 args[REGS_COUNT];
	if (kernel_bytes(args, sizeof(args), (void *)(regs + REGS_ARGUMENTS))) {
		slot->enter = 0;
		return 0;
	}
	bool compat = false;
	if (slot->flags & SLOT_UNSEEN) { /* the call that an adopted thread was in; -1: a sigreturn's */
		compat = in_compat_call();
		nr = args[REG_NUMBER];
		if ((s32)nr == -1)
			nr = compat ? I386_RT_SIGRETURN : NR_RT_SIGRETURN;
		slot->nr = nr;
	} else if (args[REG_CX] != args[REG_IP]) {
		compat = was_compat_call(nr, args[REG_NUMBER]);
	}
	slot->compat = compat;
	u32 index = nr;
	struct call *call = calls.lookup(&index);
	if (call && !compat) {
		arg = kept(call, args);
		todo = call->learn;
	}
	if (todo & LEARN_MESSAGES && result > 0) { /* it tells of the call, too */
		slot->at = 0;
		tail_calls.call(ctx, TAIL_MESSAGES);
	}
	slot->enter = 0;
	if (!(todo & LEARN_SILENT))
		batch_record(now, KIND_CALL, tid, code_of(nr, compat, &arg), start, result, args[ARG0], arg, false);
	todo &= ~(LEARN_SILENT | LEARN_WATCHED | LEARN_OWNER);
	if (!todo) {
		if (compat && (nr == I386_EXECVE || nr == I386_EXECVEAT) && !result)
			tail_calls.call(ctx, TAIL_EXECUTED);
		return 0;
	}
	if (!(todo & ~(LEARN_FIRST | LEARN_SENDS | LEARN_SECOND))) {
		bool news = may_be_news(slot, args[ARG0], todo & LEARN_SENDS);

		if (todo & LEARN_SECOND)
			news |= may_be_news(slot, arg, !(todo & LEARN_SENDS));
		if (!news)
			return 0;
	} else if (result < 0 && result != -EINPROGRESS && !(todo & LEARN_ENDS)) {
		return 0;
	}
	tail_calls.call(ctx, TAIL_LEARN);
	return 0;
}

RAW_TRACEPOINT_PROBE(sys_exit)
{
	return returned(ctx, SLOT_FIRST);
}

#ifdef HAVE_PREEMPTION
int again_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return returned(ctx, SLOT_SECOND);
}
#endif
