"""The I/O model that operations follow, and the facts behind it, which a reader can check against the records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from tracer.analysis.counts.sleeping_calls import Sleeps
from tracer.analysis.operations.boundaries import EPOLLET
from tracer.analysis.operations.table import (
    AFTER_SUBMIT,
    AT_ONCE,
    BLOCKED,
    COMPLETION_KINDS,
    INLINE,
    IO_URING,
    LINUX_AIO,
    MULTIPLEXED,
    POLLED,
    POSIX_AIO,
    SIGNAL,
    Operations,
)
from tracer.analysis.verdict import facts
from tracer.analysis.verdict.facts import Fact, Manner, ModelFact
from tracer.analysis.verdict.io_evidence import evidence, manner
from tracer.kernel import syscalls
from tracer.terms import MODELS, SYNCHRONOUS

NAMES = (*MODELS, "unknown")
"""The models of operations: what models_of gives is an index into these."""
UNKNOWN = len(MODELS)
DOMINANT = 0.95  # of the operations; below it the verdict is "mixed"
UNDECIDED = 0.5  # the confidence where the evidence that would decide is missing
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
_WAITS |= dict.fromkeys(syscalls.class_numbers(("io_getevents", "io_pgetevents")), "linux-aio")
_WAITS |= dict.fromkeys(syscalls.class_numbers(("io_uring_enter",)), "io-uring")


@dataclass(
    slots=True
)  # not frozen: to make one would take four times as long, and there is one a process
class ModelVerdict:
    """The verdict on operations, or on a program that has none.

    name: one of MODELS, mixed, none, or unknown; synchronous: by the definition of POSIX, None if operations differ or
    there are none; confidence: 0 to 1. reason: if "unknown", why. manner: if one of MODELS, how its operations waited.
    busy: whether waiting took a CPU. shown_by, shown_of: how many operations show the model by themselves, how they
    were waited for, and of how many. shares, time_shares: if "mixed", each model's share of the operations that show
    one and of their time from ask to done. variants: how asynchronous requests were done → number of operations.
    instead: if "none", what the program does (non_io.INSTEADS), since it receives nothing, or hardly anything.
    """

    name: str
    synchronous: bool | None
    confidence: float
    evidence: tuple[Fact, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)
    time_shares: dict[str, float] = field(default_factory=dict)
    variants: dict[str, int] = field(default_factory=dict)
    instead: str | None = None
    reason: Fact | None = None
    manner: Manner | None = None
    busy: bool = False
    shown_by: int = 0
    shown_of: int = 0


def models_of(operations: Operations) -> np.ndarray:
    """The model of each operation, as index into NAMES. An operation whose data was already there takes epoll, if its
    descriptor was registered with one that told threads of the process; else the model of the thread's previous
    operation, else of the next one; else it is unknown."""
    codes = np.full(len(operations), -1)
    for wait_kind, name in _MODELS.items():
        codes[operations.wait_kind == wait_kind] = MODELS.index(name)
    multiplexed = operations.wait_kind == MULTIPLEXED
    for number in np.unique(operations.wait_nr[multiplexed]).tolist():
        codes[multiplexed & (operations.wait_nr == number)] = MODELS.index(_WAITS[number])
    codes[(operations.wait_kind == AT_ONCE) & (operations.events > 0)] = MODELS.index("epoll-lt")
    codes[(codes == MODELS.index("epoll-lt")) & (operations.events & EPOLLET > 0)] = MODELS.index(
        "epoll-et"
    )
    undecided = codes < 0
    if undecided.any():
        order = np.argsort(operations.tid, kind="stable")
        codes[order] = _filled(codes[order], operations.tid[order])
        backwards = order[::-1]
        codes[backwards] = _filled(codes[backwards], operations.tid[backwards])
    return np.where(codes < 0, UNKNOWN, codes)


def _filled(codes: np.ndarray, tids: np.ndarray) -> np.ndarray:
    """Each undecided code (−1) becomes the last decided code before it, if that is of the same thread."""
    last = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), -1))
    near = np.maximum(last, 0)
    return np.where((last >= 0) & (tids[near] == tids), codes[near], -1)


@dataclass(frozen=True)
class VerdictContext:
    """What a process did apart from the operations. undecoded: calls of the 32-bit ABI; sqpoll: whether a kernel
    thread submitted to an io_uring; unwatched: evidence that was missing where it mattered; burnt: whether waiting took
    a CPU, and how; lost: whether most events of the recording were lost."""

    undecoded: int = 0
    sqpoll: bool = False
    unwatched: tuple[facts.Unwatched, ...] = ()
    burnt: facts.Burnt | None = None
    lost: facts.MostEventsLost | None = None


def in_all(contexts: Iterable[VerdictContext]) -> VerdictContext:
    """The contexts of several processes as one."""
    several = list(contexts)
    calls: dict[tuple[str, str], int] = {}
    for missing in (its for context in several for its in context.unwatched):
        key = missing.what, missing.reason
        calls[key] = calls.get(key, 0) + missing.calls
    return VerdictContext(
        sum(context.undecoded for context in several),
        any(context.sqpoll for context in several),
        tuple(facts.Unwatched(what, count, why) for (what, why), count in calls.items()),
    )


MOST_LOST = 0.5  # of the events: beyond, nothing is said of the model


def lost(ledger: dict[str, Any]) -> facts.MostEventsLost | None:
    """Whether most events of a recording were lost; ledger: as the recording's facts have it."""
    count, of = ledger.get("lost") or 0, ledger.get("counted") or 0
    return facts.MostEventsLost(count, of) if count > MOST_LOST * of else None


