/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * The record that travels through the ring buffer, and the maps' value types: declared once here,
 * mirrored as a numpy dtype in tracer/recording/records.py (tests/unit/recording/test_records.py holds the two
 * together).
 */
#pragma once
#include <linux/types.h>

/* What a record tells. Unless said otherwise: time = when, tid = whose, nr = the CPU it was seen on. */
/* A table, whose columns clang-format would break: */
/* clang-format off */
enum kind {
	KIND_CALL = 1,      /* a system call that returned: start = entry, result, nr, fd = argument 0, arg */
	KIND_ARGS = 2,      /* follows the KIND_CALL of a call that sets something up: start, result, arg = arguments 1, 2, 3 */
	KIND_OPEN = 3,      /* a call still open when tracing ended (made in user space from the slots) */
	KIND_SWITCH_OUT = 4,/* sched_switch away: arg = task state, 0 if it could have run on; fd = 1 if preempted;
			     * start = SWITCH_SAYS_NEXT: result = the thread that gets the CPU (0: none, it is idle) */
	KIND_SWITCH_IN = 5, /* sched_switch to; fd = the thread that had the CPU */
	KIND_WAKING = 6,    /* sched_waking of tid; fd = the thread on that CPU (the waker, or who was interrupted) */
	KIND_READY = 7,     /* sk_data_ready: start = the socket's inode; tid = the thread on that CPU */
	KIND_COPY = 8,      /* skb_copy_datagram_iovec: result = bytes */
	KIND_SIGNAL_GENERATE = 9, /* tid = the target; fd = signal, arg = si_code, result = TRACE_SIGNAL_*,
				   * start = si_fd where si_code is POLL_* */
	KIND_SIGNAL_DELIVER = 10, /* fd = signal, arg = si_code, start = 1 if a handler runs,
				   * result = si_fd where si_code is POLL_* */
	KIND_DESCRIPTOR = 11,     /* fd opened or learnt: start = inode, arg = i_mode | CLOSES_ON_EXEC,
				   * result = f_flags | mark of the inode (see learn_as) << 32,
				   * nr = the CPU, with WAS_OPEN where no call that we saw has just opened it */
	KIND_THREAD = 12,   /* task_newtask: tid = the new one; fd = its creator, result = its tgid, arg = task flags,
			     * start = CLONE_* */
	KIND_EXIT = 13,     /* sched_process_exit: result = tgid, fd = its status as wait(2) gives it;
			     * or arg = GOES_ON: no leader, it has called execve, entered at start,
			     * and goes on with its leader's id (result) */
	KIND_NAME = 14,     /* start and result hold the 16 bytes of comm; arg = tgid */
	KIND_LIBRARY = 15,  /* a C library call (uprobe): nr = which, fd = descriptor, start = its control block */
	KIND_START = 16,    /* a thread announced itself at the gate: result = tgid; or was adopted while it ran:
			     * start = time, arg = its id as iotrace's namespace has it */
	KIND_EXEC = 17,     /* execve succeeded: result = tgid, arg = code segment (0x23: a 32-bit program) */
	KIND_URING_SUBMIT = 18, /* io_uring request: start = its address (0: unknown), result = user_data,
				 * nr = opcode, arg = flags */
	KIND_URING_POLL = 19,   /* it found nothing and armed a poll: start, result likewise */
	KIND_URING_WORK = 20,   /* it was handed to a worker (io-wq): start, result likewise */
	KIND_URING_COMPLETE = 21, /* its completion, by tid: start, result likewise, fd = res, arg = the completion's flags */
	KIND_URING_RING = 22,   /* io_uring_setup: fd, start = the ring's address, arg = IORING_SETUP_* */
	KIND_URING_FILE = 23,   /* before a completion of a request on a registered file: start likewise,
				 * result = inode, arg = mode */
	KIND_AIO_SUBMIT = 24,   /* io_submit entered with: start = the iocb's address, result = bytes,
				 * nr = IOCB_CMD_*, fd, arg = its place */
	KIND_AIO_EVENT = 25,    /* io_getevents returned with: start = the iocb's address, result = res, arg = its place */
	KIND_ADDRESS = 26,  /* of the socket fd: start, result = 16 bytes (IPv4: the first 4), nr = 0 local or 1 remote,
			     * arg = port | SOCK_* << 16 | AF_* << 24 */
	KIND_PATH = 27,     /* by which fd was opened: start, result = the next 16 bytes of it, nr = which 16 */
	KIND_FILE = 28,     /* before the KIND_DESCRIPTOR of a file that is news: start, result = the first 16 bytes of its
			     * name, or of a socket: start = family | type << 16 | protocol << 32 | (whether it
			     * listens) << 48, result = peer's inode (AF_UNIX) or port ID (AF_NETLINK); nr = its file
			     * system's magic (statfs(2)), halves xored; arg = which open file (a hash of its address).
			     * fd -1, arg = which table of descriptors: of a thread that was adopted */
	KIND_WATCHED = 29,  /* what the call nr (select, poll, epoll_wait and their like), entered at this time, watches; left
			     * out where it is what the thread's last such call watched: start = its time-out in ns
			     * (TIMEOUT_*), fd = how many descriptors it was given (select: one more than the highest),
			     * result = the first of poll's; arg = how many more records follow. They have this time too,
			     * nr = WATCHED_MORE + 0, 1 …; of poll start, result and fd + arg are three more descriptors
			     * each (WATCHED_POLL); of select they are 64 bits each of readfds, writefds and exceptfds,
			     * those from 64 * the last part of nr on */
	KIND_NEIGHBOUR = 30,/* the name of a thread that gets the CPU from tid, or gave it to tid: fd = that thread, start and
			     * result = its comm, arg = its tgid; left out where it was told already */
	KIND_UNENTERED = 33, /* a call whose exit alone the kernel showed: as KIND_CALL, but start = SAYS_* */
	KIND_WAKER = 34,    /* the name of a thread that is not traced and wakes one that is: tid = the waker's, start and
			     * result = the 16 bytes of comm; again where another name or thread has taken its place */
	KIND_OWNER = 37,    /* futex, entered at this time to wait for start: fd = what stands where glibc's mutexes have
			     * their owner (as the thread's PID namespace has it), arg = the call's operation */
	KIND_REDACTED = 63, /* no probe's: a KIND_ADDRESS or KIND_PATH that was left out (tracer/recording/redact.py) */
	KIND_MESSAGES = 31, /* before the KIND_CALL of a recvmmsg or sendmmsg, one or several: result = messages whose
			     * length was read, start = the sum of those, nr = the call's number, fd, arg = its flags */
};
/* clang-format on */

