"""What the fields of a record mean, for each kind of record (enum kind of probes/iotrace.h): the one place that knows.

A view names the fields of some rows of a batch. It copies nothing until a field is asked for:

    wakings = Wakings.of(batch)
    wakings.tid, wakings.waker        # int arrays, one entry for each waking

Times are ns of CLOCK_MONOTONIC. A field's array has the dtype of the column that it lies in.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import ClassVar, Self, TypeAlias

import numpy as np

from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.records import (
    CLOSES_ON_EXEC,
    GOES_ON,
    SAYS_TRAPPED,
    SWITCH_SAYS_NEXT,
    WAS_OPEN,
    WATCHED_MORE,
    Kind,
)

# The columns that hold IDs beside `tid`, and of which kinds.
THREAD_COLUMNS = {
    "fd": (Kind.THREAD, Kind.WAKING, Kind.SWITCH_IN, Kind.NEIGHBOUR, Kind.OWNER),
    "result": (Kind.SWITCH_OUT,),
}
PROCESS_COLUMNS = {
    "result": (Kind.THREAD, Kind.START, Kind.EXIT, Kind.EXEC),
    "arg": (Kind.NAME, Kind.NEIGHBOUR),
}

Record = tuple[int, int, int, int, int, int, int, int]
"""One record as RECORD has it."""

_STOPPED = 0x4 | 0x8  # __TASK_STOPPED, __TASK_TRACED
_NO_ROWS = np.empty(0, np.int64)
_EXECVE = syscalls.numbers()["execve"]


class Field:
    """A column of the records, under the name that it has in a view; `meaning` says what it holds there."""

    def __init__(self, column: str, meaning: str) -> None:
        self._column, self.__doc__ = column, meaning

    def __get__(self, view: View, owner: type[View]) -> np.ndarray:
        """The column at the view's rows."""
        column: np.ndarray = getattr(view.batch, self._column)[view.rows]
        return column


class View:
    """Some rows of a batch (`rows`: indices, a mask or a slice), all of the view's KINDS."""

    KINDS: ClassVar[tuple[Kind, ...]] = ()
    __slots__ = ("batch", "rows")

    def __init__(self, batch: RecordBatch, rows: np.ndarray | slice) -> None:
        self.batch, self.rows = batch, rows

    @classmethod
    def of(cls, batch: RecordBatch) -> Self:
        """The batch's records of these kinds, in their order."""
        kinds = [kind for kind in cls.KINDS if batch.has(kind)]
        if not kinds:
            return cls(batch, _NO_ROWS)
        wanted = batch.kind == kinds[0]
        for kind in kinds[1:]:
            wanted |= batch.kind == kind
        return cls(batch, np.flatnonzero(wanted))

    def where(self, chosen: np.ndarray) -> Self:
        """The view of the rows that a mask or indices choose among this view's."""
        return type(self)(self.batch, self.places[chosen])

    def __len__(self) -> int:
        return len(self.time)

    @property
    def places(self) -> np.ndarray:
        """int[n]: the rows' indices in the batch."""
        if isinstance(self.rows, slice) or self.rows.dtype == bool:
            places: np.ndarray = np.arange(len(self.batch))[self.rows]
            return places
        return self.rows

    kind = Field("kind", "enum kind.")
    time = Field("time", "When it happened (ns).")
    tid = Field("tid", "The thread that it is about.")


class Calls(View):
    """System calls that returned, and (OPEN) those that had not when tracing ended."""

    KINDS = (Kind.CALL, Kind.OPEN)
    __slots__ = ()

    start = Field("start", "When the call was entered (ns); `time` is its return.")
    number = Field(
        "nr", "The system call's number; syscalls.Call.of has it with its ABI, and in full."
    )
    result = Field("result", "Its result, a negative errno where it failed.")
    fd = Field("fd", "Argument 0.")
    argument = Field(
        "arg",
        "The argument that the table of calls says to keep (tracer/bpf/actions.py); the call's "
        "number where `number` has no room for it.",
    )


class UnenteredCalls(View):
    """System calls whose exit alone the kernel showed: a seccomp filter or a tracer answered them before they began."""

    KINDS = (Kind.UNENTERED,)
    __slots__ = ()

    number = Field("nr", "As of Calls.")
    result = Field("result", "What the program got; of a trapped call its own number.")
    fd = Field("fd", "Argument 0.")
    argument = Field("arg", "As of Calls.")

    @property
    def trapped(self) -> np.ndarray:
        """bool[n]: the filter answered with SIGSYS; the call has no result."""
        flags: np.ndarray = self.batch.start[self.rows] == SAYS_TRAPPED
        return flags


