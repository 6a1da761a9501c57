"""tracer/analysis/identity/lives.py: IDs used again, in the report; no time is of a thread that does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.analysing import batches, results_of
from support.records_builder import FILE, PIPE, SOCKET, TID, Trace
from support.reports import built

from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.life_numbers import FIRST
from tracer.analysis.identity.lives import Lives
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.output.terminal.report import render
from tracer.recording.batch import RecordBatch
from tracer.recording.records import GOES_ON, Kind, bytes_of
from tracer.terms import STATES

MS = 1_000_000
CHILD, OTHER = 300, 301
BATCHES = (1, 2, 3, 5, 8, 13)


def named(trace: Trace, time: int, tid: int, name: bytes) -> Trace:
    return trace.add(
        Kind.NAME, time, tid=tid, start=int.from_bytes(name.ljust(8, b"\0"), "little"), arg=tid
    )


def life(
    trace: Trace,
    at: int,
    inode: int,
    size: int,
    *,
    mode: int = SOCKET,
    name: bytes = b"",
    tid: int = CHILD,
    ends: bool = True,
) -> Trace:
    """A child that is 10 ms old when it has received ten times from descriptor 3, each after half a millisecond."""
    trace.add(Kind.THREAD, at, tid=tid, fd=TID, result=tid).add(
        Kind.SWITCH_IN, at + 10, tid=tid, fd=TID
    )
    named(trace, at + 20, tid, name) if name else None
    trace.add(Kind.DESCRIPTOR, at + 30, start=inode, fd=3, arg=mode, tid=tid)
    for i in range(10):
        begin = at + (i + 1) * MS - 600_000
        trace.sleep(begin + 1000, begin + 400_000, begin + 410_000, tid=tid)
        trace.call("read", begin, begin + 420_000, size, fd=3, tid=tid)
    return trace.add(Kind.EXIT, at + 10 * MS, tid=tid, result=tid) if ends else trace


def twice(gap: int = 500 * MS, **first: Any) -> Trace:
    """A parent, and two children with one ID, one after the other."""
    end = 22 * MS + gap
    trace = named(Trace(), 5, TID, b"parent").sleep(100, end, end + 10)
    life(trace, MS, 71, 10, **first)
    return life(trace, MS + 10 * MS + gap, 72, 5, mode=PIPE, name=b"second")


@pytest.mark.parametrize("count", BATCHES)
def test_two_processes_that_had_one_id_are_two(count: int) -> None:
    its = built(twice(), count)
    both = [p for p in its["processes"] if p["tgid"] == CHILD]
    assert sorted(
        (p["start_ns"], p["end_ns"], p["name"], p["threads"], p["operations"]) for p in both
    ) == [(MS, 11 * MS, "parent", 1, 10), (511 * MS, 521 * MS, "second", 1, 10)]
    assert all(p["activity"]["cpu_ns"] < 7 * MS for p in both)
    assert sorted(
        (d["inode"], d["file"], d["receives"], d["received_bytes"])
        for d in its["descriptors"]
        if d["tgid"] == CHILD
    ) == [(71, "socket:[71]", 10, 100), (72, "pipe:[72]", 10, 50)]
    assert [(t["start_ns"], t["end_ns"]) for t in its["threads"] if t["tid"] == CHILD] == [
        (MS, 11 * MS),
        (511 * MS, 521 * MS),
    ]
    assert [(op["tid"], op["bytes"]) for op in its["operations"]] == [(CHILD, 10)] * 10 + [
        (CHILD, 5)
    ] * 10
    whole = built(twice())
    assert its | {"operations": list(its["operations"])} == whole | {
        "operations": list(whole["operations"])
    }


def ids_in(value: object) -> set[int]:
    """All the IDs that a report shows."""
    found: set[int] = set()
    for key, its in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        if key in ("tid", "tgid", "helper_tid", "waiter", "waker", "process") and isinstance(
            its, int
        ):
            found.add(its)
        found |= {*its} if key == "tids" else ids_in(its)
    return found


def numbers_in(value: object) -> set[int]:
    """All whole numbers of a report, and those in its texts."""
    if isinstance(value, dict | list):
        return set().union(*map(numbers_in, value.values() if isinstance(value, dict) else value))
    if isinstance(value, str):
        return {int(word) for word in "".join(c if c.isdigit() else " " for c in value).split()}
    return {value} if isinstance(value, int) else set()


def everything() -> Trace:
    """Two lives of an ID, in which it computes beside another, waits for futexes, is woken and wakes, and polls."""
    trace = twice(gap=4 * MS, name=b"first")
    for at in (2 * MS, 16 * MS):
        for i in range(30):
            begin = at + i * 100_000
            trace.sleep(begin + 100, begin + 3000, begin + 4000, tid=CHILD)
            trace.call("futex", begin + 50, begin + 5000, 0, fd=88, arg=128, tid=CHILD)
            trace.call("futex", begin + 2000, begin + 3500, 1, fd=88, arg=129)
            trace.add(Kind.WAKING, begin + 50_000, fd=CHILD)
        for i in range(300):
            trace.call(
                "read", at + 3 * MS + i * 4000, at + 3 * MS + i * 4000 + 2000, -11, fd=3, tid=CHILD
            )
    return trace


@pytest.mark.parametrize("count", [1, 4])
def test_ids_are_shown_everywhere(count: int) -> None:
    its = built(everything(), count)
    its |= {"operations": list(its["operations"])}
    assert ids_in(its) <= {-1, 0, TID, CHILD, 7}
    assert all(
        its[key] for key in ("locks", "lanes", "advice", "figure", "processes", "descriptors")
    )
    assert {
        waker["tid"] for p in its["processes"] if p["tgid"] == TID for waker in p["wakers"]
    } >= {CHILD}
    for key in its.keys() - {"phases", "syscalls", "queued"}:  # whose histograms have such numbers
        assert not numbers_in(its[key]) & {*range(FIRST, FIRST + 10)}
    assert "second" in render(its) and "first" in render(its)


@pytest.mark.parametrize("count", BATCHES)
def test_a_life_whose_end_was_lost_is_over_when_its_id_begins_again(count: int) -> None:
    its = built(twice(ends=False), count)
    times = [t for t in its["threads"] if t["tid"] == CHILD]
    assert [(t["start_ns"], t["end_ns"]) for t in times] == [
        (MS, 511 * MS - 1),
        (511 * MS, 521 * MS),
    ]
    assert [sum(t[f"{state}_ns"] for state in STATES) for t in times] == [510 * MS - 1, 10 * MS]


@pytest.mark.parametrize("count", BATCHES)
def test_who_was_off_the_cpu_when_its_end_was_lost_was_so_until_then(count: int) -> None:
    trace = twice(ends=False).add(Kind.SWITCH_OUT, 12 * MS, arg=1, tid=CHILD)
    first = next(t for t in built(trace, count)["threads"] if t["tid"] == CHILD)
    assert first["user_ns"] < 8 * MS and first["blocked_ns"] > 498 * MS


@pytest.mark.parametrize("count", BATCHES)
def test_with_a_process_end_all_its_threads(count: int) -> None:
    trace = twice(ends=False).add(Kind.THREAD, 2 * MS, tid=OTHER, fd=CHILD, result=CHILD)
    assert [
        (t["start_ns"], t["end_ns"]) for t in built(trace, count)["threads"] if t["tid"] == OTHER
    ] == [(2 * MS, 511 * MS - 1)]


def test_a_process_id_that_a_thread_has_later() -> None:
    trace = life(Trace(), MS, 71, 10).add(Kind.THREAD, 20 * MS, tid=CHILD, fd=TID, result=TID)
    trace.add(Kind.SWITCH_IN, 20 * MS + 10, tid=CHILD).call("read", 21 * MS, 22 * MS, 7, tid=CHILD)
    its = built(trace.add(Kind.EXIT, 23 * MS, tid=CHILD, result=TID))
    assert {p["tgid"]: (p["threads"], p["operations"]) for p in its["processes"]} == {
        TID: (2, 1),
        CHILD: (1, 10),
    }
    assert [(t["tgid"], t["end_ns"]) for t in its["threads"] if t["tid"] == CHILD] == [
        (CHILD, 11 * MS),
        (TID, 23 * MS),
    ]


@pytest.mark.parametrize(("created", "adopted"), [(100, 105), (105, 100)])
def test_a_thread_that_is_created_while_it_is_adopted_is_one(created: Any, adopted: Any) -> None:
    trace = Trace().add(Kind.THREAD, created, tid=CHILD, fd=TID, result=CHILD)
    trace.add(Kind.START, adopted, tid=CHILD, start=adopted, result=CHILD, arg=7)
    its = built(trace.call("getpid", MS, MS + 5, 1, tid=CHILD))
    assert [(t["start_ns"], t["end_ns"]) for t in its["threads"] if t["tid"] == CHILD] == [
        (100, MS + 5)
    ]


# execve by a thread that is not the leader


def executed(says: bool, leader_exits: bool = True) -> Trace:
    """The leader exits at 10 ms; at 60 ms another thread, in execve since 59 ms, has its ID, and exits at 80 ms."""
    trace = (
        Trace()
        .add(Kind.THREAD, MS, tid=OTHER, fd=TID, result=TID)
        .add(Kind.SWITCH_IN, MS + 10, tid=OTHER)
    )
    named(named(trace, 10, TID, b"old"), 2 * MS, OTHER, b"old").sleep(
        5 * MS, 58 * MS, 58 * MS + 10, tid=OTHER
    )
    if leader_exits:
        trace.add(Kind.EXIT, 10 * MS, result=TID)
    trace.add(
        Kind.EXIT,
        60 * MS,
        tid=OTHER,
        result=TID,
        **({"arg": GOES_ON, "start": 59 * MS} if says else {}),
    )
    trace.call("execve", 59 * MS, 61 * MS, 0, fd=0).add(
        Kind.EXEC, 61 * MS + 1, result=TID, arg=0x33
    )
    named(trace, 61 * MS + 2, TID, b"new").call("getpid", 70 * MS, 72 * MS, 1)
    return trace.add(Kind.EXIT, 80 * MS, result=TID)


@pytest.mark.parametrize("count", BATCHES)
@pytest.mark.parametrize("leader_exits", [True, False])
def test_a_leader_whose_id_another_thread_takes_by_execve_does_not_live_in_between(
    count: int, leader_exits: Any
) -> None:
    its = built(executed(True, leader_exits), count)
    ended = 10 * MS if leader_exits else 60 * MS - 1
    assert [(t["tid"], t["name"], t["start_ns"], t["end_ns"]) for t in its["threads"]] == [
        (TID, "old", 1, ended),
        (OTHER, "old", MS, 60 * MS),
        (TID, "new", 60 * MS, 80 * MS),
    ]
    assert [t["kernel_ns"] for t in its["threads"]] == [
        0,
        MS,
        3 * MS,
    ]  # execve was entered at 59 ms
    assert [(p["tgid"], p["name"], p["start_ns"], p["end_ns"]) for p in its["processes"]] == [
        (TID, "new", 1, 80 * MS)
    ]
    assert {call["name"]: call["calls"] for call in its["syscalls"]} == {"execve": 1, "getpid": 1}


@pytest.mark.parametrize("count", BATCHES)
def test_a_recording_that_does_not_say_so_shows_it_by_what_the_leader_does(count: int) -> None:
    its = built(executed(False), count)
    assert [(t["tid"], t["start_ns"], t["end_ns"]) for t in its["threads"]] == [
        (TID, 1, 10 * MS),
        (OTHER, MS, 60 * MS),
        (TID, 61 * MS, 80 * MS),
    ]
    assert len(its["processes"]) == 1


@pytest.mark.parametrize("count", BATCHES)
def test_a_leader_that_has_gone_before_the_others_is_not_taken_for_alive(count: int) -> None:
    trace = (
        Trace()
        .add(Kind.THREAD, MS, tid=OTHER, fd=TID, result=TID)
        .add(Kind.SWITCH_IN, MS + 10, tid=OTHER)
    )
    trace.add(Kind.EXIT, 2 * MS, result=TID).add(Kind.WAKING, 3 * MS).add(
        Kind.READY, 4 * MS, start=1
    )
    its = built(
        trace.call("read", 5 * MS, 6 * MS, 7, tid=OTHER).add(
            Kind.EXIT, 7 * MS, tid=OTHER, result=TID
        ),
        count,
    )
    assert [(t["tid"], t["end_ns"]) for t in its["threads"]] == [(TID, 2 * MS), (OTHER, 7 * MS)]


@pytest.mark.parametrize("count", BATCHES)
def test_no_other_thread_outlives_an_execve_though_the_record_of_its_end_was_lost(
    count: int,
) -> None:
    trace = Trace().add(Kind.THREAD, MS, tid=OTHER, fd=TID, result=TID)
    trace.add(Kind.SWITCH_IN, MS + 10, tid=OTHER).call("getpid", 2 * MS, 3 * MS, 1, tid=OTHER)
    trace.call("execve", 9 * MS, 10 * MS, 0, fd=0).add(Kind.EXEC, 10 * MS, result=TID, arg=0x33)
    its = built(trace.add(Kind.EXIT, 80 * MS, result=TID), count)
    assert [(t["tid"], t["end_ns"]) for t in its["threads"]] == [
        (TID, 80 * MS),
        (OTHER, 10 * MS - 1),
    ]


# the records


@pytest.mark.parametrize("count", [1, 3])
def test_where_no_id_is_used_twice_the_batches_are_the_very_same(count: int) -> None:
    lives, some = Lives(), list(batches(life(Trace(), MS, 71, 10).records(), count))
    assert [lives.feed(batch) for batch in some] == some

    def read(since: int | None, until: int | None) -> Iterator[RecordBatch]:
        return iter(some)

    assert lives.again(read) is read


@pytest.mark.parametrize("count", BATCHES)
@pytest.mark.parametrize(
    ("since", "until"), [(None, None), (None, 511 * MS), (10 * MS, 600 * MS), (511 * MS - 1, None)]
)
def test_what_is_read_again_is_what_was_fed(count: int, since: Any, until: Any) -> Any:
    records = twice(ends=False).records()
    lives = Lives()
    fed = np.concatenate([lives.feed(batch).records() for batch in batches(records, count)])

    def read(first: Any, last: Any) -> Any:
        kept = records[(records["time"] >= (first or 0)) & (records["time"] <= (last or 1 << 62))]
        return batches(kept, 3)

    again = np.concatenate([batch.records() for batch in lives.again(read)(since, until)])
    wanted = fed[(fed["time"] >= (since or 0)) & (fed["time"] <= (until or 1 << 62))]
    assert again.tolist() == wanted.tolist()


def test_every_field_with_an_id_is_told() -> None:
    trace = life(life(Trace(), MS, 71, 10), 20 * MS, 72, 5)
    trace.add(Kind.THREAD, 25 * MS, tid=OTHER, fd=CHILD, result=CHILD).add(
        Kind.WAKING, 26 * MS, fd=CHILD
    )
    trace.add(Kind.SWITCH_IN, 26 * MS, fd=CHILD).add(
        Kind.EXEC, 26 * MS, tid=CHILD, result=CHILD, arg=0x33
    )
    named(trace, 27 * MS, CHILD, b"x").add(Kind.EXIT, 28 * MS, tid=OTHER, result=CHILD)
    trace.call("read", 28 * MS, 29 * MS, CHILD, fd=CHILD, arg=CHILD)  # no IDs
    fed = Lives().feed(RecordBatch.of(trace.records())).records()
    fed = fed[fed["time"] > 24 * MS]
    told = {
        (int(r["kind"]), int(r["tid"]), int(r["fd"]), int(r["result"]), int(r["arg"])) for r in fed
    }
    assert {
        (Kind.THREAD, OTHER, FIRST, FIRST, 0),
        (Kind.WAKING, TID, FIRST, 0, 0),
        (Kind.SWITCH_IN, TID, FIRST, 0, 0),
        (Kind.EXEC, FIRST, -1, FIRST, 0x33),
        (Kind.NAME, FIRST, -1, 0, FIRST),
        (Kind.EXIT, OTHER, -1, FIRST, 0),
        (Kind.CALL, TID, CHILD, CHILD, CHILD),
    } <= told
    assert bytes_of(*(fed[fed["kind"] == Kind.NAME][["start", "result"]][0])) == b"x"


# against a plain reckoning


@dataclass
class Life:
    """When it began and ended; what it did, as (state, from, to); whether its EXIT was recorded."""

    tid: int
    born: int
    died: int
    doings: list[tuple[str, int, int]]
    ends: bool


@st.composite
def several_lives(draw: Any) -> list[Life]:
    found = []
    for tid in (500, 501, 502):
        at = draw(st.integers(10, 60))
        for _ in range(draw(st.integers(1, 4))):
            born, doings = at, []
            at += draw(st.integers(0, 5))
            doings.append(("runnable", born, at))
            for state in draw(
                st.lists(st.sampled_from(("blocked", "runnable", "kernel", "user")), max_size=6)
            ):
                begin, at = at, at + draw(st.integers(1, 30))
                doings.append((state, begin, at))
            at += 1
            doings.append(("user", at - 1, at))
            found.append(Life(tid, born, at, doings, draw(st.integers(0, 3)) > 0))
            at += draw(st.integers(1, 200))
    return found


def recorded(lives: list[Life]) -> Trace:
    trace = Trace()
    for its in lives:
        trace.add(Kind.THREAD, its.born, tid=its.tid, fd=TID, result=its.tid)
        trace.add(Kind.SWITCH_IN, its.doings[0][2], tid=its.tid)
        for state, begin, end in its.doings[1:]:
            if state == "kernel":
                trace.call("getpid", begin, end, 1, tid=its.tid)
            elif state != "user":
                trace.add(Kind.SWITCH_OUT, begin, tid=its.tid, arg=state == "blocked")
                trace.add(Kind.SWITCH_IN, end, tid=its.tid)
        if its.ends:
            trace.add(Kind.EXIT, its.died, tid=its.tid, result=its.tid)
    return trace


def reckoned(lives: list[Life], window: tuple[int, int], end: int) -> list[tuple[int, ...]]:
    """(ID, start, end, ns in each state) of each life, added up one piece at a time."""
    found = []
    for i, its in enumerate(lives):
        following = lives[i + 1] if i + 1 < len(lives) and lives[i + 1].tid == its.tid else None
        died = its.died if its.ends else following.born - 1 if following else end
        pieces = [*its.doings, ("user", its.died, died)]
        start, until = max(its.born, window[0]), min(died, window[1])
        spent = {
            state: sum(
                max(0, min(to, until) - max(since, start))
                for what, since, to in pieces
                if what == state
            )
            for state in STATES
        }
        if until > start:
            found.append((its.tid, start, until, *spent.values()))
    return sorted(found)


def measured(trace: Trace, window: tuple[int, int], count: int) -> list[dict[str, Any]]:
    results = results_of(trace.records(), ThreadStates, Identity, window=window, count=count)
    shown = results[Identity].shown
    return [shown({"tid": its.tid, "its": its}) for its in results[ThreadStates]]


@given(several_lives(), st.integers(1, 9), st.integers(0, 300), st.integers(1, 1500))
def test_no_time_belongs_to_a_thread_that_does_not_exist(
    lives: Any, count: int, begin: int, length: int
) -> None:
    trace, window = recorded(lives), (begin, begin + length)
    end = int(trace.records()["time"][-1])
    found = [
        (row["tid"], row["its"]) for row in measured(trace, window, count) if row["tid"] != TID
    ]
    for _, its in found:
        states = its.blocked_ns, its.runnable_ns, its.kernel_ns, its.user_ns
        assert min(states) >= 0 and sum(states) == its.end_ns - its.start_ns
        assert window[0] <= its.start_ns < its.end_ns <= window[1]
    assert sorted(
        (tid, its.start_ns, its.end_ns, its.blocked_ns, its.runnable_ns, its.kernel_ns, its.user_ns)
        for tid, its in found
    ) == reckoned(lives, window, end)


def test_a_file_of_an_earlier_life_is_not_known_in_a_later_one() -> None:
    trace = life(Trace(), MS, 71, 10, mode=FILE)
    trace.add(Kind.START, 20 * MS, tid=CHILD, result=CHILD).call(
        "write", 21 * MS, 22 * MS, 5, fd=3, tid=CHILD
    )
    assert [(d["inode"], d["sends"]) for d in built(trace)["descriptors"] if d["sends"]] == [
        (None, 1)
    ]
