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
from tracer.recording.records import GOES_ON, WAS_OPEN, Kind

# The columns that hold IDs beside `tid`, and of which kinds.
THREAD_COLUMNS = {"fd": (Kind.THREAD, Kind.WAKING, Kind.SWITCH_IN)}
PROCESS_COLUMNS = {
    "result": (Kind.THREAD, Kind.START, Kind.EXIT, Kind.EXEC),
    "arg": (Kind.NAME,),
}

Record = tuple[int, int, int, int, int, int, int, int]
"""One record as RECORD has it."""

_NO_ROWS = np.empty(0, np.int64)
_EXECVE = syscalls.numbers()["execve"]


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

    @property
    def kind(self) -> np.ndarray:
        """enum kind."""
        return self.batch.kind[self.rows]

    @property
    def time(self) -> np.ndarray:
        """When it happened (ns)."""
        return self.batch.time[self.rows]

    @property
    def tid(self) -> np.ndarray:
        """The thread that it is about."""
        return self.batch.tid[self.rows]


class Calls(View):
    """System calls that returned, and (OPEN) those that had not when tracing ended."""

    KINDS = (Kind.CALL, Kind.OPEN)
    __slots__ = ()

    @property
    def start(self) -> np.ndarray:
        """When the call was entered (ns); `time` is its return."""
        return self.batch.start[self.rows]

    @property
    def number(self) -> np.ndarray:
        """The system call's number."""
        return self.batch.nr[self.rows]

    @property
    def result(self) -> np.ndarray:
        """Its result, a negative errno where it failed."""
        return self.batch.result[self.rows]

    @property
    def fd(self) -> np.ndarray:
        """Argument 0."""
        return self.batch.fd[self.rows]

    @property
    def argument(self) -> np.ndarray:
        """The argument that the table of calls says to keep (tracer/bpf/actions.py)."""
        return self.batch.arg[self.rows]


class Arguments(View):
    """What a call that sets something up was given; follows the call's own record."""

    KINDS = (Kind.ARGS,)
    __slots__ = ()

    @property
    def number(self) -> np.ndarray:
        """The system call's number."""
        return self.batch.nr[self.rows]

    @property
    def first(self) -> np.ndarray:
        """Argument 0."""
        return self.batch.fd[self.rows]

    @property
    def second(self) -> np.ndarray:
        """Argument 1."""
        return self.batch.start[self.rows]

    @property
    def third(self) -> np.ndarray:
        """Argument 2."""
        return self.batch.result[self.rows]

    @property
    def fourth(self) -> np.ndarray:
        """Argument 3; of epoll_ctl the events that it points at."""
        return self.batch.arg[self.rows]


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

    @property
    def cpu(self) -> np.ndarray:
        """Which CPU."""
        return self.batch.nr[self.rows]


class SwitchesIn(View):
    """A thread got a CPU (sched_switch)."""

    KINDS = (Kind.SWITCH_IN,)
    __slots__ = ()

    @property
    def previous(self) -> np.ndarray:
        """The thread that had the CPU before (0: it was idle)."""
        return self.batch.fd[self.rows]

    @property
    def cpu(self) -> np.ndarray:
        """Which CPU."""
        return self.batch.nr[self.rows]


class Wakings(View):
    """A thread was woken (sched_waking)."""

    KINDS = (Kind.WAKING,)
    __slots__ = ()

    @property
    def waker(self) -> np.ndarray:
        """The thread that had the CPU of the waking: it woke the other, or was interrupted for that (0: idle)."""
        return self.batch.fd[self.rows]


class Readinesses(View):
    """Data came to a socket (sk_data_ready)."""

    KINDS = (Kind.READY,)
    __slots__ = ()

    @property
    def inode(self) -> np.ndarray:
        """The socket's inode."""
        return self.batch.start[self.rows]


class Copies(View):
    """Data was copied to the thread (skb_copy_datagram_iovec)."""

    KINDS = (Kind.COPY,)
    __slots__ = ()

    @property
    def bytes(self) -> np.ndarray:
        """Number of bytes."""
        return self.batch.result[self.rows]