enum library { LIBRARY_AIO_READ = 1, LIBRARY_AIO_SUSPEND = 2 };

struct record {
	u64 time; /* ns, CLOCK_MONOTONIC (bpf_ktime_get_ns) */
	u64 start;
	s64 result;
	u32 tid;
	u16 kind;
	u16 nr;
	s32 fd;
	u32 arg;
};

/* In the ring every record stands behind 8 bytes: the ring's own header, or, inside a batch, this gap.
 * So the ring is one array of 48-byte elements whether its records came singly or together. */
struct element {
	struct record record;
	u64 gap;
};

/* What is known of one traced thread. Where it is kept follows from where the thread's registers lie while it is in a
 * system call, at the top of its kernel stack: the programs that run at every process's calls have that at hand, and
 * ask no helper whose call it is (12 ns of the 15 that each cost a bystander). */
struct slot {
	u64 regs;  /* struct pt_regs *, 0: free */
	u64 enter; /* ns of the open call's entry, 0 if none is open */
	u32 tid;
	u32 tgid;
	u32 nr;      /* the open call's number as the program gave it; an entry writes this and flags at once */
	u32 flags;   /* SLOT_* */
	u32 chained; /* some other thread had to take a neighbouring slot: look there too */
	s32 last_fd; /* the descriptor last received from and looked up, not to do it again */
	u16 at;      /* of io_submit's blocks, recvmmsg's messages, or of what is watched: the next one to tell of */
	u16 compat;  /* the ABI of its last call was the 32-bit one: for a call that never returns */
	u32 life;    /* of its process and table of descriptors: another one where the process ID is used again */
	s32 sent_fd; /* likewise, last sent to */
	u32 changes; /* of the process's descriptors, when the two were looked up */
	u64 watched; /* a digest of the last set that it watched (KIND_WATCHED) */
};

