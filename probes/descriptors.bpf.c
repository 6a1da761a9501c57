/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * What a file descriptor is: its inode and mode for the recording, its socket for sk_data_ready. */
/* The descriptor's inode and mode go into a record, and a socket's address into the table by which
 * sk_data_ready knows it: task -> files -> fdt -> fd[n] -> private_data -> sk. again: only if that is news. opened: by
 * the call that has just returned; else the record says that it was open before. life: of the process (struct slot). */
static __always_inline void learn_as(u32 tid, u32 life, s32 fd, u64 fdt, bool again, bool opened)
{
	u64 file, inode, number, *known, before = 0, key = (u64)life << 32 | (u32)fd;
	u32 mode, cpu = bpf_get_smp_processor_id();

	if (fd < 0 || fd >= read4(fdt + O_FDTABLE_MAX))
		return;
	file = read8(read8(fdt + O_FDTABLE_FD) + 8 * (u64)fd);
	if (!file)
		return;
	inode = read8(file + O_FILE_INODE);
	number = read8(inode + O_INODE_NUMBER);
	known = described.lookup(&key);
	if (known)
		before = *known;
	if (again && before == number) /* it may be another file by now, opened by a call that we do not learn from */
		return;
	mode = read4(inode + O_INODE_MODE) & 0xffff;
	if ((mode & 0170000) == 0140000) {
		u64 sock = read8(read8(file + O_FILE_PRIVATE) + O_SOCKET_SK);

		if (sock && sockets.update(&sock, &number)) {
			struct ledger *ledger = my_ledger();
			if (ledger)
				__sync_fetch_and_add(&ledger->unlearnt, 1);
		}
	}
	emit(KIND_DESCRIPTOR, tid, opened ? cpu : cpu | WAS_OPEN, number, read4(file + O_FILE_FLAGS), fd, mode);
	/* Who is told that it is known must find it known at the time of its own call. A look from outside, or in
	 * another call, may come while one receives: so the first receive has a record of its own, true of it already.
	 */
	if (again || opened)
		described.update(&key, &number);
	else if (before && before != number)
		described.delete(&key);
}

/* A look at a descriptor that was open already. */
static __always_inline void learn(u32 tid, u32 life, s32 fd, u64 fdt, bool again)
{
	learn_as(tid, life, fd, fdt, again, false);
}

/* Both addresses of an Internet socket: a record each. */
static __always_inline void addresses(u32 tid, s32 fd, u64 fdt)
{
	u64 file, sock, address[2];
	u32 family, what;

	if (fd < 0 || fd >= read4(fdt + O_FDTABLE_MAX))
		return;
	file = read8(read8(fdt + O_FDTABLE_FD) + 8 * (u64)fd);
	if ((read4(read8(file + O_FILE_INODE) + O_INODE_MODE) & 0170000) != 0140000)
		return;
	sock = read8(read8(file + O_FILE_PRIVATE) + O_SOCKET_SK);
	family = read4(sock + O_SOCK_FAMILY) & 0xffff;
	if (family != 2 && family != 10) /* AF_INET, AF_INET6 */
		return;
	what = (read4(sock + O_SOCK_TYPE) & 0xff) << 16 | family << 24;
	for (u32 remote = 0; remote < 2; remote++) {
		u32 port = read4(sock + (remote ? O_SOCK_REMOTE_PORT : O_SOCK_LOCAL_PORT)) & 0xffff;
		u64 at = sock + (family == 2 ? (remote ? O_SOCK_REMOTE_4 : O_SOCK_LOCAL_4)
					     : (remote ? O_SOCK_REMOTE_6 : O_SOCK_LOCAL_6));

		address[0] = family == 2 ? read4(at) : read8(at);
		address[1] = family == 2 ? 0 : read8(at + 8);
		if (remote)
			port = (port & 0xff) << 8 | port >> 8;
		emit(KIND_ADDRESS, tid, remote, address[0], address[1], fd, port | what);
	}
}

#define MOST_PATH 16 /* pieces of 16 bytes that are kept of a path */

static __always_inline void path_of(u32 tid, s32 fd, u64 text)
{
	for (u32 piece = 0; piece < MOST_PATH; piece++) {
		u64 bytes[3] = {}; /* 16 and a NUL */
		long length = bpf_probe_read_user_str(bytes, 17, (void *)(text + 16 * piece));

		if (length <= 1)
			break;
		emit(KIND_PATH, tid, piece, bytes[0], bytes[1], fd, 0);
		if (length < 17)
			break;
	}
}

static __always_inline u64 my_descriptors(void)
{
	return read8(read8(bpf_get_current_task() + O_TASK_FILES) + O_FILES_FDT);
}