class Signals(View):
    """A signal was sent (GENERATE) to the thread, or reached it (DELIVER)."""

    KINDS = (Kind.SIGNAL_GENERATE, Kind.SIGNAL_DELIVER)
    __slots__ = ()

    @property
    def number(self) -> np.ndarray:
        """The signal."""
        return self.batch.fd[self.rows]

    @property
    def code(self) -> np.ndarray:
        """int32[n]: si_code (sigaction(2))."""
        return self.batch.arg[self.rows].view(np.int32)

    @property
    def made(self) -> np.ndarray:
        """bool[n]: true where the signal was sent, false where it was delivered."""
        flags: np.ndarray = self.kind == Kind.SIGNAL_GENERATE
        return flags

    @property
    def outcome(self) -> np.ndarray:
        """Of a sent signal: TRACE_SIGNAL_* (include/trace/events/signal.h)."""
        return self.batch.result[self.rows]

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

    @property
    def fd(self) -> np.ndarray:
        """The descriptor."""
        return self.batch.fd[self.rows]

    @property
    def inode(self) -> np.ndarray:
        """The file's inode."""
        return self.batch.start[self.rows]

    @property
    def mode(self) -> np.ndarray:
        """i_mode: the file's type and permissions (inode(7))."""
        return self.batch.arg[self.rows]

    @property
    def flags(self) -> np.ndarray:
        """f_flags (open(2))."""
        return self.batch.result[self.rows]

    @property
    def was_open(self) -> np.ndarray:
        """bool[n]: the file was open before this record; no traced call has just opened it."""
        flags: np.ndarray = self.batch.nr[self.rows] & WAS_OPEN != 0
        return flags


class Births(View):
    """A thread began (THREAD: task_newtask), or came into the trace (START: at the gate, or adopted as it ran)."""

    KINDS = (Kind.THREAD, Kind.START)
    __slots__ = ()

    @property
    def tgid(self) -> np.ndarray:
        """Its process."""
        return self.batch.result[self.rows]

    @property
    def creator(self) -> np.ndarray:
        """The thread that created this one, 0 where that was not traced."""
        return self.batch.fd[self.rows]

    @property
    def adopted(self) -> np.ndarray:
        """Time (ns) at which the running thread was adopted, 0 where it was not adopted."""
        return np.where(self.kind == Kind.START, self.batch.start[self.rows], 0)

    @property
    def local_tid(self) -> np.ndarray:
        """Of an adopted thread: its ID in iotrace's PID namespace."""
        return self.batch.arg[self.rows]


class Exits(View):
    """A thread ended (sched_process_exit), or took its leader's ID by execve (goes_on)."""

    KINDS = (Kind.EXIT,)
    __slots__ = ()

    @property
    def tgid(self) -> np.ndarray:
        """The thread's process; where the thread goes on, its ID from now on."""
        return self.batch.result[self.rows]

    @property
    def goes_on(self) -> np.ndarray:
        """bool[n]: the thread, not its process's leader, has called execve and lives on with the leader's ID."""
        flags: np.ndarray = self.batch.arg[self.rows] == GOES_ON
        return flags

    @property
    def exec_start(self) -> np.ndarray:
        """Where the thread goes on: time (ns) of its entry into execve."""
        return self.batch.start[self.rows]


class Names(View):
    """A thread's name (comm), 16 bytes: records.text_of has it as text."""

    KINDS = (Kind.NAME,)
    __slots__ = ()

    @property
    def low(self) -> np.ndarray:
        """The first 8 bytes."""
        return self.batch.start[self.rows]

    @property
    def high(self) -> np.ndarray:
        """The other 8."""
        return self.batch.result[self.rows]

    @property
    def tgid(self) -> np.ndarray:
        """The thread's process."""
        return self.batch.arg[self.rows]


class LibraryCalls(View):
    """A function of the C library was called (uprobe)."""

    KINDS = (Kind.LIBRARY,)
    __slots__ = ()

    @property
    def function(self) -> np.ndarray:
        """enum library: a key of records.LIBRARY_NAMES."""
        return self.batch.nr[self.rows]

    @property
    def fd(self) -> np.ndarray:
        """The descriptor that it was given."""
        return self.batch.fd[self.rows]

    @property
    def block(self) -> np.ndarray:
        """The address of its control block (struct aiocb)."""
        return self.batch.start[self.rows]


