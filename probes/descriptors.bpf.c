/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * What a file descriptor is: its inode and mode for the recording, its socket for sk_data_ready. */
/* The descriptor's inode and mode go into a record, and a socket's address into the table by which
 * sk_data_ready knows it: task -> files -> fdt -> fd[n] -> private_data -> sk. */
static __always_inline void learn(u32 tid, s32 fd, u64 fdt)
{
	u64 file, inode, number;
	u32 mode;

	if (fd < 0 || fd >= read4(fdt + O_FDTABLE_MAX))
		return;
	file = read8(read8(fdt + O_FDTABLE_FD) + 8 * (u64)fd);
	if (!file)
		return;
	inode = read8(file + O_FILE_INODE);
	number = read8(inode + O_INODE_NUMBER);
	mode = read4(inode + O_INODE_MODE) & 0xffff;
	if ((mode & 0170000) == 0140000) {
		u64 sock = read8(read8(file + O_FILE_PRIVATE) + O_SOCKET_SK);

		if (sock && sockets.update(&sock, &number)) {
			struct ledger *ledger = my_ledger();
			if (ledger)
				__sync_fetch_and_add(&ledger->unlearnt, 1);
		}
	}
	emit(KIND_DESCRIPTOR, tid, bpf_get_smp_processor_id(), number, read4(file + O_FILE_FLAGS), fd, mode);
}

static __always_inline u64 my_descriptors(void)
{
	return read8(read8(bpf_get_current_task() + O_TASK_FILES) + O_FILES_FDT);
}