class Arguments(View):
    """What a call that sets something up was given; follows the call's own record."""

    KINDS = (Kind.ARGS,)
    __slots__ = ()

    number = Field("nr", "The system call's number.")
    first = Field("fd", "Argument 0.")
    second = Field("start", "Argument 1.")
    third = Field("result", "Argument 2.")
    fourth = Field("arg", "Argument 3; of epoll_ctl the events that it points at.")


class SwitchesOut(View):
    """A thread gave up its CPU (sched_switch)."""

    KINDS = (Kind.SWITCH_OUT,)
    __slots__ = ()

    @property
    def preempted(self) -> np.ndarray:
        """bool[n]: the thread could have run on. Its state is TASK_RUNNING (0), or the kernel took the CPU from it on
        the way to sleep."""
        preempted: np.ndarray = (self.batch.arg[self.rows] == 0) | (self.batch.fd[self.rows] == 1)
        return preempted

    cpu = Field("nr", "Which CPU.")
    state = Field("arg", "The task's state as the kernel keeps it: TASK_* (include/linux/sched.h).")
    taken = Field("fd", "1 where the kernel took the CPU from it (sched_switch's `preempt`).")

    @property
    def next(self) -> np.ndarray:
        """int64[n]: the thread that got the CPU (0: none, the CPU was idle; −1: not recorded)."""
        says = self.batch.start[self.rows] == SWITCH_SAYS_NEXT
        return np.where(says, self.batch.result[self.rows], -1)

    @property
    def stopped(self) -> np.ndarray:
        """bool[n]: a signal (SIGSTOP, SIGTSTP …) or a tracer (ptrace) stopped the thread: __TASK_STOPPED or
        __TASK_TRACED is in its state (include/linux/sched.h)."""
        stopped: np.ndarray = (self.batch.arg[self.rows] & _STOPPED != 0) & ~self.preempted
        return stopped


class Turns(View):
    """When a thread got a CPU, or lost it: switches, births and ends."""

    KINDS = (Kind.SWITCH_IN, Kind.START, Kind.SWITCH_OUT, Kind.THREAD, Kind.EXIT)
    __slots__ = ()

    @property
    def runs(self) -> np.ndarray:
        """bool[n]: the thread has a CPU from then on. A thread that came into the trace (START) has one; a new thread
        (THREAD) has none yet."""
        runs: np.ndarray = (self.kind == Kind.SWITCH_IN) | (self.kind == Kind.START)
        return runs

    cpu = Field("nr", "Which CPU.")


class SwitchesIn(View):
    """A thread got a CPU (sched_switch)."""

    KINDS = (Kind.SWITCH_IN,)
    __slots__ = ()

    previous = Field("fd", "The thread that had the CPU before (0: it was idle).")
    cpu = Field("nr", "Which CPU.")


class Wakings(View):
    """A thread was woken (sched_waking)."""

    KINDS = (Kind.WAKING,)
    __slots__ = ()

    waker = Field(
        "fd",
        "The thread that had the CPU of the waking: it woke the other, or was interrupted for that (0: idle).",
    )
    cpu = Field("nr", "Which CPU.")


class Readinesses(View):
    """Data came to a socket (sk_data_ready)."""

    KINDS = (Kind.READY,)
    __slots__ = ()

    inode = Field("start", "The socket's inode.")
    cpu = Field("nr", "On which CPU.")


class Copies(View):
    """Data was copied to the thread (skb_copy_datagram_iovec)."""

    KINDS = (Kind.COPY,)
    __slots__ = ()

    bytes = Field("result", "Number of bytes.")


class Messages(View):
    """Messages of the recvmmsg or sendmmsg whose record comes next in the thread; of many, several records."""

    KINDS = (Kind.MESSAGES,)
    __slots__ = ()

    number = Field("nr", "The system call's number.")
    fd = Field("fd", "Its descriptor.")
    flags = Field("arg", "Its flags (MSG_*).")
    count = Field("result", "Number of messages whose length was read.")
    bytes = Field("start", "The sum of those lengths.")


