"""The facts that verdicts and advice rest on: counts, shares, times (ns). report/wording has their sentences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

# Facts about an I/O model. `receives` counts all receives of the model, `shown` those that show the model by
# themselves: a receive that found data waiting already shows nothing.


@dataclass(frozen=True)
class NothingReceived:
    """No receive brought data in."""


@dataclass(frozen=True)
class OtherReads:
    """What was read from other things than sockets, pipes and files: (kind, calls, bytes) of each kind."""

    reads: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class SelfWoken:
    """Receives, besides `others`, that were wake-ups from threads of the receiver's own process."""

    times: int
    others: int


@dataclass(frozen=True)
class HandedOver:
    """Receives, of `receives`, of which another thread than the one that received was told. woken: how many of them the
    told thread woke the receiving one for; through: the calls in which that slept; fetched_ns: median time from the
    wait's return to the copy's beginning."""

    times: int
    receives: int
    woken: int
    through: tuple[str, ...]
    fetched_ns: int


@dataclass(frozen=True)
class Undecoded:
    """Calls of 32-bit programs, which are counted and not decoded."""

    calls: int


@dataclass(frozen=True)
class Unwatched:
    """Evidence that could decide the verdict could not be had. what: a key of features.EVIDENCE; calls: calls that show
    that it matters; reason: why it could not be had."""

    what: str
    calls: int
    reason: str


@dataclass(frozen=True)
class FoundAtOnce:
    """Receives that found their data waiting already."""

    receives: int


@dataclass(frozen=True)
class AllThereAlready:
    """Why the model is unknown: each of so many receives found its data waiting already."""

    receives: int


@dataclass(frozen=True)
class MostEventsLost:
    """Why the model is unknown: events lost, of those counted."""

    lost: int
    counted: int


@dataclass(frozen=True)
class Asking:
    """Calls of one name that found nothing new and did not sleep; without_timeout: of how many of them the time-out was
    recorded, as 0; again: how many told again of what was ready; cpu_ns: how long a CPU was used for them."""

    call: str
    times: int
    without_timeout: int
    again: int
    cpu_ns: int


@dataclass(frozen=True)
class Burnt:
    """A CPU was used for asking. cpu_ns: for how long; of_ns: of how much time of the threads that asked, without that
    in which they waited for a CPU."""

    calls: tuple[Asking, ...]
    cpu_ns: int
    of_ns: int


# What asynchronous I/O did: the data came after the request; the call that asked received it; the request only told
# that data was there, and a receive followed.
AFTERWARDS, IN_THE_ASKING, TOLD_ONLY = "afterwards", "in the asking", "told only"


@dataclass(frozen=True)
class Manner:
    """How the threads waited in the operations of one model.

    shown: operations that show the model by themselves, of all its `operations`. asleep: before how many of them the
    thread slept in the call of the model; elsewhere: in another waiting call, `elsewhere_in` the last such. asked:
    before how many the thread found nothing, at once. handed: how many another thread was told of. busy: whether asking
    took a CPU. waits_in: of a model that leaves the thread free, the call that it slept in for most of the time all the
    same; done: of such a model, what most of its operations did; copied_inside: how many of these the thread that
    asked copied inside io_uring_enter (or io_submit).
    """

    model: str
    operations: int
    shown: int
    handed: int
    asleep: int
    elsewhere: int
    elsewhere_in: str
    asked: int
    busy: bool
    waits_in: str = ""
    done: str = AFTERWARDS
    copied_inside: int = 0


@dataclass(frozen=True)
class SleptInCall:
    """Blocking: receives for whose data the thread slept in a receive; slept_ns: in all, until it had a CPU again."""

    shown: int
    receives: int
    slept_ns: int


@dataclass(frozen=True)
class TimedOut:
    """Blocking: receives that slept and found nothing (SO_RCVTIMEO)."""

    times: int


@dataclass(frozen=True)
class SleptLooking:
    """Blocking: receives before which the thread slept in a receive that left the data (MSG_PEEK)."""

    times: int


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
    """Nonblocking: no receive slept, and no call or signal notified the thread of the data."""


@dataclass(frozen=True)
class ToldReady:
    """Multiplexing: receives after a wait (`call`) that reported the descriptor. received_ns: median time from the
    return of the wait; sleeps: before how many of them the thread slept in the wait; elsewhere: before how many it
    slept in another wait, elsewhere_in; eagains: receives that found nothing."""

    shown: int
    receives: int
    call: str
    received_ns: int
    sleeps: int
    elsewhere: int
    elsewhere_in: str
    eagains: int


@dataclass(frozen=True)
class Registered:
    """epoll: the different events with which descriptors were registered. edge: whether EPOLLET is among them."""

    events: tuple[int, ...]
    edge: bool


@dataclass(frozen=True)
class NotRegistered:
    """epoll: the descriptor that received was not seen registered."""


@dataclass(frozen=True)
class ArmedOnce:
    """epoll: how often a descriptor was armed with EPOLLONESHOT."""

    times: int


@dataclass(frozen=True)
class SleptOnData:
    """epoll, edge-triggered: how often the thread went to sleep while data lay in the socket."""

    times: int


@dataclass(frozen=True)
class ToldOfRest:
    """epoll, level-triggered: wake-ups for data that the receive before had left."""

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
    """Signal-driven: signals taken by a call that waits for signals, without a handler."""

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
    """POSIX aio: completions that a signal reported."""

    times: int


