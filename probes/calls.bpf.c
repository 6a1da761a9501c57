/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * System calls: raw sys_enter and sys_exit, and what a call that sets something up teaches. */
#define EINPROGRESS 115 /* a connect that will be made */

static __always_inline void entered(struct bpf_raw_tracepoint_args *ctx, struct slot *slot)
{
	slot->nr = ctx->args[1];
	slot->enter = bpf_ktime_get_ns();
	if (ctx->args[1] == NR_IO_SUBMIT && !slot->compat) {
		slot->at = 0;
		tail_calls.call(ctx, TAIL_SUBMIT);
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
 * there twice, and the second instance does nothing if the first ran. (For sys_exit that is so as it stands.) */
int again_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct slot *slot = find_at(ctx->args[0]);

	if (ctx->args[1] == NR_PRCTL) { /* a thread that has just arrived is in it, which does not count */
		if (!slot)
			tail_calls.call(ctx, TAIL_ARRIVE);
	} else if (slot && !slot->enter) {
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
	s32 pair[2] = {-1, -1};

	if (!slot)
		return 0;
	u32 nr = slot->nr, tid = slot->tid;
	struct call *call = calls.lookup(&nr);
	if (!call || bpf_probe_read_kernel(args, sizeof(args), (void *)(regs + REGS_ARGUMENTS)))
		return 0;
	u32 todo = call->learn & ~LEARN_SILENT;
	u64 first = args[ARG0], second = args[ARG1], third = args[ARG2], fourth = args[ARG3];
	u32 arg = fourth;

	if (todo & LEARN_EXEC) {
		u32 segment = read8(regs + REGS_CODE_SEGMENT);

		slot->compat = segment == CODE_SEGMENT_32;
		emit(KIND_EXEC, tid, bpf_get_smp_processor_id(), 0, slot->tgid, -1, segment);
		name(tid, slot->tgid);
		return 0;
	}
	if (todo & LEARN_EVENTS)
		tail_calls.call(ctx, TAIL_EVENTS);
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
	if (todo & LEARN_SECOND)
		pair[1] = call->keep == 1 ? second : third;
	bool looks = !(todo & ~(LEARN_FIRST | LEARN_SECOND | LEARN_MESSAGES));
	u64 fdt = my_descriptors();
	learn_as(tid, slot->life, pair[0], fdt, looks, todo & LEARN_OPENS);
	learn_as(tid, slot->life, pair[1], fdt, looks, !looks);
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
	if (!call || bpf_probe_read_kernel(args, sizeof(args), (void *)(regs + REGS_ARGUMENTS)))
		return 0;
	s32 fd = call->learn & LEARN_RESULT ? result : (s64)args[ARG0];
	if (call->learn & (LEARN_PATH0 | LEARN_PATH1))
		path_of(tid, fd, call->learn & LEARN_PATH0 ? args[ARG0] : args[ARG1]);
	if (call->learn & LEARN_ADDRESS)
		addresses(tid, fd, my_descriptors());
	return 0;
}

/* Both descriptors of a call as one number, below that of any; -1 (look anew) where they are too large. */
static __always_inline s32 looked_at(u64 first, u64 second)
{
	return first < 32768 && second < 32768 ? -2 - (s32)(first << 15 | second) : -1;
}

RAW_TRACEPOINT_PROBE(sys_exit)
{
	struct slot *slot = find_at(ctx->args[0]);
	u64 regs, start, now;
	s64 result;
	u32 tid, nr, arg = 0;

	if (!slot)
		return 0;
	start = slot->enter;
	if (!start) /* the new thread's half of a clone */
		return 0;
	now = bpf_ktime_get_ns();
	regs = ctx->args[0];
	result = ctx->args[1];
	nr = slot->nr;
	tid = slot->tid;
	if (nr == NR_UNSEEN) { /* the call that an adopted thread was in */
		nr = read8(regs + REGS_NUMBER);
		if (nr >= NR_UNSEEN) {
			slot->enter = 0;
			return 0;
		}
		slot->nr = nr;
	}

	/* The arguments are still in the registers. */
	u64 args[8];
	if (bpf_probe_read_kernel(args, sizeof(args), (void *)(regs + REGS_ARGUMENTS))) {
		slot->enter = 0;
		return 0;
	}
	u32 index = nr;
	struct call *call = calls.lookup(&index);
	u32 todo = 0;
	if (call && !slot->compat) {
		if (call->keep == 2)
			arg = args[ARG2];
		else if (call->keep == 3)
			arg = args[ARG3];
		else if (call->keep == 1)
			arg = args[ARG1];
		todo = call->learn;
	}
	if (todo & LEARN_MESSAGES && result > 0) { /* it tells of the call, too */
		slot->at = 0;
		tail_calls.call(ctx, TAIL_MESSAGES);
	}
	slot->enter = 0;
	if (slot->compat)
		nr |= 0x8000;
	if (!(todo & LEARN_SILENT))
		batch_record(now, KIND_CALL, tid, nr, start, result, args[ARG0], arg, false);
	todo &= ~LEARN_SILENT;
	if (!todo)
		return 0;
	if (!(todo & ~(LEARN_FIRST | LEARN_SECOND))) {
		s32 looked = todo & LEARN_SECOND ? looked_at(args[ARG0], arg) : (s32)args[ARG0];

		if (looked == slot->last_fd && looked != -1)
			return 0;
		slot->last_fd = looked;
	} else if (result < 0 && result != -EINPROGRESS) {
		return 0;
	}
	tail_calls.call(ctx, TAIL_LEARN);
	return 0;
}
