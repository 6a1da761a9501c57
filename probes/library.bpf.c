/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * Calls of the C library's that are no system calls. */
#ifdef HAVE_AIO_READ
/* int aio_read(struct aiocb *): the C library's; its helper thread does the system calls. */
int uprobe_aio_read(struct pt_regs *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();
	u64 block = PT_REGS_PARM1(ctx);
	s32 fd = -1; /* aio_fildes, the first field */

	if (!find(tid))
		return 0;
	user_bytes(&fd, sizeof(fd), (void *)block);
	emit(KIND_LIBRARY, tid, LIBRARY_AIO_READ, block, 0, fd, 0);
	return 0;
}
#endif

#ifdef HAVE_AIO_SUSPEND
/* int aio_suspend(const struct aiocb *const list[], int n, …): waits in the C library, on a futex. */
int uprobe_aio_suspend(struct pt_regs *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (find(tid))
		emit(KIND_LIBRARY, tid, LIBRARY_AIO_SUSPEND, 0, 0, -1, PT_REGS_PARM2(ctx));
	return 0;
}
#endif
