/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * What a file descriptor is: its inode and mode for the recording, its socket for sk_data_ready. */
#define TCP_LISTEN 10 /* include/net/tcp_states.h */
#define SOCKET_LISTENS (1ULL << 48)
#define SOCKET_TYPE 0140000 /* S_IFSOCK, of S_IFMT 0170000 */
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030

/* A number in 32 bits that says nothing of a kernel address to who does not know the run's secret. */
static __always_inline u32 hidden(u64 address)
{
	u32 zero = 0;
	struct owner *owner = owners.lookup(&zero);

	return owner ? ((address ^ owner->secret) * 0x9E3779B97F4A7C15ULL) >> 32 : 0;
}

static __always_inline struct change *change_of(u32 life)
{
	u32 zero = 0;
	struct change *all = changes.lookup(&zero);

	return all ? all + (life & (CHANGES - 1)) : 0;
}

static __always_inline u64 my_files(void)
{
	return read8(bpf_get_current_task() + O_TASK_FILES);
}

/* A descriptor of a table (struct files_struct), whose address is used again by later processes, but not in one life.
 */
static __always_inline u64 key_of(u32 life, u64 files, s32 fd)
{
	return ((u64)(life ^ hidden(files)) << 32 | (u32)fd) * 0x9E3779B97F4A7C15ULL;
}

/* The two places of a descriptor. */
static __always_inline u64 *places_of(u64 key)
{
	u32 zero = 0;
	u64 *all = descriptions.lookup(&zero);

	return all ? all + (key >> 48 & (DESCRIBED - 2)) : 0;
}

/* Whether a word is of that descriptor. */
static __always_inline bool is_named(u64 word, u64 key)
{
	return word && (u16)(word >> DESCRIBED_NAME) == (u16)(key >> 32);
}

static __always_inline void forget(u64 key)
{
	u64 *places = places_of(key);

	if (!places)
		return;
	if (is_named(places[0], key))
		places[0] = 0;
	if (is_named(places[1], key))
		places[1] = 0;
}

/* The word by which a descriptor was told, 0 if it was not; and its place has the new one from then on. */
static __always_inline u64 describe(u64 key, u64 word)
{
	u64 *places = places_of(key), before;
	u32 which;

	if (!places)
		return 0;
	if (is_named(places[0], key))
		which = 0;
	else if (is_named(places[1], key))
		which = 1;
	else
		which = places[0] && (!places[1] || word >> 63);
	before = is_named(places[which], key) ? places[which] : 0;
	if (before != word)
		places[which] = word;
	return before;
}

/* What F_SETFL, F_SETFD and their like change: O_APPEND, O_NONBLOCK, O_ASYNC, O_DIRECT, O_NOATIME, FD_CLOEXEC. */
static __always_inline u32 state_of(u32 flags, bool closes_on_exec)
{
	return (flags >> 10 & 3) | (flags >> 13 & 3) << 2 | (flags >> 18 & 1) << 4 | closes_on_exec << 5;
}

/* Whether a descriptor that a call used may be another file than the thread's last such call used. sends: two
 * memories, since many programs receive and send by turns. */
static __always_inline bool may_be_news(struct slot *slot, s32 fd, bool sends)
{
	struct change *change = change_of(slot->life);

	if (change && slot->changes != change->any) {
		slot->changes = change->any;
		slot->last_fd = -1;
		slot->sent_fd = -1;
	}
	if (fd == (sends ? slot->sent_fd : slot->last_fd))
		return false;
	if (sends)
		slot->sent_fd = fd;
	else
		slot->last_fd = fd;
	return true;
}

static __always_inline void changed(u32 life, bool many)
{
	struct change *change = change_of(life);

	if (!change)
		return;
	__sync_fetch_and_add(&change->any, 1);
	if (many)
		__sync_fetch_and_add(&change->many, 1);
}

static __always_inline void closed(u32 life, u64 files, s32 fd, bool many)
{
	changed(life, many);
	if (!many)
		forget(key_of(life, files, fd));
}

static __always_inline bool is_dup(u64 command)
{
	return (u32)command == F_DUPFD || (u32)command == F_DUPFD_CLOEXEC;
}

