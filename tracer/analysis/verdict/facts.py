"""The facts that verdicts and advice rest on: counts, shares, times (ns). report/wording has their sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

# Of an I/O model. `receives` are all of that model, `shown` those that show it by themselves: one that found its data
# there shows nothing.


@dataclass(frozen=True)
class NothingReceived:
    """No receive brought data in."""


@dataclass(frozen=True)
class Undecoded:
    """Calls of 32-bit programs, which are counted and not decoded."""

    calls: int


@dataclass(frozen=True)
class FoundAtOnce:
    """Receives that found their data waiting already."""

    receives: int


@dataclass(frozen=True)
class SleptInCall:
    """Blocking: receives that slept until their data came; slept_ns: in all."""

    shown: int
    receives: int
    slept_ns: int


@dataclass(frozen=True)
class ThreadEach:
    """Blocking: each of so many descriptors had a thread of its own."""

    threads: int


@dataclass(frozen=True)
class AskedAgain:
    """Nonblocking: calls that found nothing before so many receives succeeded."""

    eagains: int
    shown: int
    receives: int


@dataclass(frozen=True)
class NothingTold:
    """Nonblocking: no receive slept, and no call or signal told of the data."""


@dataclass(frozen=True)
class ToldReady:
    """Multiplexing: receives after a call had told of them. received_ns: from that call's return, at the median;
    sleeps: how often the thread slept in it; eagains: calls that found nothing."""

    shown: int
    receives: int
    call: str
    received_ns: int
    sleeps: int
    eagains: int


@dataclass(frozen=True)
class Registered:
    """epoll: with which events descriptors were registered, each once. edge: whether EPOLLET is among them."""

    events: tuple[int, ...]
    edge: bool


@dataclass(frozen=True)
class NotRegistered:
    """epoll: the descriptor that received was not seen registered."""


@dataclass(frozen=True)
class ArmedOnce:
    """epoll: times that a descriptor was armed with EPOLLONESHOT."""

    times: int


@dataclass(frozen=True)
class SleptOnData:
    """epoll, edge-triggered: times that the thread went to sleep though data lay in the socket."""

    times: int


@dataclass(frozen=True)
class ToldOfRest:
    """epoll, level-triggered: wake-ups that told of data which the receive before had left."""

    times: int


@dataclass(frozen=True)
class ToldBySignal:
    """Signal-driven: receives after a signal."""

    shown: int
    receives: int


@dataclass(frozen=True)
class NamedDescriptor:
    """Signal-driven: signals that named the descriptor."""

    times: int


@dataclass(frozen=True)
class TakenByCall:
    """Signal-driven: signals that a call took which waited for them."""

    times: int


@dataclass(frozen=True)
class WaitedInNoCall:
    """Signal-driven: between the operations the thread waited in no call."""


@dataclass(frozen=True)
class HelperReceived:
    """POSIX aio: reads that another thread of the process made."""

    reads: int


@dataclass(frozen=True)
class CompletionSignals:
    """POSIX aio: completions that a signal told of."""

    times: int


@dataclass(frozen=True)
class CompletionThreads:
    """POSIX aio: completions that a new thread told of."""

    times: int


@dataclass(frozen=True)
class CompletionsAwaited:
    """POSIX aio: completions that the asking thread was told of in aio_suspend."""

    times: int


@dataclass(frozen=True)
class NoCompletionSeen:
    """POSIX aio: nothing was seen to tell of a completion."""


@dataclass(frozen=True)
class RingTold:
    """io_uring: receives after io_uring_enter had told of readiness."""

    shown: int
    receives: int


@dataclass(frozen=True)
class RingReads:
    """io_uring: reads, and how each was carried out."""

    reads: int
    inline: int
    poll_armed: int
    by_worker: int
    by_device: int
    multishot: int


@dataclass(frozen=True)
class RingCopies:
    """io_uring: how often the asking thread copied, and how often another one did."""

    own: int
    others: int


@dataclass(frozen=True)
class RingCompletions:
    """io_uring: completions that io_uring_enter told of, and those read from the ring without a call."""

    told: int
    read: int


@dataclass(frozen=True)
class KernelSubmits:
    """io_uring: a kernel thread took the requests from the ring."""


@dataclass(frozen=True)
class DoneInSubmit:
    """Native AIO: reads that were done inside io_submit, and how long it slept for them."""

    reads: int
    of: int
    slept_ns: int


@dataclass(frozen=True)
class DoneAfterSubmit:
    """Native AIO: reads that were done after io_submit had returned."""

    reads: int
    of: int


@dataclass(frozen=True)
class GeteventsTold:
    """Native AIO: receives after io_getevents had told of readiness."""

    shown: int
    receives: int


# Of what a program does instead.


@dataclass(frozen=True)
class FileCalls:
    """Reads and writes of files, beside sends and connections on sockets."""

    files: int
    others: int


@dataclass(frozen=True)
class TimeSpent:
    """The threads' time."""

    computing_ns: int
    runnable_ns: int
    futexes_ns: int


