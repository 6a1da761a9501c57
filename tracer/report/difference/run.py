"""What one run says of itself, to be held against another's: numbers, what was usual for a message, and words; each of
the whole run, of each process by its name, and of each kind of descriptor by its role there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tracer.analysis import passes
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.steps_of_operations import (
    NOTHING,
    SLEEP,
    Steps,
    StepsOfOperations,
    name_of,
)
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import Recording, Results
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.absences import Absences, OffCpuTimes
from tracer.analysis.threads.thread_states import ThreadStates, ThreadTimes
from tracer.recording.batch import Read
from tracer.report.difference.roles import role
from tracer.report.processes import Processes
from tracer.report.program import FileNames, Model
from tracer.statistics import grid
from tracer.terms import NOTICE_SPANS, PHASE_SPANS, PHASES, STATES

# notice stands before its two parts
TIMED = tuple(its for name in PHASES for its in (name, *(NOTICE_SPANS if name == "notice" else ())))
Timed: TypeAlias = dict[
    str, tuple[np.ndarray, np.ndarray]
]  # phase → what it took, and waited for a CPU (ns)
PARTS = 5  # of a run, in the order of time
FEWEST_IN_PART = 4  # operations; a run with fewer than twice as many is one part
_OWN = STATES[1:]  # blocked is the pace of who sends
_PERCENTILES = {"p50": 0.5, "p90": 0.9}


class Where(NamedTuple):
    """The whole run (both empty), the processes of one name, or their descriptors of one role."""

    process: str = ""
    role: str = ""


@dataclass(frozen=True)
class Number:
    """One number of a run. parts: the same of each part of the run; sample: what it was taken of, thinned out, if it is
    a median, else empty; on_cpu: the same without the time in which its threads waited for a CPU, where that is known:
    other programs decide how long that is."""

    value: float
    parts: np.ndarray
    sample: np.ndarray
    on_cpu: Number | None = None


@dataclass(frozen=True)
class Usual:
    """How many operations (a share) did which: what is the same in most of them is the program's way."""

    shares: dict[Any, float]

    @property
    def most(self) -> Any:
        """What most of them did."""
        return max(self.shares, key=self.shares.__getitem__)


@dataclass
class Place:
    """What a run says of one place. operations: how many there were."""

    operations: int = 0
    numbers: dict[str, Number] = field(default_factory=dict)
    usual: dict[str, Usual] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """places: the whole first, then processes in the order of their beginnings. lost: events."""

    name: str
    places: dict[Where, Place]
    lost: int
    scenario: str | None
    host: Mapping[str, Any]


def of(read: Read, facts: dict[str, Any], name: str) -> Run:
    """The run of a recording. read, facts: as build.build takes them; name: what it is called."""
    notes = facts.get("notes") or {}
    window = Window.of(notes.get("window_ns") or facts.get("window_ns"))
    steps = (
        *(Model, Processes, OperationsInWindow, Identity),
        *(ThreadStates, FileNames, Steps, Absences),
    )
    results = passes.run(Recording(read, facts, window), steps)
    ledger = facts.get("ledger") or {}
    return Run(
        name, _places(results), ledger.get("lost") or 0, facts.get("scenario"), facts["host"]
    )


def _places(results: Results) -> dict[Where, Place]:
    operations, steps = results[OperationsInWindow], results[Steps]
    threads = results[ThreadStates]
    timed = _timed(operations, results[Absences])
    everything = np.ones(len(operations), bool)
    whole = _place(timed, steps, everything, threads)
    whole.words["verdict"] = results[Model]["model"]["name"]
    places = {Where(): whole}
    processes = sorted(results[Processes]["processes"], key=lambda its: its["start_ns"])
    names = dict.fromkeys(its["name"] for its in processes)
    for name in names:
        pool = [its for its in processes if its["name"] == name]
        chosen = np.isin(operations.tgid, [its["tgid"] for its in pool])
        if len(names) > 1:
            own = [its for its in threads if its.tgid in {process["tgid"] for process in pool}]
            place = places[Where(name)] = _place(timed, steps, chosen, own)
            place.words["verdict"] = ", ".join(sorted({its["model"]["name"] for its in pool}))
        roles = _roles(operations, results[FileNames], chosen)
        for its in dict.fromkeys(roles[chosen].tolist()):
            if len(set(roles[chosen].tolist())) > 1:
                places[Where(name, its)] = _place(timed, steps, chosen & (roles == its), [])
    return places


def _roles(
    operations: Operations, names: dict[tuple[int, int, int], str], chosen: np.ndarray
) -> np.ndarray:
    """object[n]: the role of each chosen operation's descriptor."""
    keys = np.stack([operations.tgid, operations.fd, operations.inode], axis=1).astype(np.int64)
    roles = np.full(len(operations), "", object)
    if chosen.any():
        distinct, inverse = np.unique(keys[chosen], axis=0, return_inverse=True)
        told = np.array([role(names.get(tuple(key))) for key in distinct.tolist()], object)
        roles[chosen] = told[inverse.reshape(-1)]
    return roles