NOTHING_BESIDE = VerdictContext()
NO_SLEEPS: Sleeps = MappingProxyType({})


def judge(
    operations: Operations,
    models: np.ndarray,
    context: VerdictContext = NOTHING_BESIDE,
    self_woken: int = 0,
    sleeps: Sleeps = NO_SLEEPS,
) -> ModelVerdict:
    """The verdict on operations with their models (models_of). self_woken: how many more there were, which only brought
    wake-ups from threads of the same process; sleeps: the call that each thread slept in longest."""
    unseen: list[ModelFact] = [facts.Undecoded(context.undecoded)] if context.undecoded else []
    unseen += context.unwatched
    unseen += [facts.SelfWoken(self_woken, len(operations))] if self_woken else []
    burnt: list[ModelFact] = [context.burnt] if context.burnt else []
    busy = bool(burnt)
    if not len(operations) and not context.lost:
        confidence = UNDECIDED if context.unwatched else 1.0
        seen = (*(unseen or [facts.NothingReceived()]), *burnt)
        return ModelVerdict("none", None, confidence, seen, busy=busy)
    counts = np.bincount(models, minlength=len(NAMES))
    decided = len(operations) - int(counts[UNKNOWN])
    order = [code for code in np.argsort(-counts, kind="stable").tolist() if counts[code]]
    seen = (*_evidence(operations, models, order, context), *burnt)
    seen = (*unseen, *seen) if context.unwatched else (*seen, *unseen)
    if context.lost or not decided:
        reason = context.lost or facts.AllThereAlready(len(operations))
        return ModelVerdict(
            "unknown", None, 0.0, seen, reason=reason, busy=busy, shown_of=len(operations)
        )
    order = [code for code in order if code != UNKNOWN]
    most, name = int(counts[order[0]]), NAMES[order[0]]
    shown = _shown(operations, models == order[0])
    confidence, variants = _confidence(shown), _variants(operations)
    confidence = UNDECIDED if context.unwatched else confidence
    of_all = len(operations)
    if most / decided < DOMINANT:
        shares = {NAMES[code]: round(int(counts[code]) / decided, 4) for code in order}
        kinds = {SYNCHRONOUS[model] for model in shares}
        synchronous = kinds.pop() if len(kinds) == 1 else None
        times = _time_shares(operations, models, order)
        mixed = "mixed", synchronous, confidence, seen, shares, times, variants
        return ModelVerdict(*mixed, busy=busy, shown_by=shown, shown_of=of_all)
    of_model = models == order[0]
    waited = _waited_after_all(name, operations, of_model, most)
    synchronous = SYNCHRONOUS[name] or waited
    how = manner(name, operations.where(of_model), busy, sleeps)
    return ModelVerdict(
        *(name, synchronous, confidence, seen),
        variants=variants,
        manner=how,
        busy=busy,
        shown_by=shown,
        shown_of=of_all,
    )


def _evidence(
    operations: Operations, models: np.ndarray, order: list[int], context: VerdictContext
) -> list[ModelFact]:
    """The facts about each model, the most frequent model first."""
    seen: list[ModelFact] = []
    for code in order:
        seen += evidence(NAMES[code], operations.where(models == code))
    submits = context.sqpoll and MODELS.index("io-uring") in order
    return [*seen, *([facts.KernelSubmits()] if submits else [])]


def _shown(operations: Operations, of_model: np.ndarray) -> int:
    """How many operations show their model by themselves: they were waited for. of_model: those that have it."""
    return int((of_model & (operations.wait_kind != AT_ONCE)).sum())


def _confidence(shown: int) -> float:
    """Laplace's rule of succession on the operations that show the model by themselves."""
    return min(0.99, round((shown + 1) / (shown + 2), 2)) if shown else 0.5


def _variants(operations: Operations) -> dict[str, int]:
    """How asynchronous requests were done, or reported → number of operations."""
    done = np.bincount(operations.completion_kind, minlength=len(COMPLETION_KINDS))
    return {COMPLETION_KINDS[kind]: int(done[kind]) for kind in np.flatnonzero(done) if kind}


def _time_shares(operations: Operations, models: np.ndarray, order: list[int]) -> dict[str, float]:
    """Each model's share of the operations' time from ask to done."""
    took_ns = np.bincount(models, operations.done - operations.ask, len(NAMES))
    whole_ns = took_ns[order].sum() or 1
    return {NAMES[code]: round(float(took_ns[code] / whole_ns), 4) for code in order}


def _waited_after_all(name: str, operations: Operations, of_model: np.ndarray, most: int) -> bool:
    """Whether an asynchronous model was synchronous for most of its operations: native AIO if reads were done inside
    io_submit, or io_getevents only reported readiness; io_uring if the io_uring_enter that submitted them copied, or it
    only reported readiness."""
    if name == "linux-aio":
        waited = operations.completion_kind != AFTER_SUBMIT
    elif name == "io-uring":
        waited = (operations.wait_kind == MULTIPLEXED) | (operations.completion_kind == INLINE)
    else:
        return False
    return int(waited[of_model].sum()) * 2 > most