/* Descriptors that records have told of, a word each: which file it is (40 bits), which descriptor (16), and its flags
 * (DESCRIBED_STATE). Each has one of two neighbouring places; one that has lost its place is looked at again. */
#define DESCRIBED 65536
#define DESCRIBED_FILE 24
#define DESCRIBED_NAME 8
#define DESCRIBED_STATE 0xff

/* How often the descriptors of a process have changed. Some processes share an entry: they look again for nothing. */
#define CHANGES 4096
struct change {
	u32 any;  /* any was opened, closed or replaced: what a slot remembers may be another file's */
	u32 many; /* many at once: what is described may be closed */
};

#define SLOT_UNSEEN 1  /* the open call, if there is one, was entered before the thread was adopted */
#define SLOT_ARRIVED 2 /* its next exit ends no call of its own: a new thread, or one that has just arrived */
#define SLOT_TRAPPED 4 /* a filter's SIGSYS came: the exit that follows is of the call that was trapped */
#define SLOT_FIRST 8   /* the first instance of the sys_exit program has dealt with this exit (HAVE_PREEMPTION) */
#define SLOT_SECOND 16 /* the second one has */

/* A traced thread by its id: everybody else's way to its slot. */
struct thread {
	u32 tid; /* 0: free */
	u16 slot;
	u16 chained; /* as above */
};

/* One CPU's records on their way to the ring, written by task-context programs alone. */
#define BATCH 16
struct batch {
	u32 busy; /* a program is at work in it */
	u32 count;
	u64 counted;
	u64 lost;
	u64 pad[5];
	struct element elements[BATCH];
	u64 tail[8]; /* keeps CPUs on lines of their own */
};

/* One CPU's ledger of what was written straight to the ring, from any context. */
struct ledger {
	u64 counted;
	u64 lost;
	u64 untracked; /* threads that found no slot */
	u64 unlearnt;  /* sockets that found no room in the table */
	u64 unentered; /* exits of calls whose entry the kernel did not show */
	u64 arrived;   /* no count: the socket that was ready last on this CPU, until its inode has been compared */
	u64 pad[2];
};

/* Programs that others jump to (tail calls) for what is seldom, so that those stay small. */
enum tail {
	TAIL_ARRIVE,
	TAIL_SUBMIT,
	TAIL_LEARN,
	TAIL_DESCRIBE,
	TAIL_EVENTS,
	TAIL_UNENTERED,
	TAIL_EXECUTED,
	TAIL_MESSAGES,
	TAIL_WATCH,
	TAIL_WATCH_MORE,
	TAIL_OWNER,
	TAILS
};