def _place(
    timed: Timed,
    steps: StepsOfOperations,
    chosen: np.ndarray,
    threads: list[ThreadTimes],
) -> Place:
    """What a run says of some of its operations (chosen: bool[n]) and threads. timed: of all operations."""
    place = Place(int(chosen.sum()))
    if place.operations:
        place.numbers |= _phases(timed, chosen)
        place.numbers |= _counts(steps, chosen)
        place.usual |= _usual(steps, chosen)
    place.numbers |= _states(threads, place.operations)
    return place


def parts(count: int) -> list[slice]:
    """The parts of so many operations."""
    cuts = np.linspace(0, count, max(min(PARTS, count // FEWEST_IN_PART), 1) + 1).astype(int)
    return [slice(begin, end) for begin, end in pairwise(cuts.tolist())]


def number(values: np.ndarray, share: float) -> Number:
    """A percentile (nearest-rank) of values in the order of time, and of its parts."""
    return Number(
        _percentile(values, share),
        np.array([_percentile(values[part], share) for part in parts(len(values))]),
        grid(values) if share == 0.5 else np.empty(0),
    )


def _percentile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share, method="inverted_cdf"))


def _timed(operations: Operations, absences: OffCpuTimes) -> Timed:
    """How long each phase of each operation took, and how much of that its threads waited for a CPU."""
    took = dict(zip(PHASES, operations.phases(), strict=True)) | {
        name: getattr(operations, end) - getattr(operations, begin)
        for name, (begin, end) in NOTICE_SPANS.items()
    }
    spans = {**PHASE_SPANS, **NOTICE_SPANS}
    return {name: (took[name], _waited(operations, absences, *spans[name])) for name in TIMED}


def _waited(operations: Operations, absences: OffCpuTimes, begin: str, end: str) -> np.ndarray:
    """int64[n]: how long (ns) those that asked, were told and received waited for a CPU between two boundaries."""
    since, until = getattr(operations, begin), getattr(operations, end)
    waited = np.zeros(len(operations), np.int64)
    others = (operations.receiver_tid, operations.told_tid)
    for tids in (operations.tid, *others):
        asleep, away = absences.within(tids, since, until)
        waited += np.where(tids > 0, away - asleep, 0)
    return waited


def _phases(timed: Timed, chosen: np.ndarray) -> dict[str, Number]:
    numbers = {}
    for name, (took, waited) in timed.items():
        mine, on_cpu = took[chosen], np.maximum(took - waited, 0)[chosen]
        for percentile, share in _PERCENTILES.items():
            its = replace(number(mine, share), on_cpu=number(on_cpu, share))
            numbers[f"{name} {percentile}_ns"] = its
    return numbers


def _looked_at(steps: StepsOfOperations, chosen: np.ndarray) -> np.ndarray:
    mine: np.ndarray = chosen[steps.rows]
    return mine


def _named(steps: StepsOfOperations, mine: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for step, counts in steps.counts.items():
        if counts[mine].any():
            yield ("wake-ups" if step == SLEEP else f"{name_of(step)} calls"), counts[mine]


def _counts(steps: StepsOfOperations, chosen: np.ndarray) -> dict[str, Number]:
    """How many of each step a message: their mean."""
    mine = _looked_at(steps, chosen)
    return {
        name: Number(
            float(counts.mean()),
            np.array([counts[part].mean() for part in parts(len(counts))]),
            np.empty(0),
        )
        for name, counts in _named(steps, mine)
    }


def _usual(steps: StepsOfOperations, chosen: np.ndarray) -> dict[str, Usual]:
    """How many operations have how many of each step, and which sequence."""
    mine = _looked_at(steps, chosen)
    if not mine.any():
        return {}
    told = {name: _shares(counts) for name, counts in _named(steps, mine)}
    distinct, counts = np.unique(steps.sequences[mine], axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shares = {_sequence(distinct[row].tolist()): float(counts[row] / counts.sum()) for row in order}
    return {**told, "sequence": Usual(shares)}


def _shares(counts: np.ndarray) -> Usual:
    values, times = np.unique(counts, return_counts=True)
    return Usual(dict(zip(values.tolist(), (times / times.sum()).tolist(), strict=True)))


def _sequence(steps: list[int]) -> str:
    return ", ".join(name_of(step) for step in steps if step != NOTHING)


def _states(threads: list[ThreadTimes], operations: int) -> dict[str, Number]:
    """The time of all threads in each state but blocked: a message, or where there is none, of their lifetime."""
    if not threads:
        return {}
    lifetime = sum(its.end_ns - its.start_ns for its in threads) or 1
    sums = {name: sum(getattr(its, f"{name}_ns") for its in threads) for name in _OWN}
    if operations:
        values = {f"{name} a message_ns": its / operations for name, its in sums.items()}
    else:
        values = {f"{name} share": its / lifetime for name, its in sums.items()}
    return {name: Number(float(value), np.empty(0), np.empty(0)) for name, value in values.items()}
