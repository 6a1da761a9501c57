/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Sockets: when data is ready, and when its copy begins. */
/* What runs here delays the waking, so the time is taken first. That the address is still this socket's is seen to at
 * this CPU's next switch (still_known), which sends the record to the ring, too: the batch is nearer than the ring. An
 * idle CPU may not switch for long, if whom it wakes runs on another one. */
static __always_inline void ready(u64 sock)
{
	u64 now = bpf_ktime_get_ns(), *number = sockets.lookup(&sock);
	struct ledger *ledger = my_ledger();
	u32 tid = bpf_get_current_pid_tgid(), cpu = bpf_get_smp_processor_id();

	if (!number || !ledger)
		return;
	if (ledger->arrived != sock)
		still_known(ledger);
	ledger->arrived = sock;
	if (tid)
		batch_record(now, KIND_READY, tid, cpu, *number, 0, -1, 0, false);
	else
		emit_at(now, KIND_READY, tid, cpu, *number, 0, -1, 0);
}

#ifdef HAVE_SK_DATA_READY
RAW_TRACEPOINT_PROBE(sk_data_ready)
{
	ready(ctx->args[0]);
	return 0;
}
#endif
#ifdef HAVE_KPROBE_READY
int kprobe_sock_def_readable(struct pt_regs *ctx)
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
