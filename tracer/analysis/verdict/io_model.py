"""Operations → which I/O model they follow, and the facts that a person can check against the records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tracer.analysis.operations.boundaries import EPOLLET
from tracer.analysis.operations.table import (
    AFTER_SUBMIT,
    AT_ONCE,
    BLOCKED,
    COMPLETION_KINDS,
    IO_URING,
    LINUX_AIO,
    MULTIPLEXED,
    POLLED,
    POSIX_AIO,
    SIGNAL,
    Operations,
)
from tracer.analysis.verdict import facts
from tracer.analysis.verdict.facts import Fact, ModelFact
from tracer.analysis.verdict.io_evidence import evidence
from tracer.kernel import syscalls
from tracer.terms import MODELS, SYNCHRONOUS

DOMINANT = 0.95  # of the operations; below it the verdict is "mixed"
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


@dataclass(frozen=True)
class ModelVerdict:
    """What operations, or a program that has none, were found to be.

    name: one of MODELS, mixed, or none; synchronous: as POSIX has it, None where operations differ or there are none;
    confidence: 0 to 1. Of "mixed" the models' shares of the operations (shares) and of their time from ask to done
    (time_shares). variants: how asynchronous requests were done → how many. instead: where the name is "none", what the
    program does that receives nothing, or hardly anything (non_io.INSTEADS).
    """

    name: str
    synchronous: bool | None
    confidence: float
    evidence: tuple[Fact, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)
    time_shares: dict[str, float] = field(default_factory=dict)
    variants: dict[str, int] = field(default_factory=dict)
    instead: str | None = None


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


NOTHING_BESIDE = VerdictContext()


def judge(
    operations: Operations, models: np.ndarray, beside: VerdictContext = NOTHING_BESIDE
) -> ModelVerdict:
    """The verdict on operations with their models (models_of)."""
    undecoded: list[ModelFact] = [facts.Undecoded(beside.undecoded)] if beside.undecoded else []
    if not len(operations):
        return ModelVerdict("none", None, 1.0, (*(undecoded or [facts.NothingReceived()]),))
    counts = np.bincount(models, minlength=len(MODELS))
    order = [code for code in np.argsort(-counts, kind="stable").tolist() if counts[code]]
    seen = (*_evidence(operations, models, order, beside), *undecoded)
    most, name = int(counts[order[0]]), MODELS[order[0]]
    confidence, variants = _confidence(operations, most), _variants(operations)
    if most / len(operations) < DOMINANT:
        shares = {MODELS[code]: round(int(counts[code]) / len(operations), 4) for code in order}
        kinds = {SYNCHRONOUS[model] for model in shares}
        synchronous = kinds.pop() if len(kinds) == 1 else None
        times = _time_shares(operations, models, order)
        return ModelVerdict("mixed", synchronous, confidence, seen, shares, times, variants)
    waited = _waited_after_all(name, operations, models == order[0], most)
    synchronous = SYNCHRONOUS[name] or waited
    return ModelVerdict(name, synchronous, confidence, seen, variants=variants)


def _evidence(
    operations: Operations, models: np.ndarray, order: list[int], beside: VerdictContext
) -> list[ModelFact]:
    """What was seen of each model, the most frequent first."""
    seen: list[ModelFact] = []
    for code in order:
        seen += evidence(MODELS[code], operations.where(models == code))
    submits = beside.sqpoll and MODELS.index("io-uring") in order
    return [*seen, *([facts.KernelSubmits()] if submits else [])]


def _confidence(operations: Operations, most: int) -> float:
    """Laplace's rule of succession on the operations that show the model by themselves; most: those of that model."""
    undecided = int((operations.wait_kind == AT_ONCE).sum())
    shown = most - min(undecided, most)
    return min(0.99, round((shown + 1) / (shown + 2), 2)) if shown else 0.5


def _variants(operations: Operations) -> dict[str, int]:
    """How asynchronous requests were done, or told of → how many operations."""
    done = np.bincount(operations.completion_kind, minlength=len(COMPLETION_KINDS))
    return {COMPLETION_KINDS[kind]: int(done[kind]) for kind in np.flatnonzero(done) if kind}


def _time_shares(operations: Operations, models: np.ndarray, order: list[int]) -> dict[str, float]:
    """Each model's share of the operations' time from ask to done."""
    took = np.bincount(models, operations.done - operations.ask, len(MODELS))
    whole = took.sum() or 1
    return {MODELS[code]: round(float(took[code] / whole), 4) for code in order}


def _waited_after_all(name: str, operations: Operations, mine: np.ndarray, most: int) -> bool:
    """Whether an asynchronous model was synchronous for most of its operations: native AIO where its reads were done
    inside io_submit, or only told of by io_getevents; io_uring where it only told of readiness."""
    if name == "linux-aio":
        waited = operations.completion_kind != AFTER_SUBMIT
    elif name == "io-uring":
        waited = operations.wait_kind == MULTIPLEXED
    else:
        return False
    return int(waited[mine].sum()) * 2 > most