class Signals(View):
    """A signal was sent (GENERATE) to the thread, or reached it (DELIVER)."""

    KINDS = (Kind.SIGNAL_GENERATE, Kind.SIGNAL_DELIVER)
    __slots__ = ()

    number = Field("fd", "The signal.")

    @property
    def code(self) -> np.ndarray:
        """int32[n]: si_code (sigaction(2))."""
        return self.batch.arg[self.rows].view(np.int32)

    @property
    def made(self) -> np.ndarray:
        """bool[n]: true where the signal was sent, false where it was delivered."""
        flags: np.ndarray = self.kind == Kind.SIGNAL_GENERATE
        return flags

    outcome = Field("result", "Of a sent signal: TRACE_SIGNAL_* (include/trace/events/signal.h).")

    @property
    def handled(self) -> np.ndarray:
        """bool[n], of a delivered signal: whether a handler runs."""
        flags: np.ndarray = self.batch.start[self.rows] == 1
        return flags

    @property
    def fd(self) -> np.ndarray:
        """si_fd, where si_code is one of POLL_*."""
        return np.where(self.made, self.batch.start[self.rows], self.batch.result[self.rows])


class Descriptors(View):
    """What a descriptor of the thread's process is: a call has opened it, or it was looked at."""

    KINDS = (Kind.DESCRIPTOR,)
    __slots__ = ()

    fd = Field("fd", "The descriptor.")
    inode = Field("start", "The file's inode.")

    @property
    def mode(self) -> np.ndarray:
        """uint32[n], i_mode: the file's type and permissions (inode(7))."""
        return self.batch.arg[self.rows] & 0xFFFF

    @property
    def closes_on_exec(self) -> np.ndarray:
        """bool[n]: execve closes the descriptor (FD_CLOEXEC)."""
        flags: np.ndarray = self.batch.arg[self.rows] & CLOSES_ON_EXEC != 0
        return flags

    @property
    def flags(self) -> np.ndarray:
        """int64[n], f_flags (open(2))."""
        return self.batch.result[self.rows] & 0xFFFFFFFF

    @property
    def mark(self) -> np.ndarray:
        """int64[n]: a word by which inodes of one number differ, on other file systems or one after the other; 0 in
        recordings that do not tell it."""
        return self.batch.result[self.rows] >> 32 & 0xFFFFFFFF

    @property
    def was_open(self) -> np.ndarray:
        """bool[n]: the file was open before this record; no traced call has just opened it."""
        flags: np.ndarray = self.batch.nr[self.rows] & WAS_OPEN != 0
        return flags


class Files(View):
    """The file of the DESCRIPTOR record of the same thread that comes next; fd −1: the table of descriptors of a thread
    that was adopted."""

    KINDS = (Kind.FILE,)
    __slots__ = ()

    fd = Field("fd", "The descriptor.")
    low = Field(
        "start", "The first 8 bytes of its name; of a socket what naming.SocketFacts reads."
    )
    high = Field("result", "The other 8; of a socket its peer's inode (AF_UNIX) or port ID.")
    magic = Field("nr", "Its file system's magic number (statfs(2)), both halves xored.")
    open_file = Field(
        "arg", "Which open file it is; used again when that is closed. Or which table."
    )


class Births(View):
    """A thread began (THREAD: task_newtask), or came into the trace (START: at the gate, or adopted as it ran)."""

    KINDS = (Kind.THREAD, Kind.START)
    __slots__ = ()

    tgid = Field("result", "Its process.")
    creator = Field("fd", "The thread that created this one, 0 where that was not traced.")

    @property
    def clone_flags(self) -> np.ndarray:
        """int64[n], of a thread that was created: CLONE_* (clone(2)); 0 for a fork, and in recordings that do not
        tell them."""
        return np.where(self.kind == Kind.THREAD, self.batch.start[self.rows], 0)

    @property
    def adopted(self) -> np.ndarray:
        """Time (ns) at which the running thread was adopted, 0 where it was not adopted."""
        return np.where(self.kind == Kind.START, self.batch.start[self.rows], 0)

    local_tid = Field("arg", "Of an adopted thread: its ID in iotrace's PID namespace.")


class Exits(View):
    """A thread ended (sched_process_exit), or took its leader's ID by execve (goes_on)."""

    KINDS = (Kind.EXIT,)
    __slots__ = ()

    tgid = Field("result", "The thread's process; where the thread goes on, its ID from now on.")

    @property
    def goes_on(self) -> np.ndarray:
        """bool[n]: the thread, not its process's leader, has called execve and lives on with the leader's ID."""
        flags: np.ndarray = self.batch.arg[self.rows] == GOES_ON
        return flags

    cpu = Field("nr", "On which CPU.")
    exec_start = Field("start", "Where the thread goes on: time (ns) of its entry into execve.")
    status = Field("fd", "Its exit status as wait(2) has it, -1 where it was not recorded.")


class Executions(View):
    """A thread has executed another program (execve)."""

    KINDS = (Kind.EXEC,)
    __slots__ = ()

    tgid = Field("result", "Its process.")


