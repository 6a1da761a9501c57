/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * io_uring: requests as they are submitted, armed, handed to a worker and completed, whoever does it.
 *
 * Which argument carries what differs between kernels; tracer/kernel/io_uring_args.py finds it in BTF. A request is
 * known by its address (struct io_kiocb), and by its user_data where a tracepoint has no request: completions of a
 * multishot request before the last, and everything on 5.10. */
#ifdef HAVE_URING
#define FIXED_FILE 1 /* IOSQE_FIXED_FILE: its descriptor is a place in the ring's own table */

static __always_inline u64 data_of(u64 request)
{
	return request ? read8(request + O_KIOCB_DATA) : 0;
}

static __always_inline void submitted(u64 request, u64 data, u32 opcode)
{
	u32 tid = bpf_get_current_pid_tgid(), flags = 0;
	struct slot *slot = find(tid);
	s32 fd = -1;

	if (!slot)
		return;
	if (request) {
		flags = read4(request + O_KIOCB_FLAGS);
#ifdef O_KIOCB_FD
		fd = read4(request + O_KIOCB_FD);
#endif
	}
	if (!(flags & FIXED_FILE))
		learn(tid, slot->life, fd, my_files());
	emit(KIND_URING_SUBMIT, tid, opcode, request, data, fd, flags);
}

#ifdef SUBMIT_DATA
#define SUBMITTED(ctx) submitted(SUBMIT_REQUEST_OF(ctx), ctx->args[SUBMIT_DATA], (u8)ctx->args[SUBMIT_OPCODE])
#ifdef SUBMIT_REQUEST
#define SUBMIT_REQUEST_OF(ctx) ctx->args[SUBMIT_REQUEST]
#else
#define SUBMIT_REQUEST_OF(ctx) 0
#endif
#else
#define SUBMITTED(ctx)                                                                                                 \
	submitted(ctx->args[SUBMIT_REQUEST], data_of(ctx->args[SUBMIT_REQUEST]),                                       \
		  (u8)read4(ctx->args[SUBMIT_REQUEST] + O_KIOCB_OPCODE))
#endif

#ifdef HAVE_IO_URING_SUBMIT_REQ
RAW_TRACEPOINT_PROBE(io_uring_submit_req)
{
	SUBMITTED(ctx);
	return 0;
}
#else
RAW_TRACEPOINT_PROBE(io_uring_submit_sqe)
{
	SUBMITTED(ctx);
	return 0;
}
#endif

static __always_inline void went(u32 kind, u64 request, u64 data)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (find(tid))
		emit(kind, tid, bpf_get_smp_processor_id(), request, data, -1, 0);
}

#ifdef HAVE_POLL
RAW_TRACEPOINT_PROBE(io_uring_poll_arm)
{
#ifndef POLL_REQUEST
	went(KIND_URING_POLL, 0, ctx->args[POLL_DATA]);
#else
	went(KIND_URING_POLL, ctx->args[POLL_REQUEST], data_of(ctx->args[POLL_REQUEST]));
#endif
	return 0;
}
#endif

#ifdef WORK_REQUEST
RAW_TRACEPOINT_PROBE(io_uring_queue_async_work)
{
	went(KIND_URING_WORK, ctx->args[WORK_REQUEST], data_of(ctx->args[WORK_REQUEST]));
	return 0;
}
#endif

RAW_TRACEPOINT_PROBE(io_uring_complete)
{
	u32 tid = bpf_get_current_pid_tgid();
	u64 request = 0, data, file, inode;
	u32 flags = 0;
	s32 result;

	if (!find(tid))
		return 0;
#ifdef COMPLETE_REQUEST
	request = ctx->args[COMPLETE_REQUEST];
#endif
#ifdef COMPLETE_CQE
	/* struct io_uring_cqe: user_data, res, flags */
	data = read8(ctx->args[COMPLETE_CQE]);
	result = read4(ctx->args[COMPLETE_CQE] + 8);
	flags = read4(ctx->args[COMPLETE_CQE] + 12);
#else
	data = ctx->args[COMPLETE_DATA];
	result = ctx->args[COMPLETE_RESULT];
#ifdef COMPLETE_FLAGS
	flags = ctx->args[COMPLETE_FLAGS];
#endif
#endif
	if (request && read4(request + O_KIOCB_FLAGS) & FIXED_FILE) {
		file = read8(request + O_KIOCB_FILE);
		inode = file ? read8(file + O_FILE_INODE) : 0;
		if (inode)
			emit(KIND_URING_FILE, tid, bpf_get_smp_processor_id(), request, read8(inode + O_INODE_NUMBER),
			     -1, read4(inode + O_INODE_MODE) & 0xffff);
	}
	emit(KIND_URING_COMPLETE, tid, bpf_get_smp_processor_id(), request, data, result, flags);
	return 0;
}

#ifdef HAVE_RING
/* args: fd, ring, entries of the submission queue, of the completion queue, flags */
RAW_TRACEPOINT_PROBE(io_uring_create)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (find(tid))
		emit(KIND_URING_RING, tid, bpf_get_smp_processor_id(), ctx->args[1], 0, ctx->args[0], ctx->args[4]);
	return 0;
}
#endif
#endif
