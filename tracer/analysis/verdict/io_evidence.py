"""The facts that the verdict on the operations of one I/O model rests on."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

import numpy as np

from tracer.analysis.counts.sleeping_calls import Sleeps
from tracer.analysis.operations.boundaries import EPOLLONESHOT
from tracer.analysis.operations.table import (
    AFTER_SUBMIT,
    AT_ONCE,
    BY_SIGNAL,
    BY_SUSPEND,
    BY_THREAD,
    COMPLETION_KINDS,
    DEVICE,
    IN_SUBMIT,
    INLINE,
    MULTIPLEXED,
    MULTISHOT,
    POLL_ARMED,
    SQPOLL,
    WORKER,
    Operations,
)
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.verdict import facts
from tracer.analysis.verdict.facts import ModelFact
from tracer.kernel import syscalls
from tracer.terms import BOUNDARIES

_CALL = {"select": "select", "poll": "poll", "epoll-lt": "epoll_wait", "epoll-et": "epoll_wait"}
_MOST_EVENTS = 3  # different registrations that are named


def evidence(model: str, operations: Operations) -> list[ModelFact]:
    """The facts of all the operations of one model ("unknown": of those that show none), the most telling first."""
    seen: list[ModelFact] = []
    if model in _OF_MODEL:
        seen = _OF_MODEL[model](operations, operations.wait_kind != AT_ONCE)
    at_once = int((operations.wait_kind == AT_ONCE).sum())
    return [*seen, *([facts.FoundAtOnce(at_once)] if at_once else [])]


# For each model a function of its operations; shown: which operations show the model by themselves (bool[n]).


def _blocking(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    slept_ns = int(operations.slept[shown].sum())
    timeouts, looks = int(operations.timeouts[shown].sum()), _count(operations.slept_looking[shown])
    return [
        facts.SleptInCall(_count(shown), len(operations), slept_ns),
        *([facts.TimedOut(timeouts)] if timeouts else []),
        *([facts.SleptLooking(looks)] if looks else []),
        *_thread_each(operations),
    ]


def _thread_each(operations: Operations) -> list[ModelFact]:
    """Whether each of several descriptors had a thread of its own."""
    if (operations.tid == operations.tid[0]).all():  # so it is in most processes
        return []
    sums = GroupSum(2, 0)
    sums.add((operations.tid, operations.inode), ())
    pairs = sums.result()[0]
    count = len(pairs)
    own = count > 1 and all(len(np.unique(numbers)) == count for numbers in pairs.T)
    return [facts.ThreadEach(count)] if own else []


def _nonblocking(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    eagains = int(operations.eagain_count[shown].sum())
    return [facts.AskedAgain(eagains, _count(shown), len(operations)), facts.NothingTold()]


def _multiplexed(call: str, operations: Operations, shown: np.ndarray) -> facts.ToldReady:
    took_ns = (operations.copy_end - operations.told)[shown]
    sleeps, elsewhere, elsewhere_in = _sleeps(call, operations.slept_nr[shown])
    return facts.ToldReady(
        _count(shown),
        len(operations),
        call,
        int(np.median(took_ns)) if len(took_ns) else 0,
        sleeps,
        elsewhere,
        elsewhere_in,
        int(operations.eagain_count.sum()),
    )


def _sleeps(call: str, slept_nr: np.ndarray) -> tuple[int, int, str]:
    """(before how many operations the thread slept in `call` or its like; before how many in another waiting call; the
    name of the most frequent of these). slept_nr: of each operation the call in which it slept last, −1 for none."""
    own = np.isin(slept_nr, syscalls.class_numbers(syscalls.CLASSES.get(call, ())))
    others = slept_nr[~own & (slept_nr >= 0)]
    numbers, counts = np.unique(others, return_counts=True)
    name = syscalls.name_of(int(numbers[counts.argmax()])) if len(others) else ""
    return _count(own), len(others), syscalls.class_of(name)


_FREE = frozenset(("signal", "posix-aio", "linux-aio", "io-uring"))
"""Models in which a thread need not wait in a call between asking and done."""


def manner(model: str, operations: Operations, busy: bool, longest: Sleeps) -> facts.Manner:
    """How the threads waited in the operations of one model. longest: the call that each thread slept in longest."""
    shown = operations.where(operations.wait_kind != AT_ONCE)
    sleeps, elsewhere, elsewhere_in = _sleeps(_CALL.get(model, ""), shown.slept_nr)
    return facts.Manner(
        model,
        len(operations),
        len(shown),
        _count(shown.told_tid > 0),
        _count(shown.slept > 0) if model == "blocking" else sleeps,
        elsewhere,
        elsewhere_in,
        _count((shown.idle_waits > 0) | (shown.eagain_count > 0)),
        busy,
        _waits_in(operations, longest) if model in _FREE else "",
        _done(operations) if model in _FREE else facts.AFTERWARDS,
        _count(operations.in_call),
    )


def _done(operations: Operations) -> str:
    """What most asynchronous requests did: facts.AFTERWARDS, IN_THE_ASKING or TOLD_ONLY."""
    if 2 * _count(np.isin(operations.completion_kind, (INLINE, IN_SUBMIT))) > len(operations):
        return facts.IN_THE_ASKING
    told = operations.wait_kind == MULTIPLEXED
    return facts.TOLD_ONLY if 2 * _count(told) > len(operations) else facts.AFTERWARDS


def _waits_in(operations: Operations, sleeps: Sleeps) -> str:
    """The call that the threads which asked slept in for most of the time from ask to done; '' if they did not sleep so
    long. Operations may overlap, so the time is that from a thread's first ask to its last end."""
    slept_ns: dict[int, int] = {}
    whole_ns = 0
    for tid in np.unique(operations.tid).tolist():
        own = operations.where(operations.tid == tid)
        whole_ns += int(own.done.max() - own.ask.min())
        if tid in sleeps:
            number, asleep_ns = sleeps[tid]
            slept_ns[number] = slept_ns.get(number, 0) + asleep_ns
    number, longest_ns = max(slept_ns.items(), key=itemgetter(1), default=(0, 0))
    return syscalls.class_of(syscalls.name_of(number)) if longest_ns > whole_ns / 2 else ""