class Names(View):
    """A thread's name (comm), 16 bytes: records.bytes_of has them."""

    KINDS = (Kind.NAME,)
    __slots__ = ()

    low = Field("start", "The first 8 bytes.")
    high = Field("result", "The other 8.")
    tgid = Field("arg", "The thread's process.")


class WakerNames(View):
    """The name (comm) of a thread, `tid`, that is not traced and woke one that is: records.bytes_of has them."""

    KINDS = (Kind.WAKER,)
    __slots__ = ()

    low = Field("start", "The first 8 bytes.")
    high = Field("result", "The other 8.")


class LibraryCalls(View):
    """A function of the C library was called (uprobe)."""

    KINDS = (Kind.LIBRARY,)
    __slots__ = ()

    function = Field("nr", "enum library: a key of records.LIBRARY_NAMES.")
    fd = Field("fd", "The descriptor that it was given.")
    block = Field("start", "The address of its control block (struct aiocb).")


class UringRequests(View):
    """A request of io_uring: submitted, without data and so polled (armed), handed to a worker, or complete."""

    KINDS = (Kind.URING_SUBMIT, Kind.URING_POLL, Kind.URING_WORK, Kind.URING_COMPLETE)
    __slots__ = ()

    address = Field("start", "The address of the kernel's request (struct io_kiocb), 0: unknown.")
    user_data = Field("result", "The number that the program gave the request.")
    opcode = Field("nr", "Of a submitted request: IORING_OP_*.")
    fd = Field("fd", "Of a submitted request: its descriptor, or the index of a registered file.")
    flags = Field("arg", "Of a submitted request REQ_F_*, of a complete one IORING_CQE_F_*.")
    outcome = Field("fd", "Of a complete request: the completion's res, bytes or a negative errno.")


class UringRings(View):
    """io_uring_setup made a ring."""

    KINDS = (Kind.URING_RING,)
    __slots__ = ()

    fd = Field("fd", "The ring's descriptor.")
    address = Field("start", "The address of the kernel's ring (struct io_ring_ctx).")
    flags = Field("arg", "IORING_SETUP_*.")


class UringFiles(View):
    """The registered file of the request that completes next."""

    KINDS = (Kind.URING_FILE,)
    __slots__ = ()

    address = Field("start", "The request's, as in UringRequests.")
    inode = Field("result", "The file's inode.")
    mode = Field("arg", "The file's i_mode.")


class AioRequests(View):
    """A request of native AIO: one of io_submit's blocks, or (EVENT) one of io_getevents' results."""

    KINDS = (Kind.AIO_SUBMIT, Kind.AIO_EVENT)
    __slots__ = ()

    block = Field("start", "The address of its control block (struct iocb).")
    opcode = Field("nr", "Of a submitted request: IOCB_CMD_*.")
    fd = Field("fd", "Of a submitted request: its descriptor.")
    result = Field(
        "result",
        "Of a submitted request the bytes asked for; of an event its res, bytes or a negative errno.",
    )
    place = Field("arg", "Index of the request or event in its call's array, from 0.")


class Addresses(View):
    """An address of a socket."""

    KINDS = (Kind.ADDRESS,)
    __slots__ = ()

    fd = Field("fd", "The socket's descriptor.")

    @property
    def remote(self) -> np.ndarray:
        """bool[n]: true for the address of the other end, false for the socket's own."""
        flags: np.ndarray = self.batch.nr[self.rows] == 1
        return flags

    low = Field("start", "The address' first 8 bytes; of IPv4 the first 4 count.")
    high = Field("result", "Its last 8 bytes.")

    @property
    def port(self) -> np.ndarray:
        """The port."""
        return self.batch.arg[self.rows] & 0xFFFF

    @property
    def socket_type(self) -> np.ndarray:
        """SOCK_*."""
        return self.batch.arg[self.rows] >> 16 & 0xFF

    @property
    def family(self) -> np.ndarray:
        """AF_*."""
        return self.batch.arg[self.rows] >> 24


class Paths(View):
    """16 bytes of the path by which a descriptor was opened."""

    KINDS = (Kind.PATH,)
    __slots__ = ()

    fd = Field("fd", "The descriptor.")
    low = Field("start", "The first 8 of the bytes.")
    high = Field("result", "The other 8.")
    piece = Field("nr", "Index of these 16 bytes among the pieces of the path, from 0.")