/* What to do with a call's arguments: which one to keep, and what to learn from them. */
struct call {
	u32 keep; /* the argument (1, 2, 3 or 5) that goes into `arg`, 0 for none */
	u32 learn;
};
#define LEARN_ARGS 1   /* add a KIND_ARGS record */
#define LEARN_RESULT 2 /* the result is a new descriptor */
#define LEARN_FIRST 4  /* argument 0 is a descriptor that data may come from */
#define LEARN_PAIR0 8  /* argument 0 points at two new descriptors (pipe) */
#define LEARN_PAIR3 16 /* argument 3 points at two new descriptors (socketpair) */
#define LEARN_THIRD 32 /* argument 2 is a descriptor (epoll_ctl), argument 3 its struct epoll_event */
#define LEARN_EXEC 64
#define LEARN_EVENTS 128      /* argument 3 points at the struct io_events that came (io_getevents) */
#define LEARN_SILENT 256      /* no record: the user asked for other calls. What it sets up is still learnt. */
#define LEARN_ADDRESS 512     /* the descriptor learnt is a socket that has addresses now */
#define LEARN_PATH0 1024      /* argument 0 is the path by which it was opened */
#define LEARN_PATH1 2048      /* argument 1 is */
#define LEARN_SENDS 4096      /* of LEARN_FIRST: data goes there */
#define LEARN_ENDS 8192       /* descriptors are closed: argument 0 where LEARN_FIRST is there too, else many */
#define LEARN_WATCHED 16384   /* a look at the call's entry, at what it watches and for how long */
#define LEARN_DUPS 65536      /* the result is a new descriptor if argument 1 is F_DUPFD (fcntl) */
#define LEARN_MESSAGES 262144 /* argument 1 points at as many struct mmsghdr as the result says: KIND_MESSAGES */
#define LEARN_SECOND 524288   /* the argument that is kept is a descriptor too: splice's output, sendfile's input */
#define LEARN_OWNER 1048576   /* a look at the call's entry, at who owns what it waits for (futex) */

#define PID_LIMIT 4194304      /* PID_MAX_LIMIT of <linux/threads.h>: no ID is as large */
#define WAKERS 8192            /* a power of two: places to remember who was named as a waker */
#define WAS_OPEN 0x8000        /* in a KIND_DESCRIPTOR's nr: a look at what was open before */
#define CLOSES_ON_EXEC 0x10000 /* in its arg */
#define GOES_ON 1
#define SWITCH_SAYS_NEXT 1                 /* in a KIND_SWITCH_OUT's start: its result is a thread */
#define WATCHED_MORE 0x8000                /* in a KIND_WATCHED's nr: not the first record of a set */
#define WATCHED_POLL 0x0000ffffffffffffULL /* of a struct pollfd: fd, and events << 32 */
#define TIMEOUT_NEVER (-1)
#define TIMEOUT_UNREAD (-2)
#define NR_COMPAT 0x8000 /* in a call's nr: made by the 32-bit ABI (int 0x80, sysenter), whose numbers are others */
#define NR_WHOLE 0x7fff  /* a call's nr where the number is 0x4000 or more (x32's have bit 30): it stands in arg */
#define NR_MOST 0x4000
#define SAYS_REFUSED 0 /* in a KIND_UNENTERED's start: result is what the program got */
#define SAYS_TRAPPED 1 /* a filter answered with SIGSYS: result is the call's own number, and means nothing */

/* Who may say which threads are traced. */
struct owner {
	u64 secret;    /* argument 1 of every prctl below */
	u64 birth;     /* of iotrace's own process: when its first thread began; 0 until it has made itself known */
	u32 tgid;      /* of iotrace's own process */
	u32 announced; /* a target has arrived: the secret lets in no other */
	u32 who;       /* the answer to PRCTL_WHO, 0: it has ended */
	u32 pad;
};

/* The prctl options by which threads come to be traced; argument 1 is the run's secret (tracer/capture/exec_gate.py,
 * attach.py) */
/* iotrace makes itself known, before anybody else is told the secret: the first one counts */
#define PRCTL_OWN 0x10774AD3
#define PRCTL_ANNOUNCE 0x10774ACE /* 2: the first of DESCRIPTORS_AT_ONCE descriptors to learn; with 0 it arrives */
/* of iotrace's own process alone: */
#define PRCTL_ADOPT 0x10774AD0   /* 2: a descriptor of /proc/PID/task/TID, 3: TID */
#define PRCTL_RELEASE 0x10774AD2 /* 2: a descriptor of /proc/PID/task/TID, traced no more */
#define PRCTL_LEARN 0x10774AD1   /* 2: the same, 3: the first of DESCRIPTORS_AT_ONCE descriptors to learn */
#define PRCTL_WHO 0x10774AD4     /* 2: the same: owner->who becomes its id in the initial PID namespace */
#define DESCRIPTORS_AT_ONCE 8    /* the verifier walks through each: 64 took it 45 ms */
