"""Operations → which I/O model they follow, with evidence that a person can check against the records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tracer.analysis.listing import decode
from tracer.analysis.operations.completions import (
    AFTER_SUBMIT,
    BY_SIGNAL,
    BY_SUSPEND,
    BY_THREAD,
    COMPLETION_KINDS,
    DEVICE,
    IN_SUBMIT,
    INLINE,
    MULTISHOT,
    POLL_ARMED,
    WORKER,
)
from tracer.analysis.operations.receives import (
    AT_ONCE,
    BLOCKED,
    EPOLLET,
    EPOLLONESHOT,
    IO_URING,
    LINUX_AIO,
    MULTIPLEXED,
    POLLED,
    POSIX_AIO,
    SIGNAL,
    Operations,
)
from tracer.analysis.tables.group_sum import GroupSum
from tracer.kernel import syscalls
from tracer.terms import BOUNDARIES, MODELS, SYNCHRONOUS

DOMINANT = 0.95  # of the operations; below it the verdict is "mixed"
_MOST_EVENTS = 3  # different registrations that evidence names
_MODELS = {
    BLOCKED: "blocking",
    POLLED: "nonblocking",
    SIGNAL: "signal",
    POSIX_AIO: "posix-aio",
    IO_URING: "io-uring",
    LINUX_AIO: "linux-aio",
}
_WAITS = {
    number: {"epoll_wait": "epoll-lt"}.get(name, name)
    for name, members in syscalls.CLASSES.items()
    for number in syscalls.class_numbers(members)
}
_WAITS |= {
    number: "linux-aio" for number in syscalls.class_numbers(("io_getevents", "io_pgetevents"))
}
_WAITS |= {number: "io-uring" for number in syscalls.class_numbers(("io_uring_enter",))}


@dataclass(frozen=True)
class Verdict:
    """A model's name, whether POSIX calls it synchronous, how sure that is (0 to 1), and why."""

    name: str
    synchronous: bool | None
    confidence: float
    evidence: list[str] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)
    variants: dict[str, int] = field(
        default_factory=dict
    )  # asynchronous: how many operations were done how


def models_of(operations: Operations) -> np.ndarray:
    """Each operation's model, as index into MODELS. One that had its data at once says nothing by itself: it goes
    with the thread's operation before it, else with the one after it, else it counts as blocking (a plain receive)."""
    codes = np.full(len(operations), -1)
    for wait_kind, name in _MODELS.items():
        codes[operations.wait_kind == wait_kind] = MODELS.index(name)
    multiplexed = operations.wait_kind == MULTIPLEXED
    for number in np.unique(operations.wait_nr[multiplexed]).tolist():
        codes[multiplexed & (operations.wait_nr == number)] = MODELS.index(_WAITS[number])
    codes[(codes == MODELS.index("epoll-lt")) & (operations.events & EPOLLET > 0)] = MODELS.index(
        "epoll-et"
    )
    undecided = codes < 0
    if undecided.any():
        order = np.argsort(operations.tid, kind="stable")
        codes[order] = _filled(codes[order], operations.tid[order])
        backwards = order[::-1]
        codes[backwards] = _filled(codes[backwards], operations.tid[backwards])
    return np.where(codes < 0, MODELS.index("blocking"), codes)


def _filled(codes: np.ndarray, tids: np.ndarray) -> np.ndarray:
    """What is undecided (−1) takes the nearest decided one before it of the same thread."""
    last = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), -1))
    near = np.maximum(last, 0)
    return np.where((last >= 0) & (tids[near] == tids), codes[near], -1)


@dataclass(frozen=True)
class VerdictContext:
    """What was done besides the operations. undecoded: calls of 32-bit programs; sqpoll: whether a kernel thread
    submitted to an io_uring."""

    undecoded: int = 0
    sqpoll: bool = False


def in_all(some: Iterable[VerdictContext]) -> VerdictContext:
    """Of several processes together."""
    several = list(some)
    return VerdictContext(sum(its.undecoded for its in several), any(its.sqpoll for its in several))