class UringRequests(View):
    """A request of io_uring: submitted, without data and so polled (armed), handed to a worker, or complete."""

    KINDS = (Kind.URING_SUBMIT, Kind.URING_POLL, Kind.URING_WORK, Kind.URING_COMPLETE)
    __slots__ = ()

    @property
    def address(self) -> np.ndarray:
        """The address of the kernel's request (struct io_kiocb), 0: unknown."""
        return self.batch.start[self.rows]

    @property
    def user_data(self) -> np.ndarray:
        """The number that the program gave the request."""
        return self.batch.result[self.rows]

    @property
    def opcode(self) -> np.ndarray:
        """Of a submitted request: IORING_OP_*."""
        return self.batch.nr[self.rows]

    @property
    def fd(self) -> np.ndarray:
        """Of a submitted request: its descriptor, or the index of a registered file."""
        return self.batch.fd[self.rows]

    @property
    def flags(self) -> np.ndarray:
        """Of a submitted request REQ_F_*, of a complete one IORING_CQE_F_*."""
        return self.batch.arg[self.rows]

    @property
    def outcome(self) -> np.ndarray:
        """Of a complete request: the completion's res, bytes or a negative errno."""
        return self.batch.fd[self.rows]


class UringRings(View):
    """io_uring_setup made a ring."""

    KINDS = (Kind.URING_RING,)
    __slots__ = ()

    @property
    def fd(self) -> np.ndarray:
        """The ring's descriptor."""
        return self.batch.fd[self.rows]

    @property
    def address(self) -> np.ndarray:
        """The address of the kernel's ring (struct io_ring_ctx)."""
        return self.batch.start[self.rows]

    @property
    def flags(self) -> np.ndarray:
        """IORING_SETUP_*."""
        return self.batch.arg[self.rows]


class UringFiles(View):
    """The registered file of the request that completes next."""

    KINDS = (Kind.URING_FILE,)
    __slots__ = ()

    @property
    def address(self) -> np.ndarray:
        """The request's, as in UringRequests."""
        return self.batch.start[self.rows]

    @property
    def inode(self) -> np.ndarray:
        """The file's inode."""
        return self.batch.result[self.rows]

    @property
    def mode(self) -> np.ndarray:
        """The file's i_mode."""
        return self.batch.arg[self.rows]


class AioRequests(View):
    """A request of native AIO: one of io_submit's blocks, or (EVENT) one of io_getevents' results."""

    KINDS = (Kind.AIO_SUBMIT, Kind.AIO_EVENT)
    __slots__ = ()

    @property
    def block(self) -> np.ndarray:
        """The address of its control block (struct iocb)."""
        return self.batch.start[self.rows]

    @property
    def opcode(self) -> np.ndarray:
        """Of a submitted request: IOCB_CMD_*."""
        return self.batch.nr[self.rows]

    @property
    def fd(self) -> np.ndarray:
        """Of a submitted request: its descriptor."""
        return self.batch.fd[self.rows]

    @property
    def result(self) -> np.ndarray:
        """Of a submitted request the bytes asked for; of an event its res, bytes or a negative errno."""
        return self.batch.result[self.rows]

    @property
    def place(self) -> np.ndarray:
        """Index of the request or event in its call's array, from 0."""
        return self.batch.arg[self.rows]


class Addresses(View):
    """An address of a socket."""

    KINDS = (Kind.ADDRESS,)
    __slots__ = ()

    @property
    def fd(self) -> np.ndarray:
        """The socket's descriptor."""
        return self.batch.fd[self.rows]

    @property
    def remote(self) -> np.ndarray:
        """bool[n]: true for the address of the other end, false for the socket's own."""
        flags: np.ndarray = self.batch.nr[self.rows] == 1
        return flags

    @property
    def low(self) -> np.ndarray:
        """The address' first 8 bytes; of IPv4 the first 4 count."""
        return self.batch.start[self.rows]

    @property
    def high(self) -> np.ndarray:
        """Its last 8 bytes."""
        return self.batch.result[self.rows]

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

    @property
    def fd(self) -> np.ndarray:
        """The descriptor."""
        return self.batch.fd[self.rows]

    @property
    def low(self) -> np.ndarray:
        """The first 8 of the bytes."""
        return self.batch.start[self.rows]

    @property
    def high(self) -> np.ndarray:
        """The other 8."""
        return self.batch.result[self.rows]

    @property
    def piece(self) -> np.ndarray:
        """Index of these 16 bytes among the pieces of the path, from 0."""
        return self.batch.nr[self.rows]


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