class WatchedSets(View):
    """What a call watches (select, poll, epoll_wait and their like), where its thread's last such call did not watch
    the same for as long; `time` is the call's entry."""

    KINDS = (Kind.WATCHED,)
    __slots__ = ()

    @classmethod
    def of(cls, batch: RecordBatch) -> Self:
        view = super().of(batch)
        return view.where(view.batch.nr[view.rows] < WATCHED_MORE)

    number = Field("nr", "The system call's number.")
    timeout = Field("start", "Its time-out (ns), or TIMEOUT_NEVER, TIMEOUT_UNREAD.")
    count = Field("fd", "Of poll how many descriptors, of select one more than the highest.")
    first = Field("result", "Of poll the first descriptor | its events << 32.")
    more = Field("arg", "How many WatchedMore follow.")


class WatchedMore(View):
    """More of the thread's last WatchedSets: of poll three descriptors, of select 64 bits of each of its sets."""

    KINDS = (Kind.WATCHED,)
    __slots__ = ()

    @classmethod
    def of(cls, batch: RecordBatch) -> Self:
        view = super().of(batch)
        return view.where(view.batch.nr[view.rows] >= WATCHED_MORE)

    @property
    def piece(self) -> np.ndarray:
        """Index of this record among those of its set, from 0."""
        return self.batch.nr[self.rows] - WATCHED_MORE

    @property
    def words(self) -> np.ndarray:
        """uint64[n, 3]: of poll three descriptors (−1: none), each | its events << 32; of select the bits of readfds,
        writefds and exceptfds."""
        batch, rows = self.batch, self.rows
        third = batch.fd[rows].view(np.uint32) | batch.arg[rows].astype(np.uint64) << np.uint64(32)
        return np.stack(
            [batch.start[rows].view(np.uint64), batch.result[rows].view(np.uint64), third], axis=1
        )


class LockOwners(View):
    """What stands where glibc's mutexes have their owner, where a thread enters futex to wait (`time` is the entry).
    Whether the word belongs to a mutex at all is not known."""

    KINDS = (Kind.OWNER,)
    __slots__ = ()

    owner = Field("fd", "A thread, if it is a mutex, as the waiting thread's PID namespace has it.")
    word = Field("start", "The futex word's address.")
    operation = Field("arg", "The call's operation (FUTEX_*).")


class Neighbours(View):
    """The name of a thread that had the thread's CPU before it, or got it after it."""

    KINDS = (Kind.NEIGHBOUR,)
    __slots__ = ()

    other = Field("fd", "That thread.")
    low = Field("start", "The first 8 bytes of its name (comm).")
    high = Field("result", "The other 8.")
    tgid = Field("arg", "Its process.")


Row: TypeAlias = tuple[int, type[View], tuple[int, ...]]
"""One record: its place in the batch, the view that it was seen by, and the fields that were asked for."""


def each(*wanted: tuple[View, tuple[str, ...]]) -> Iterator[Row]:
    """The records of some views of one batch one by one, in the batch's order, with these fields of each view as plain
    numbers. For kinds that are few: a loop costs a hundred times what an array operation does."""
    wanted = tuple((view, names) for view, names in wanted if len(view))
    if not wanted:
        return
    rows: list[tuple[type[View], tuple[int, ...]]] = []
    for view, names in wanted:
        columns = (getattr(view, name).tolist() for name in names)
        rows += zip(repeat(type(view)), zip(*columns, strict=True))
    places = np.concatenate([view.places for view, _ in wanted])
    order = np.argsort(places, kind="stable")
    for place, index in zip(places[order].tolist(), order.tolist(), strict=True):
        yield place, *rows[index]


def executed(batch: RecordBatch) -> np.ndarray:
    """bool[n]: the records that say that a program was executed. Of an execve's two records the call's comes first."""
    calls = (batch.kind == Kind.CALL) & (batch.nr == _EXECVE) & (batch.result == 0)
    says: np.ndarray = calls | (batch.kind == Kind.EXEC)
    return says


def exit_record(time: int, tid: int, tgid: int) -> Record:
    """A thread ended."""
    return time, 0, tgid, tid, Kind.EXIT, 0, -1, 0


def start_record(time: int, tid: int, tgid: int, creator: int) -> Record:
    """A thread came into the trace."""
    return time, 0, tgid, tid, Kind.START, 0, creator, 0


def open_record(time: int, start: int, tid: int, number: int) -> Record:
    """A call, entered at `start`, that has not returned."""
    return time, start, 0, tid, Kind.OPEN, number, -1, 0


def arguments_record(
    time: int, tid: int, number: int, first: int, second: int, third: int, fourth: int
) -> Record:
    """What a call that sets something up was given."""
    return time, second, third, tid, Kind.ARGS, number, first, fourth
