"""What happened in a made-up program, told plainly: the input of the reference rules, which read no records.

Times are ns. A story's threads do one thing after the other; tests/reference/stories.py makes stories up, and writes
the records that the probes would have written of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Away:
    """A time off the CPU, inside a call. woken: None where the thread was preempted and could have run; waker: the
    thread that woke it, −1 where that is not known."""

    out: int
    woken: int | None
    back: int
    waker: int = -1


@dataclass
class Call:
    """A system call of a thread, with what happened inside."""

    tid: int
    name: str
    fd: int
    start: int
    end: int
    result: int
    arg: int = 0
    away: list[Away] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)
    # of recvmmsg: of how many messages the bytes are known, those bytes, the call's flags
    messages: tuple[int, int, int] | None = None

    def sleep(self) -> Away | None:
        """The last time that the thread slept in it and was woken."""
        sleeps = [its for its in self.away if its.woken is not None]
        return sleeps[-1] if sleeps else None


@dataclass
class Signal:
    """A signal to a thread. generated: when it was sent, None where that was not seen; delivered: when a handler began,
    None where none did; fd: what its siginfo names."""

    tid: int
    number: int
    code: int
    fd: int
    generated: int | None
    delivered: int | None


@dataclass
class File:
    """What a descriptor of the process is."""

    inode: int
    kind: str  # "socket", "pipe", "file", "disk" or "terminal"
    stream: bool = False
    direct: bool = False  # opened with O_DIRECT
    writable: bool = False  # opened for writing: a pipe's end that is filled
    nonblocking: bool = False  # opened with O_NONBLOCK


@dataclass
class Completion:
    """A request of io_uring was completed: when (ns), on which thread, with how many bytes or which −errno."""

    time: int
    tid: int
    result: int
    goes_on: bool = False


@dataclass
class Uring:
    """A request of io_uring. file: None where nothing is known of it; fixed: its descriptor is an index of the ring's
    own. polled, worked: when it was found without data, and when it was given to a worker (ns)."""

    tid: int
    submitted: int
    opcode: int
    fd: int
    file: File | None
    fixed: bool = False
    polled: list[int] = field(default_factory=list)
    worked: list[int] = field(default_factory=list)
    completions: list[Completion] = field(default_factory=list)


@dataclass
class Aio:
    """A request of native AIO. event: when io_getevents had brought it (ns, 0: never); result: bytes, or −errno."""

    tid: int
    submitted: int
    opcode: int
    fd: int
    file: File | None
    event: int = 0
    result: int = 0


@dataclass
class Story:
    """Everything that happened in one process."""

    files: dict[int, File]
    calls: list[Call] = field(default_factory=list)  # each thread's in its order
    readies: list[tuple[int, int]] = field(default_factory=list)  # (inode, when)
    signals: list[Signal] = field(default_factory=list)
    armed: list[int] = field(default_factory=list)  # when O_ASYNC was set
    registered: list[tuple[int, int, int, int]] = field(
        default_factory=list
    )  # when, epfd, fd, events
    adopted: dict[int, int] = field(default_factory=dict)  # thread → when
    aio_reads: list[tuple[int, int, int]] = field(default_factory=list)  # when, thread, fd
    suspends: list[tuple[int, int]] = field(default_factory=list)  # aio_suspend: when, thread
    born: list[tuple[int, int, int, int]] = field(
        default_factory=list
    )  # when, thread, by whom, first on a CPU
    uring: list[Uring] = field(default_factory=list)
    aio: list[Aio] = field(default_factory=list)
    sleeps: dict[int, list[Away]] = field(default_factory=dict)  # thread → outside of calls
    copies: dict[int, list[int]] = field(default_factory=dict)  # the same
    polled_ring: int | None = None  # the thread that set up a ring with IORING_SETUP_SQPOLL
    has_addresses: bool = True  # whether the kernel tells io_uring's requests by address
    poll_requests: bool = False  # whether io_uring's POLL_ADD is used: its waits tell of readiness

    def threads(self) -> dict[int, list[Call]]:
        """Each thread's calls, in their order."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.tid, []).append(call)
        return found