def judge(
    operations: Operations, models: np.ndarray, beside: VerdictContext = VerdictContext()
) -> Verdict:
    """The verdict on operations with their models (models_of).

    Native AIO is synchronous where its reads were done inside io_submit, or only told of by io_getevents; io_uring
    where it only told of readiness.
    """
    if not len(operations):
        return Verdict(
            "none",
            None,
            1.0,
            _undecoded(beside) or ["no receive brought data in on a socket or pipe"],
        )
    counts = np.bincount(models, minlength=len(MODELS))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    name, most = MODELS[order[0]], int(counts[order[0]])
    evidence = []
    for code in order.tolist():
        mine = models == code
        evidence += _evidence(MODELS[code], operations.where(mine))
    if beside.sqpoll and MODELS.index("io-uring") in order:
        evidence.append(
            "a kernel thread (iou-sqp-…) took the requests from the ring (IORING_SETUP_SQPOLL): asking "
            "takes no call, and that thread's CPU"
        )
    evidence += _undecoded(beside)
    undecided = int((operations.wait_kind == AT_ONCE).sum())
    share = most / len(operations)
    done = np.bincount(operations.completion_kind, minlength=len(COMPLETION_KINDS))
    variants = {
        COMPLETION_KINDS[completion_kind]: int(done[completion_kind])
        for completion_kind in np.flatnonzero(done).tolist()
        if completion_kind
    }
    mine = models == order[0]
    waited = (
        name == "linux-aio"
        and int((operations.completion_kind != AFTER_SUBMIT)[mine].sum()) * 2 > most
        or name == "io-uring"
        and int((operations.wait_kind == MULTIPLEXED)[mine].sum()) * 2 > most
    )
    # Laplace's rule of succession on the operations that show the model by themselves
    shown = most - min(undecided, most)
    confidence = min(0.99, round((shown + 1) / (shown + 2), 2)) if shown else 0.5
    if share < DOMINANT:
        shares = {
            MODELS[code]: round(int(counts[code]) / len(operations), 4) for code in order.tolist()
        }
        kinds = {SYNCHRONOUS[model] for model in shares}
        return Verdict(
            "mixed",
            kinds.pop() if len(kinds) == 1 else None,
            confidence,
            evidence,
            shares,
            variants,
        )
    return Verdict(name, SYNCHRONOUS[name] or waited, confidence, evidence, variants=variants)


def _undecoded(beside: VerdictContext) -> list[str]:
    return (
        [
            f"{beside.undecoded} calls were a 32-bit program's: counted, but not decoded; what they received is not "
            "seen"
        ]
        if beside.undecoded
        else []
    )


def as_dict(verdict: Verdict, operations: Operations, models: np.ndarray) -> dict:
    """A verdict for the report, with each model's share of the operations' time (ask to done) where there are more."""
    entry = {
        "name": verdict.name,
        "synchronous": verdict.synchronous,
        "confidence": verdict.confidence,
        "evidence": verdict.evidence,
    }
    if verdict.shares:
        took = np.bincount(models, operations.done - operations.ask, len(MODELS))
        whole = took.sum() or 1
        entry |= {
            "shares": verdict.shares,
            "time_shares": {
                name: round(float(took[MODELS.index(name)] / whole), 4) for name in verdict.shares
            },
        }
    return entry | ({"variants": verdict.variants} if verdict.variants else {})


