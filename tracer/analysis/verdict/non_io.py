"""What a program does that receives no messages, or hardly any: its threads wait for each other, compute, or use files;
from what other modules found in the records, never from a name. Speaks to no kernel interface."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracer.analysis.counts.wait_reasons import CONNECTIONS, DATA, FUTEXES, SENDING, WAITS

DOING = {"user": "computing", "kernel": "in system calls", "runnable": "waiting for a CPU"}
MOSTLY = 0.5  # of the threads' time; below it nothing is said to be what it mostly does
MUTUAL_EXCLUSION, SYNCHRONISATION, CONCURRENT, PARALLEL, COMPUTING, FILES = INSTEADS = (
    "mutual exclusion",
    "synchronisation",
    "concurrent",
    "parallel",
    "computing",
    "files",
)
STRAY = 0.01  # of what a program did, at most: operations that say nothing about it
OTHERS = 0.05  # sends and connections beside them, at most: who sends much does message I/O
FEWEST_FILE_CALLS = 100  # what a program reads to start is no disk I/O worth a verdict
FEWEST_WAITS = (
    10  # on a futex word; a join waits once, what a library locks to start a thread a few times
)
LEAST_WAIT = 0.05  # of the threads' time, spent on futexes
_OF_MESSAGES = {f"waiting for {WAITS[what]}" for what in (DATA, CONNECTIONS, SENDING)}
_FUTEXES = f"waiting for {WAITS[FUTEXES]}"
_ACTIVE = {*DOING.values(), "waiting for files"} - {DOING["runnable"]} | _OF_MESSAGES


@dataclass(frozen=True)
class IoCounts:
    """How many receives and sends were on files (and block devices), how many sends, accepts and connects on
    sockets."""

    files: int = 0
    others: int = 0


def in_all(moved: Iterable[IoCounts]) -> IoCounts:
    """The sum of several processes'."""
    several = list(moved)
    return IoCounts(sum(its.files for its in several), sum(its.others for its in several))


def judged(
    model: dict,
    operations: int,
    moved: IoCounts,
    locks: list[dict],
    lanes: dict | None,
    activity: dict,
) -> dict:
    """The report's `model`, made from so many operations, or one that says what the program does instead."""
    if operations and not _is_stray(
        operations, moved, sum(word["waits"] for word in locks), activity
    ):
        return model
    what, evidence = _instead(moved, locks, lanes, activity)
    if operations and what is None and moved.files >= FEWEST_FILE_CALLS:
        what, evidence = FILES, [_of_files(moved)]
    if what is None:
        return model
    if operations:
        names = " and ".join(model.get("shares") or [model["name"]])
        evidence.append(
            f"{operations} of its receives brought a message ({names}): too few beside that to say what "
            "the program is for"
        )
    else:
        evidence = model["evidence"] + evidence
    return {
        "name": "none",
        "synchronous": None,
        "confidence": 1.0,
        "instead": what,
        "evidence": evidence,
    }


def _is_stray(operations: int, moved: IoCounts, lock_waits: int, activity: dict) -> bool:
    """Whether so many operations beside so much else say nothing about what the program is for."""
    rest = moved.files + lock_waits
    return (
        0 < operations <= STRAY * (operations + rest)
        and moved.others <= OTHERS * (moved.others + rest)
        and activity["mostly"] not in _OF_MESSAGES
    )


def _instead(
    moved: IoCounts, locks: list[dict], lanes: dict | None, activity: dict
) -> tuple[str | None, list[str]]:
    """One of INSTEADS (None: nothing stands out), and evidence; the arguments are parts of the report, times in ns.

    Words that were waited for again and again count, not a join.
    """
    times = activity["times_ns"]
    active = sum(ns for what, ns in times.items() if what in _ACTIVE)
    computes = times.get(DOING["user"], 0) > MOSTLY * active
    reads = moved.files >= FEWEST_FILE_CALLS and (activity["mostly"] or "") not in _idle(times)
    if reads and not computes:
        return FILES, [_of_files(moved)]
    waited = {
        kind: [word for word in locks if word["kind"] == kind and word["waits"] >= FEWEST_WAITS]
        for kind in (MUTUAL_EXCLUSION, SYNCHRONISATION)
    }
    total = {kind: sum(word["waited_ns"] for word in words) for kind, words in waited.items()}
    kind = max(total, key=total.__getitem__)
    if total[kind] > LEAST_WAIT * sum(times.values()):
        return kind, [_of_locks(kind, waited[kind]), _of_time(times)]
    wanted = times.get(DOING["user"], 0) + times.get(DOING["runnable"], 0)
    if not computes or wanted <= MOSTLY * (
        sum(times.values()) - times.get(_FUTEXES, 0)
    ):  # those join the others
        return None, []
    return _of_lanes(lanes, times) if lanes else (COMPUTING, [_of_time(times)])


def _idle(times: dict[str, int]) -> set[str]:
    return {what for what in times if what not in _ACTIVE and what != DOING["runnable"]}


def _of_files(moved: IoCounts) -> str:
    return f"{moved.files:,} reads and writes of files, beside {moved.others:,} sends and connections on sockets"


def _of_time(times: dict[str, int]) -> str:
    parts = [
        (DOING["user"], "{} ms computing"),
        (DOING["runnable"], "{} ms waiting for a CPU"),
        (_FUTEXES, "{} ms asleep on futexes"),
    ]
    return "the threads' time: " + ", ".join(
        text.format(f"{times.get(what, 0) / 1e6:.1f}") for what, text in parts
    )


def _of_locks(kind: str, words: list[dict]) -> str:
    waits, longest = sum(word["waits"] for word in words), max(word["longest_ns"] for word in words)
    how = (
        "it woke others there later: it had what it waited for, and gave it back"
        if kind == MUTUAL_EXCLUSION
        else "it woke nobody there: what it waited for was an event, and another thread's"
    )
    return (
        f"{waits} times a thread slept on a futex, {sum(word['waited_ns'] for word in words) / 1e6:.1f} ms in all, "
        f"at most {longest / 1e6:.1f}; {how}"
    )


def _of_lanes(lanes: dict, times: dict[str, int]) -> tuple[str, list[str]]:
    most = max(lanes["pairs"], key=lambda pair: pair["overlap_ns"])
    one, other = most["tids"]
    together, possible = most["overlap_ns"] / 1e6, most["possible_ns"] / 1e6
    if not together:
        cpus = {cpu for thread in lanes["threads"] for cpu in thread["cpus"]}
        where = "the same CPU" if len(cpus) == 1 else f"{len(cpus)} CPUs"
        return CONCURRENT, [
            f"{len(lanes['threads'])} threads computed, on {where}, and no two at the same time: they "
            "took turns",
            _of_time(times),
        ]
    return PARALLEL, [
        f"threads {one} and {other} both had a CPU for {together:.1f} of the {possible:.1f} ms that the "
        "shorter one's computing took",
        _of_time(times),
    ]