/* What kind of file it is: KIND_FILE. */
static __always_inline void tell_file(u32 tid, s32 fd, u64 file, u64 inode, u32 mode)
{
	u64 what[3] = {}; /* 16 bytes and a NUL */
	u32 magic = read8(read8(inode + O_INODE_SB) + O_SB_MAGIC);

	if ((mode & 0170000) == SOCKET_TYPE) {
		u64 sock = read8(read8(file + O_FILE_PRIVATE) + O_SOCKET_SK);
		u32 family = read4(sock + O_SOCK_FAMILY) & 0xffff;

		what[0] = family | (read4(sock + O_SOCK_TYPE) & 0xffff) << 16 |
			  (u64)(read4(sock + O_SOCK_PROTOCOL) & 0xffff) << 32;
		if ((read4(sock + O_SOCK_STATE) & 0xff) == TCP_LISTEN) /* of AF_UNIX, too */
			what[0] |= SOCKET_LISTENS;
#ifdef O_UNIX_PEER
		if (family == 1) /* AF_UNIX */
			what[1] = read8(read8(read8(sock + O_UNIX_PEER) + O_SOCK_SOCKET) + O_SOCKET_INODE +
					O_INODE_NUMBER);
#endif
#ifdef O_NETLINK_PORT
		if (family == 16) /* AF_NETLINK */
			what[1] = read4(sock + O_NETLINK_PORT);
#endif
	} else {
		u64 dentry = read8(file + O_FILE_PATH + O_PATH_DENTRY);

		bpf_probe_read_kernel_str(what, 17, (void *)read8(dentry + O_DENTRY_NAME + O_QSTR_NAME));
	}
	batch_record(bpf_ktime_get_ns(), KIND_FILE, tid, (magic ^ magic >> 16) & 0xffff, what[0], what[1], fd,
		     hidden(file), false);
}

/* A word that tells inodes of one number apart: of other file systems, and of a number that is used again. */
static __always_inline u32 mark_of(u64 inode)
{
	return read4(read8(inode + O_INODE_SB) + O_SB_DEV) * 0x9E3779B1 ^ read4(inode + O_INODE_GENERATION);
}

/* The descriptor's inode and mode go into a record, and a socket's address into the table by which
 * sk_data_ready knows it: task -> files -> fdt -> fd[n] -> private_data -> sk. Where it is news only. opened: by the
 * call that has just returned; else the record says that it was open before. */
static __always_inline void learn_as(u32 tid, u32 life, s32 fd, u64 files, bool opened)
{
	u64 fdt, file, inode, number, key, word, before;
	u32 mode, flags, cpu = bpf_get_smp_processor_id();
	struct change *change = change_of(life);

	if (fd < 0)
		return;
	if (opened)
		changed(life, false);
	fdt = read8(files + O_FILES_FDT);
	if (fd >= read4(fdt + O_FDTABLE_MAX))
		return;
	file = read8(read8(fdt + O_FDTABLE_FD) + 8 * (u64)fd);
	if (!file)
		return;
	inode = read8(file + O_FILE_INODE);
	number = read8(inode + O_INODE_NUMBER);
	flags = read4(file + O_FILE_FLAGS);
	bool closes = read8(read8(fdt + O_FDTABLE_CLOEXEC) + (fd >> 6) * 8) >> (fd & 63) & 1;
	key = key_of(life, files, fd);
	word = (file ^ number * 0x9E3779B97F4A7C15ULL) + key + (change ? change->many : 0);
	word = (word * 0x9E3779B97F4A7C15ULL >> DESCRIBED_FILE << DESCRIBED_FILE) |
	       (key >> 32 & 0xffff) << DESCRIBED_NAME | state_of(flags, closes);
	before = describe(key, word);
	if (before == word && !opened)
		return;
	bool same = before >> DESCRIBED_FILE == word >> DESCRIBED_FILE && !opened;
	mode = read4(inode + O_INODE_MODE) & 0xffff;
	if ((mode & 0170000) == SOCKET_TYPE) {
		u64 sock = read8(read8(file + O_FILE_PRIVATE) + O_SOCKET_SK);

		if (sock && sockets.update(&sock, &number)) {
			struct ledger *ledger = my_ledger();
			if (ledger)
				__sync_fetch_and_add(&ledger->unlearnt, 1);
		}
	}
	if (!same)
		tell_file(tid, fd, file, inode, mode);
	batch_record(bpf_ktime_get_ns(), KIND_DESCRIPTOR, tid, opened ? cpu : cpu | WAS_OPEN, number,
		     flags | (u64)mark_of(inode) << 32, fd, closes ? mode | CLOSES_ON_EXEC : mode, false);
}

/* A look at a descriptor that was open already. */
static __always_inline void learn(u32 tid, u32 life, s32 fd, u64 files)
{
	learn_as(tid, life, fd, files, false);
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
		long length = user_text(bytes, 17, (void *)(text + 16 * piece));

		if (length <= 1)
			break;
		emit(KIND_PATH, tid, piece, bytes[0], bytes[1], fd, 0);
		if (length < 17)
			break;
	}
}
