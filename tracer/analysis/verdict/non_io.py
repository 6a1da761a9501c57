"""What a program does if it receives no messages, or hardly any: the threads wait for each other, compute, or use
files. Decided by counts and times from other modules, never by a name. Speaks to no kernel interface."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tracer.analysis.counts.file_kinds import Reads
from tracer.analysis.counts.purposes import CONNECTIONS, DATA, FUTEXES, SENDING, UNKNOWN, WAITS
from tracer.analysis.counts.purposes import FILES as _DISK
from tracer.analysis.verdict import facts
from tracer.analysis.verdict.facts import InsteadFact
from tracer.analysis.verdict.io_model import ModelVerdict

DOING = {"user": "computing", "kernel": "in system calls", "runnable": "waiting for a CPU"}
MOSTLY = 0.5  # of the threads' time: the least share of what a program "mostly" does
MUTUAL_EXCLUSION, TWO_WAY, SYNCHRONISATION, CONCURRENT, PARALLEL, COMPUTING, FILES = INSTEADS = (
    "mutual exclusion",
    "two-way waiting",
    "synchronisation",
    "concurrent",
    "parallel",
    "computing",
    "files",
)
_COMPUTES = (CONCURRENT, PARALLEL, COMPUTING)
STRAY = 0.01  # at most, of all that a program did: operations that say nothing about the program
OTHERS = 0.05  # at most, sends and connections then: a program that sends much does message I/O
FEWEST_FILE_CALLS = 100  # reads at the start of a program alone are no disk I/O worth a verdict
# on a futex word: a join waits once, a library's lock at the start of a thread a few times
FEWEST_WAITS = 10
LEAST_WORK = 0.1  # of the threads' time: who waits for more than the rest of it is not told to compute or to use files
LEAST_WAIT = 0.05  # of the threads' time, spent on futexes
_OF_MESSAGES = {f"waiting for {WAITS[reason]}" for reason in (DATA, CONNECTIONS, SENDING, UNKNOWN)}
_FUTEXES = f"waiting for {WAITS[FUTEXES]}"
_FILES = f"waiting for {WAITS[_DISK]}"
_ACTIVE = {*DOING.values(), _FILES} - {DOING["runnable"]} | _OF_MESSAGES


@dataclass(frozen=True)
class IoCounts:
    """How many receives and sends were on files (and block devices), how many sends, accepts and connects on sockets;
    reads: what was read from other things, by kind."""

    files: int = 0
    others: int = 0
    reads: tuple[Reads, ...] = ()


def in_all(of_processes: Iterable[IoCounts]) -> IoCounts:
    """The sums over several processes."""
    several = list(of_processes)
    calls, sizes = Counter[str](), Counter[str]()
    for kind, count, size in (reads for counts in several for reads in counts.reads):
        calls[kind] += count
        sizes[kind] += size
    return IoCounts(
        sum(counts.files for counts in several),
        sum(counts.others for counts in several),
        tuple(Reads(kind, count, sizes[kind]) for kind, count in calls.most_common()),
    )


def judged(
    verdict: ModelVerdict,
    operations: int,
    counts: IoCounts,
    locks: Sequence[dict[str, Any]],
    lanes: dict[str, Any] | None,
    activity: dict[str, Any],
) -> ModelVerdict:
    """The verdict on the operations, or one that says what the program does instead; operations: their number.

    locks, lanes, activity: parts of the report, times in ns.
    """
    waits = sum(word["waits"] for word in locks)
    if operations and not _is_stray(operations, counts, waits, activity):
        return verdict
    instead = _instead(counts, locks, lanes, activity)
    if verdict.busy and instead is not None and instead.name in _COMPUTES:
        instead = None  # it asks for something all the while
    works = _works(activity["times_ns"])
    if instead is None and operations and works and counts.files >= FEWEST_FILE_CALLS:
        instead = _Instead(FILES, (_file_calls(counts),))
    reads = () if operations or not counts.reads else (facts.OtherReads(counts.reads),)
    if instead is None:
        return replace(verdict, evidence=(*verdict.evidence, *reads)) if reads else verdict
    evidence = (*verdict.evidence, *reads, *instead.evidence)
    if operations:
        models = tuple(verdict.shares or (verdict.name,))
        evidence = (*instead.evidence, facts.FewReceives(operations, models))
    return ModelVerdict("none", None, 1.0, evidence, instead=instead.name)


@dataclass(frozen=True)
class _Instead:
    """One of INSTEADS, and the facts that it rests on."""

    name: str
    evidence: tuple[InsteadFact, ...]


def _is_stray(operations: int, counts: IoCounts, lock_waits: int, activity: dict[str, Any]) -> bool:
    """Whether the operations are too few, compared with other calls, to say what the program does."""
    rest = counts.files + lock_waits
    return (
        0 < operations <= STRAY * (operations + rest)
        and counts.others <= OTHERS * (counts.others + rest)
        and activity["mostly"] not in _OF_MESSAGES
    )


def _instead(
    counts: IoCounts,
    locks: Sequence[dict[str, Any]],
    lanes: dict[str, Any] | None,
    activity: dict[str, Any],
) -> _Instead | None:
    """The first of these that holds: the program uses files, the threads wait for each other, it computes; else
    None."""
    times = activity["times_ns"]
    computes, works = _computes(times), _works(times)
    if works and not computes and _uses_files(counts, activity):
        return _Instead(FILES, (_file_calls(counts),))
    if waits := _waits_for_each_other(locks, times, activity.get("idle_times_ns", {})):
        return waits
    # a sleep on a futex counts as the wait to join another thread
    awake = sum(times.values()) - times.get(_FUTEXES, 0)
    wanted = times.get(DOING["user"], 0) + times.get(DOING["runnable"], 0)
    if not (computes and works) or wanted <= MOSTLY * awake:
        return None
    return _on_cpus(lanes, times) if lanes else _Instead(COMPUTING, (_time_spent(times),))


def _works(times: dict[str, int]) -> bool:
    """Whether the threads did enough, beside waiting, to say what they do. That they waited for a CPU says nothing: on
    a busy machine, who wakes for a moment waits for one most of all."""
    waits = {DOING["runnable"]}
    work_ns = sum(times.get(doing, 0) for doing in {*DOING.values(), _FILES} - waits)
    return work_ns >= LEAST_WORK * sum(ns for doing, ns in times.items() if doing not in waits)


def _computes(times: dict[str, int]) -> bool:
    """Whether the threads computed most of the time, apart from waits that are no I/O."""
    active = sum(ns for doing, ns in times.items() if doing in _ACTIVE)
    return times.get(DOING["user"], 0) > MOSTLY * active


def _uses_files(counts: IoCounts, activity: dict[str, Any]) -> bool:
    """Whether the program made enough calls on files, and did not mostly idle."""
    idle = {
        doing
        for doing in activity["times_ns"]
        if doing not in _ACTIVE and doing != DOING["runnable"]
    }
    return counts.files >= FEWEST_FILE_CALLS and (activity["mostly"] or "") not in idle


def _waits_for_each_other(
    locks: Sequence[dict[str, Any]], times: dict[str, int], idle: dict[str, int]
) -> _Instead | None:
    """Mutual exclusion, two-way waiting or synchronisation: the one with the longest waits. Only words with repeated
    waits count; a join is none. idle: the times of threads that did next to nothing else: the waits are theirs, too."""
    words = {
        kind: [word for word in locks if word["kind"] == kind and word["waits"] >= FEWEST_WAITS]
        for kind in (MUTUAL_EXCLUSION, TWO_WAY, SYNCHRONISATION)
    }
    waited_ns = {
        kind: sum(word["waited_ns"] for word in of_kind) for kind, of_kind in words.items()
    }
    kind = max(waited_ns, key=waited_ns.__getitem__)
    if waited_ns[kind] <= LEAST_WAIT * sum(times.values()):
        return None
    sleeps = facts.FutexSleeps(
        sum(word["waits"] for word in words[kind]),
        waited_ns[kind],
        sum(word["slept_ns"] for word in words[kind]),
        max(word["longest_ns"] for word in words[kind]),
        kind == MUTUAL_EXCLUSION,
        kind != SYNCHRONISATION,
    )
    return _Instead(kind, (sleeps, _time_spent(Counter(times) + Counter(idle))))


def _on_cpus(lanes: dict[str, Any], times: dict[str, int]) -> _Instead:
    """Parallel if two threads had a CPU at the same time, else concurrent."""
    most = max(lanes["pairs"], key=lambda pair: pair["overlap_ns"])
    if not most["overlap_ns"]:
        cpus = {cpu for thread in lanes["threads"] for cpu in thread["cpus"]}
        turns = facts.TookTurns(len(lanes["threads"]), len(cpus))
        return _Instead(CONCURRENT, (turns, _time_spent(times)))
    one, other = most["tids"]
    together = facts.RanTogether((one, other), most["overlap_ns"], most["possible_ns"])
    return _Instead(PARALLEL, (together, _time_spent(times)))


def _file_calls(counts: IoCounts) -> facts.FileCalls:
    return facts.FileCalls(counts.files, counts.others)


def _time_spent(times: dict[str, int]) -> facts.TimeSpent:
    doings = (DOING["user"], DOING["runnable"], _FUTEXES)
    return facts.TimeSpent(*(times.get(doing, 0) for doing in doings))
