/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * recvmmsg(2) and sendmmsg(2): what they return counts messages; their bytes stand in each struct mmsghdr. */
#define MESSAGES_AT_ONCE 16 /* the verifier walks through each; a program may jump 32 times: 528 messages of a call */
#define MESSAGE_SIZE 64     /* struct mmsghdr: a struct msghdr of 56 bytes, then msg_len */
#define MESSAGE_LENGTH 56

/* At the call's exit, in the place of sys_exit: its messages come before it, so that it is known whole. What the kernel
 * has just written there can be read; of a page that cannot, the messages are counted and their bytes are not. */
TAIL(messages)
{
	u64 regs = ctx->args[0], args[8] = {}, start, bytes = 0, now = bpf_ktime_get_ns();
	struct slot *slot = find_at(regs);
	s64 result = ctx->args[1];
	u32 count = 0;

	if (!slot)
		return 0;
	u32 nr = slot->nr, tid = slot->tid, from = slot->at;
	struct call *call = calls.lookup(&nr);
	if (!call || kernel_bytes(args, sizeof(args), (void *)(regs + REGS_ARGUMENTS)))
		return 0;
	for (u32 i = 0; i < MESSAGES_AT_ONCE; i++) {
		u64 message = args[ARG1] + MESSAGE_SIZE * (u64)(from + i);
		u32 length = 0;

		if (from + i >= result)
			break;
		if (user_bytes(&length, sizeof(length), (void *)(message + MESSAGE_LENGTH)))
			break;
		bytes += length;
		count++;
	}
	if (!(call->learn & LEARN_SILENT))
		batch_record(now, KIND_MESSAGES, tid, nr, bytes, count, args[ARG0], args[ARG3], false);
	slot->at = from + MESSAGES_AT_ONCE;
	if (count == MESSAGES_AT_ONCE && slot->at < result)
		tail_calls.call(ctx, TAIL_MESSAGES);
	start = slot->enter;
	slot->enter = 0;
	if (!(call->learn & LEARN_SILENT))
		batch_record(now, KIND_CALL, tid, nr, start, result, args[ARG0], args[ARG2], false);
	if (may_be_news(slot, args[ARG0], call->learn & LEARN_SENDS))
		tail_calls.call(ctx, TAIL_LEARN);
	return 0;
}