def _evidence(model: str, operations: Operations) -> list[str]:
    """What was seen, with counts."""
    count = len(operations)
    shown = operations.wait_kind != AT_ONCE
    many = int(shown.sum())
    lines = []
    if model == "blocking":
        lines.append(
            f"{many} of {count} receives slept inside the call until their data came, "
            f"{int(operations.slept[shown].sum()) / 1e6:.1f} ms in all"
        )
        lines += _thread_each(operations)
    elif model == "nonblocking":
        lines.append(
            f"{int(operations.eagain_count[shown].sum())} calls came back with EAGAIN before {many} of {count} "
            "receives succeeded"
        )
        lines.append("no receive slept, and no select, poll, epoll or signal told of the data")
    elif model in ("select", "poll", "epoll-lt", "epoll-et"):
        call = "epoll_wait" if model.startswith("epoll") else model
        within = int(np.median((operations.copy_end - operations.told)[shown])) if many else 0
        lines.append(
            f"{many} of {count} receives came after {call} had said the descriptor was ready, half of them "
            f"done within {within / 1e3:.1f} µs of its return; {int(operations.waited_asleep[shown].sum())} times "
            f"the thread slept in {call}; {int(operations.eagain_count.sum())} calls found nothing (EAGAIN)"
        )
        if model.startswith("epoll"):
            lines += _epoll(model, operations, shown)
    elif model == "signal":
        lines.append(f"{many} of {count} receives came after a signal said that data was there")
        named, waited = int(operations.named.sum()), int(operations.by_sigwait.sum())
        if named:
            lines.append(
                f"{named} of them named the descriptor (si_fd): F_SETSIG, and a signal that is queued"
            )
        lines.append(
            f"{waited} were taken by a call that waited for them (rt_sigtimedwait), not by a handler"
            if waited
            else "between the operations the thread waited in no call"
        )
    elif model == "posix-aio":
        lines.append(
            f"{count} aio_reads; another thread of the process (the C library's) made the receive"
        )
        told = {
            completion_kind: int((operations.completion_kind == completion_kind).sum())
            for completion_kind in (BY_SIGNAL, BY_THREAD, BY_SUSPEND)
        }
        for completion_kind, what in (
            (BY_SIGNAL, "completion signals (SI_ASYNCIO) came after the copy"),
            (BY_THREAD, "times a new thread was created to tell, after the copy (SIGEV_THREAD)"),
            (BY_SUSPEND, "times the asking thread was told in aio_suspend, on a futex"),
        ):
            lines += [f"{told[completion_kind]} {what}"] if told[completion_kind] else []
        if not any(told.values()):
            lines.append("nothing was seen to tell of a completion")
    elif model == "io-uring":
        lines += _io_uring(operations)
    elif model == "linux-aio":
        lines += _native(operations)
    if many < count:
        lines.append(
            "1 receive found its data waiting already"
            if count - many == 1
            else f"{count - many} receives found their data waiting already"
        )
    return lines


def _thread_each(operations: Operations) -> list[str]:
    """Whether each of several descriptors had a thread of its own."""
    sums = GroupSum(2, 0)
    sums.add((operations.tid, operations.inode), ())
    pairs = sums.result()[0]
    count = len(pairs)
    own = count > 1 and all(len(np.unique(its)) == count for its in pairs.T)
    return [f"in {count} threads, one for each of {count} descriptors"] if own else []


def _epoll(model: str, operations: Operations, shown: np.ndarray) -> list[str]:
    """How the descriptors were registered, and what came of data that was left behind."""
    events = operations.events
    given = np.unique(events[shown & (events > 0)])[:_MOST_EVENTS].tolist()
    lines = [
        f"registered with {' or '.join(map(decode.epoll_events, given))}"
        + ("" if model == "epoll-et" else ", without EPOLLET")
        if given
        else "the descriptor that received was not seen registered: told of was another one, a listening socket maybe"
    ]
    once = int((events & EPOLLONESHOT > 0).sum())
    if once:
        lines.append(
            f"{once} times armed with EPOLLONESHOT: epoll_ctl arms again what was told once"
        )
    left = slept_on_data(operations)
    if model == "epoll-et" and left.any():
        lines.append(
            f"{int(left.sum())} times the thread went to sleep in epoll_wait though data lay in the socket: "
            "it had been told once, had not taken all, and no wake-up came for the rest"
        )
    again = (
        (operations.wait_kind == MULTIPLEXED) & ~operations.waited_asleep & _left_before(operations)
    )
    if model == "epoll-lt" and again.any():
        lines.append(
            f"{int(again.sum())} wake-ups told again of data that the receive before had left"
        )
    return lines


