/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Linux native AIO: what io_submit(2) asks for, and what io_getevents(2) brings back. */
#define BLOCKS_AT_ONCE 4 /* the verifier walks through each; a program may jump 32 times */
#define MOST_EVENTS 64   /* of one call that get records of their own; the call's own record has the number of all */

struct iocb_head { /* struct iocb of <linux/aio_abi.h>, as far as it matters here */
	u64 data;
	u32 key;
	u32 rw_flags;
	u16 opcode;
	s16 priority;
	u32 fd;
	u64 buffer;
	u64 length;
};

/* At the call's entry: it may return only when the data is there, and the caller may reuse the block at once. */
TAIL(submit)
{
	u64 args[3] = {}; /* of the call's registers those from argument 2 on */
	struct slot *slot = find_at(ctx->args[0]);

	if (!slot)
		return 0;
	u32 tid = slot->tid;
	kernel_bytes(args, sizeof(args), (void *)(ctx->args[0] + REGS_ARGUMENTS + 8 * ARG2));
	u64 files = my_files();
	u32 from = slot->at;
	for (u32 i = 0; i < BLOCKS_AT_ONCE; i++) {
		struct iocb_head block = {};
		u64 address = 0;
		u32 at = from + i;

		if (at >= args[ARG1 - ARG2])
			return 0;
		user_bytes(&address, sizeof(address), (void *)(args[0] + 8 * (u64)at));
		if (user_bytes(&block, sizeof(block), (void *)address))
			return 0;
		learn(tid, slot->life, block.fd, files);
		emit(KIND_AIO_SUBMIT, tid, block.opcode, address, block.length, block.fd, at);
	}
	slot->at = from + BLOCKS_AT_ONCE;
	if (slot->at < MOST_EVENTS)
		tail_calls.call(ctx, TAIL_SUBMIT);
	return 0;
}

/* struct io_event: data, obj, res, res2 */
TAIL(events)
{
	u64 events = read8(ctx->args[0] + REGS_ARGUMENTS + 8 * ARG3);
	s64 count = ctx->args[1];
	u32 tid = bpf_get_current_pid_tgid();

	for (u32 i = 0; i < MOST_EVENTS; i++) {
		u64 event[3] = {};

		if (i >= count)
			break;
		if (user_bytes(event, sizeof(event), (void *)(events + 32 * i)))
			break;
		emit(KIND_AIO_EVENT, tid, bpf_get_smp_processor_id(), event[1], event[2], -1, i);
	}
	return 0;
}
