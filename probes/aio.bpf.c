/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Linux native AIO: what io_submit(2) asks for, and what io_getevents(2) brings back. */
#define MOST_EVENTS 64 /* of one call that get records of their own; the call's own record has the number of all */

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
static __always_inline void io_submit_entered(struct slot *slot, u64 regs)
{
	u64 args[3] = {}; /* dx si di */
	u64 tid = slot->tid;

	bpf_probe_read_kernel(args, sizeof(args), (void *)(regs + 96));
	for (u32 i = 0; i < MOST_EVENTS; i++) {
		struct iocb_head block = {};
		u64 address = 0;

		if (i >= args[1])
			break;
		bpf_probe_read_user(&address, sizeof(address), (void *)(args[0] + 8 * i));
		if (bpf_probe_read_user(&block, sizeof(block), (void *)address))
			break;
		learn(tid, slot->tgid, block.fd, my_descriptors(), true);
		emit(KIND_AIO_SUBMIT, tid, block.opcode, address, block.length, block.fd, i);
	}
}

/* struct io_event: data, obj, res, res2 */
static __always_inline void io_events_came(u32 tid, s64 count, u64 events)
{
	for (u32 i = 0; i < MOST_EVENTS; i++) {
		u64 event[3] = {};

		if (i >= count)
			break;
		if (bpf_probe_read_user(event, sizeof(event), (void *)(events + 32 * i)))
			break;
		emit(KIND_AIO_EVENT, tid, bpf_get_smp_processor_id(), event[1], event[2], -1, i);
	}
}