@dataclass(frozen=True)
class FutexSleeps:
    """Sleeps on futex words. gave_back: who slept woke others there later (mutual exclusion), else nobody."""

    times: int
    slept_ns: int
    longest_ns: int
    gave_back: bool


@dataclass(frozen=True)
class TookTurns:
    """Threads that computed on so many CPUs, no two at the same time."""

    threads: int
    cpus: int


@dataclass(frozen=True)
class RanTogether:
    """Two threads that both had a CPU, as long as the shorter one's computing allowed."""

    threads: tuple[int, int]
    together_ns: int
    possible_ns: int


@dataclass(frozen=True)
class FewReceives:
    """Operations, of these models, that are too few to say what the program is for."""

    operations: int
    models: tuple[str, ...]


# Of advice.


@dataclass(frozen=True)
class Polled:
    """Receives that found nothing, beside those that did."""

    eagains: int
    receives: int


@dataclass(frozen=True)
class BufferFull:
    """Times that a read filled its buffer and the thread waited again without reading on."""

    times: int


@dataclass(frozen=True)
class LeftInSocket:
    """Times that the thread went to sleep though data lay in the socket."""

    times: int


@dataclass(frozen=True)
class ToldTwice:
    """Returns of a call, of so many, that told what the one before had told."""

    call: str
    times: int
    calls: int


@dataclass(frozen=True)
class WokenInVain:
    """Times that a thread was woken for a connection that another one had accepted, beside those accepted."""

    times: int
    accepted: int


@dataclass(frozen=True)
class Scanned:
    """Calls of one name, and how many descriptors they looked at in all and found ready."""

    call: str
    calls: int
    watched: int
    ready: int


@dataclass(frozen=True)
class SingleBytes:
    """Receives, of so many, that took one byte where more were there."""

    times: int
    receives: int


@dataclass(frozen=True)
class LeftByReceive:
    """Times, of so many, that epoll_wait told of data which the receive before had left."""

    times: int
    told: int


@dataclass(frozen=True)
class LateToRun:
    """Receives that lay ready before the thread ran; notice_ns: at the median."""

    receives: int
    notice_ns: int


@dataclass(frozen=True)
class LateToFetch:
    """Receives that lay ready, most of the time after the program had been told; notice_ns: at the median."""

    receives: int
    notice_ns: int


ModelFact: TypeAlias = (
    NothingReceived
    | Undecoded
    | FoundAtOnce
    | SleptInCall
    | ThreadEach
    | AskedAgain
    | NothingTold
    | ToldReady
    | Registered
    | NotRegistered
    | ArmedOnce
    | SleptOnData
    | ToldOfRest
    | ToldBySignal
    | NamedDescriptor
    | TakenByCall
    | WaitedInNoCall
    | HelperReceived
    | CompletionSignals
    | CompletionThreads
    | CompletionsAwaited
    | NoCompletionSeen
    | RingTold
    | RingReads
    | RingCopies
    | RingCompletions
    | KernelSubmits
    | DoneInSubmit
    | DoneAfterSubmit
    | GeteventsTold
)
InsteadFact: TypeAlias = FileCalls | TimeSpent | FutexSleeps | TookTurns | RanTogether | FewReceives
Fact: TypeAlias = ModelFact | InsteadFact
AdviceFact: TypeAlias = (
    Polled
    | BufferFull
    | LeftInSocket
    | ToldTwice
    | WokenInVain
    | Scanned
    | SingleBytes
    | LeftByReceive
    | LateToRun
    | LateToFetch
)