@dataclass(frozen=True)
class CompletionThreads:
    """POSIX aio: completions that a new thread reported."""

    times: int


@dataclass(frozen=True)
class CompletionsAwaited:
    """POSIX aio: completions that the asking thread awaited in aio_suspend."""

    times: int


@dataclass(frozen=True)
class NoCompletionSeen:
    """POSIX aio: nothing was seen that reported a completion."""


@dataclass(frozen=True)
class RingTold:
    """io_uring: receives after io_uring_enter had reported readiness."""

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
    sqpoll: int


@dataclass(frozen=True)
class RingCopies:
    """io_uring: how often the asking thread made the copy inside its io_uring_enter, and outside; how often another
    thread did."""

    inside: int
    outside: int
    others: int


@dataclass(frozen=True)
class RingCompletions:
    """io_uring: completions that io_uring_enter reported, and completions read from the ring without a call."""

    told: int
    read: int


@dataclass(frozen=True)
class KernelSubmits:
    """io_uring: a kernel thread took the requests from the ring."""


@dataclass(frozen=True)
class DoneInSubmit:
    """Native AIO: reads, of `of`, that were done inside io_submit, and how long that slept for them, until it had a
    CPU again."""

    reads: int
    of: int
    slept_ns: int


@dataclass(frozen=True)
class DoneAfterSubmit:
    """Native AIO: reads, of `of`, that were done after io_submit had returned."""

    reads: int
    of: int


@dataclass(frozen=True)
class GeteventsTold:
    """Native AIO: receives after io_getevents had reported readiness."""

    shown: int
    receives: int


# Facts about a program that does something other than message I/O.


@dataclass(frozen=True)
class FileCalls:
    """Number of reads and writes of files, and of sends and connections on sockets."""

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
    """Waits at futex words, each until the thread had a CPU again, and how long it slept in them. owned: they were
    locks, and another thread had them; gave_back: whether the threads that waited woke others there later."""

    times: int
    waited_ns: int
    slept_ns: int
    longest_ns: int
    owned: bool
    gave_back: bool


@dataclass(frozen=True)
class TookTurns:
    """Threads that computed, no two at the same time, and the number of CPUs that they used."""

    threads: int
    cpus: int


@dataclass(frozen=True)
class RanTogether:
    """Two threads that had a CPU at the same time. possible_ns: the CPU time of the thread that computed less."""

    threads: tuple[int, int]
    together_ns: int
    possible_ns: int


@dataclass(frozen=True)
class FewReceives:
    """Operations of these models, too few to say what the program does."""

    operations: int
    models: tuple[str, ...]


# Facts behind advice.


@dataclass(frozen=True)
class Polled:
    """Number of receives that found nothing, and of receives that brought data."""

    eagains: int
    receives: int


@dataclass(frozen=True)
class BusyWaits:
    """Calls of one name that, again and again, said at once that nothing is ready, or found nothing (EAGAIN)."""

    call: str
    times: int


@dataclass(frozen=True)
class BufferFull:
    """How often a read filled the buffer and the thread waited again without reading on."""

    times: int


@dataclass(frozen=True)
class LeftInSocket:
    """How often the thread went to sleep while data lay in the socket."""

    times: int


@dataclass(frozen=True)
class ToldTwice:
    """Returns of a call, of `calls`, that reported the same as the return before."""

    call: str
    times: int
    calls: int


@dataclass(frozen=True)
class WokenInVain:
    """How often a thread was woken for a connection that another thread accepted, and the number of accepted ones."""

    times: int
    accepted: int


@dataclass(frozen=True)
class Scanned:
    """Calls of one name, the number of descriptors that they looked at in all, and of those that were ready."""

    call: str
    calls: int
    watched: int
    ready: int


@dataclass(frozen=True)
class SingleBytes:
    """Receives, of `receives`, that took one byte while more bytes were there."""

    times: int
    receives: int


@dataclass(frozen=True)
class LeftByReceive:
    """How often, of `told` reports, epoll_wait reported data that the receive before had left."""

    times: int
    told: int


@dataclass(frozen=True)
class LateToRun:
    """Receives of so many processes whose data lay ready while their threads waited for a CPU; notice_ns: for how long,
    at the median."""

    receives: int
    notice_ns: int
    processes: int = 1


@dataclass(frozen=True)
class LateToFetch:
    """Receives whose data lay ready, most of the time while the program did something else; notice_ns: for how long, at
    the median."""

    receives: int
    notice_ns: int


ModelFact: TypeAlias = (
    NothingReceived
    | OtherReads
    | SelfWoken
    | HandedOver
    | Undecoded
    | Unwatched
    | FoundAtOnce
    | AllThereAlready
    | MostEventsLost
    | Burnt
    | SleptInCall
    | TimedOut
    | SleptLooking
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
    | BusyWaits
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


def summed(several: list[AdviceFact]) -> AdviceFact:
    """Facts of one kind as one: their counts in all, the longest of their times (…_ns), what they have in common."""
    first = several[0]
    values: dict[str, Any] = {}
    for name in first.__dataclass_fields__:
        column = [getattr(fact, name) for fact in several]
        if name.endswith("_ns"):
            values[name] = max(column)
        else:
            values[name] = sum(column) if isinstance(column[0], int) else column[0]
    return replace(first, **values)