def _ready_seen(operations: Operations) -> np.ndarray:
    """Of which operations the socket's readiness was seen."""
    return (operations.estimated >> BOUNDARIES.index("ready") & 1 == 0) | (
        operations.raw_ready != operations.ready
    )


def slept_on_data(operations: Operations) -> np.ndarray:
    """Before which operations the thread went to sleep in a wait though their data lay in the socket."""
    return (
        _ready_seen(operations)
        & (operations.fell_asleep > 0)
        & (operations.raw_ready < operations.fell_asleep)
    )


def _left_before(operations: Operations) -> np.ndarray:
    """Whether each operation's data was there when the one before it on that socket ended."""
    order = np.lexsort((operations.done, operations.inode))
    inode, done = operations.inode[order], operations.done[order]
    before = np.append(0, np.where(inode[1:] == inode[:-1], done[:-1], 0))[: len(order)]
    left = np.zeros(len(order), bool)
    left[order] = operations.raw_ready[order] < before
    return left & _ready_seen(operations)


def _io_uring(operations: Operations) -> list[str]:
    """By what way the requests went, who copied, and where completions were seen."""
    told = operations.wait_kind == MULTIPLEXED
    if told.any():
        rest = operations.where(~told)
        return [
            f"{int(told.sum())} of {len(operations)} receives came after io_uring_enter had told of readiness "
            "(IORING_OP_POLL_ADD): multiplexing by another name",
            *(_io_uring(rest) if len(rest) else []),
        ]
    count = len(operations)
    done = np.bincount(operations.completion_kind, minlength=len(COMPLETION_KINDS))
    ways = (
        (INLINE, "inside the io_uring_enter that submitted them"),
        (POLL_ARMED, "after a poll had been armed"),
        (WORKER, "by a kernel worker (io-wq)"),
        (DEVICE, "by the device"),
        (MULTISHOT, "by multishot requests"),
    )
    lines = [
        f"{count} reads were completed by io_uring: "
        + ", ".join(
            f"{int(done[completion_kind])} {what}"
            for completion_kind, what in ways
            if done[completion_kind]
        )
    ]
    device, other = operations.completion_kind == DEVICE, int((operations.receiver_tid > 0).sum())
    own = count - other - int((device & (operations.receiver_tid == 0)).sum())
    copied = (
        [f"{own} times the thread that asked copied, as task work or inside its call"]
        if own
        else []
    )
    copied += [f"{other} times another thread copied"] if other else []
    lines += [", ".join(copied)] if copied else []
    seen = int((operations.estimated >> BOUNDARIES.index("done") & 1 == 0).sum())
    lines.append(
        f"{seen} completions were told by io_uring_enter, {count - seen} read from the ring without a call"
    )
    return lines


def _native(operations: Operations) -> list[str]:
    """Where native AIO's reads were done."""
    inside, later = (
        operations.completion_kind == IN_SUBMIT,
        int((operations.completion_kind == AFTER_SUBMIT).sum()),
    )
    told = int((operations.wait_kind == MULTIPLEXED).sum())
    lines = []
    if inside.any():
        lines.append(
            f"{int(inside.sum())} of {len(operations)} reads were done inside io_submit, which slept "
            f"{int(operations.slept[inside].sum()) / 1e6:.1f} ms for them: asynchronous in name only"
        )
    if later:
        lines.append(
            f"{later} of {len(operations)} reads were done by the device after io_submit had returned "
            "(O_DIRECT)"
        )
    if told:
        lines.append(
            f"{told} of {len(operations)} receives came after io_getevents had told of readiness "
            "(IOCB_CMD_POLL): multiplexing by another name"
        )
    return lines
