/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Who owns the lock that a thread is about to wait for: a futex(2) says that it waits, not what for. */
#define OWNER_AT 8 /* glibc's pthread_mutex_t: int __lock, the futex word; unsigned __count; int __owner */

/* At the call's entry: at its exit the lock may be free, or somebody else's. Whether the word belongs to a mutex of
 * glibc's at all is not known here: the analysis believes it where it names a thread that is alive. */
TAIL(owner)
{
	u32 owner = 0;
	struct slot *slot = find_at(ctx->args[0]);

	if (!slot)
		return 0;
	u64 word = read8(ctx->args[0] + REGS_ARGUMENTS + 8 * ARG0);
	u32 operation = read8(ctx->args[0] + REGS_ARGUMENTS + 8 * ARG1);
	if (user_bytes(&owner, sizeof(owner), (void *)(word + OWNER_AT)))
		return 0;
	if (!owner || owner >= PID_LIMIT)
		return 0;
	batch_record(slot->enter, KIND_OWNER, slot->tid, bpf_get_smp_processor_id(), word, 0, owner, operation, false);
	return 0;
}