def _handed_over(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    """Whether the thread that was told was another one than that which received."""
    handed = shown & (operations.told_tid > 0)
    if not handed.any():
        return []
    woken = handed & (operations.woken > 0)
    calls = np.unique(operations.woken_in[woken]).tolist()
    through = dict.fromkeys(syscalls.class_of(syscalls.name_of(number)) for number in calls)
    fetched_ns = int(np.median((operations.copy_start - operations.told)[handed]))
    return [
        facts.HandedOver(_count(handed), len(operations), _count(woken), (*through,), fetched_ns)
    ]


def _select(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    return [_multiplexed("select", operations, shown), *_handed_over(operations, shown)]


def _poll(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    return [_multiplexed("poll", operations, shown), *_handed_over(operations, shown)]


def _epoll_level(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    seen = [
        _multiplexed("epoll_wait", operations, shown),
        *_handed_over(operations, shown),
        *_registered(operations, shown, False),
    ]
    told = (operations.wait_kind == MULTIPLEXED) & ~operations.waited_asleep
    rest = _count(told & _left_before(operations))
    return [*seen, *([facts.ToldOfRest(rest)] if rest else [])]


def _epoll_edge(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    seen = [
        _multiplexed("epoll_wait", operations, shown),
        *_handed_over(operations, shown),
        *_registered(operations, shown, True),
    ]
    left = _count(slept_on_data(operations))
    return [*seen, *([facts.SleptOnData(left)] if left else [])]


def _registered(operations: Operations, shown: np.ndarray, edge: bool) -> list[ModelFact]:
    """How the descriptors were registered."""
    events = operations.events
    given = tuple(np.unique(events[shown & (events > 0)])[:_MOST_EVENTS].tolist())
    once = _count(events & EPOLLONESHOT > 0)
    return [
        facts.Registered(given, edge) if given else facts.NotRegistered(),
        *([facts.ArmedOnce(once)] if once else []),
    ]


def _signal(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    named, taken = _count(operations.named), _count(operations.by_sigwait)
    return [
        facts.ToldBySignal(_count(shown), len(operations)),
        *([facts.NamedDescriptor(named)] if named else []),
        facts.TakenByCall(taken) if taken else facts.WaitedInNoCall(),
    ]


def _posix_aio(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    told: list[ModelFact] = []
    if times := _count(operations.completion_kind == BY_SIGNAL):
        told.append(facts.CompletionSignals(times))
    if times := _count(operations.completion_kind == BY_THREAD):
        told.append(facts.CompletionThreads(times))
    if times := _count(operations.completion_kind == BY_SUSPEND):
        told.append(facts.CompletionsAwaited(times))
    return [facts.HelperReceived(len(operations)), *(told or [facts.NoCompletionSeen()])]


def _io_uring(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    """How requests were carried out, which thread copied, and where completions were seen."""
    told = operations.wait_kind == MULTIPLEXED
    if told.any():
        rest = operations.where(~told)
        return [
            facts.RingTold(_count(told), len(operations)),
            *(_ring_reads(rest) if len(rest) else []),
        ]
    return _ring_reads(operations)


def _ring_reads(operations: Operations) -> list[ModelFact]:
    count = len(operations)
    kinds = np.bincount(operations.completion_kind, minlength=len(COMPLETION_KINDS)).tolist()
    read_kinds = (INLINE, POLL_ARMED, WORKER, DEVICE, MULTISHOT, SQPOLL)
    # a worker's completion may be posted by the thread that asked (IORING_SETUP_DEFER_TASKRUN)
    helped = (operations.receiver_tid > 0) | (operations.completion_kind == WORKER)
    by_device = _count((operations.completion_kind == DEVICE) & ~helped)
    own, others = count - _count(helped) - by_device, _count(helped)
    inside = _count(operations.in_call)
    told = _count(operations.estimated >> BOUNDARIES.index("done") & 1 == 0)
    return [
        facts.RingReads(count, *(kinds[kind] for kind in read_kinds)),
        *([facts.RingCopies(inside, own - inside, others)] if own or others else []),
        facts.RingCompletions(told, count - told),
    ]


def _linux_aio(operations: Operations, shown: np.ndarray) -> list[ModelFact]:
    """Where native AIO's reads were done."""
    count, inside = len(operations), operations.completion_kind == IN_SUBMIT
    seen_facts: list[ModelFact] = []
    if inside.any():
        slept_ns = int(operations.slept[inside].sum())
        seen_facts.append(facts.DoneInSubmit(_count(inside), count, slept_ns))
    if later := _count(operations.completion_kind == AFTER_SUBMIT):
        seen_facts.append(facts.DoneAfterSubmit(later, count))
    if told := _count(operations.wait_kind == MULTIPLEXED):
        seen_facts.append(facts.GeteventsTold(told, count))
    return seen_facts


_OF_MODEL: dict[str, Callable[[Operations, np.ndarray], list[ModelFact]]] = {
    "blocking": _blocking,
    "nonblocking": _nonblocking,
    "select": _select,
    "poll": _poll,
    "epoll-lt": _epoll_level,
    "epoll-et": _epoll_edge,
    "signal": _signal,
    "posix-aio": _posix_aio,
    "linux-aio": _linux_aio,
    "io-uring": _io_uring,
}


# Data in the socket.


def slept_on_data(operations: Operations) -> np.ndarray:
    """bool[n]: before which operations the thread went to sleep in a wait while their data lay in the socket: an
    earlier receive had left it there, and it was there when the wait was entered. What comes after that receive, or
    between the wait's entry and the sleep, brings a wake-up of its own."""
    asleep = operations.fell_asleep > 0
    on_data: np.ndarray = asleep & (operations.raw_ready < operations.fell_asleep)
    on_data &= _left_before(operations)
    return on_data


def ready_seen(operations: Operations) -> np.ndarray:
    """bool[n]: for which operations the readiness of the socket was recorded."""
    seen: np.ndarray = operations.estimated >> BOUNDARIES.index("ready") & 1 == 0
    seen |= operations.raw_ready != operations.ready
    return seen


def _left_before(operations: Operations) -> np.ndarray:
    """bool[n]: whether the data of each operation was there when the operation before on that socket ended."""
    order = np.lexsort((operations.done, operations.inode))
    inode, done = operations.inode[order], operations.done[order]
    before = np.append(0, np.where(inode[1:] == inode[:-1], done[:-1], 0))[: len(order)]
    left = np.zeros(len(order), bool)
    left[order] = operations.raw_ready[order] < before
    left &= ready_seen(operations)
    return left


def _count(mask: np.ndarray) -> int:
    return int(mask.sum())
