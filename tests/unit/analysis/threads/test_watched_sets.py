"""tracer/analysis/threads/watched_sets.py: what each call watched is what the probes told last of its thread; wherever
batches are cut, and compared with plain Python on traces made by chance."""

from __future__ import annotations

import random

import numpy as np
import pytest
from reference.watched_sets import NAMES, SETS, watched
from support.analysing import batches
from support.records_builder import Trace

from tracer.analysis.steps.step import Recording, State
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.timeline import TimelineStep
from tracer.analysis.threads.watched_sets import WatchedSetsStep
from tracer.kernel import syscalls
from tracer.recording.records import WATCHED_MORE, Kind


def watched_by_calls(records, count):
    """(thread, exit) → [time-out, entries, whether these are all], None where nothing is known, as the step has it."""
    timeline, sets, found = TimelineStep(), WatchedSetsStep(), {}
    waits = {number for names in NAMES.values() for number in syscalls.class_numbers(names)}
    for batch in batches(records, count):
        state = State(Recording(lambda _since, _until: iter(()), {}, Window.of(None)))
        state.put(TimelineStep, timeline.feed(batch, state))
        watching, calls = sets.feed(batch, state), state[TimelineStep].calls
        row, entries = watching.entries_of(np.arange(len(calls)))
        for one in range(len(calls)):
            if calls.nr[one] not in waits:
                assert watching.set[one] < 0
                continue
            mine = entries.take(row == one)
            known = watching.set[one] >= 0
            found[int(calls.tid[one]), int(calls.end[one])] = (
                (
                    int(watching.timeout[one]),
                    set(zip(mine.fd.tolist(), mine.events.tolist(), strict=True)),
                    bool(watching.is_whole[one]),
                )
                if known
                else None
            )
    return found


def random_trace(seed):
    """Calls of a few threads with sets that often stay the same, as the probes would have written them; some records
    are missing."""
    chance, trace, last = random.Random(seed), Trace(), {}
    time = 10
    for _ in range(120):
        tid = chance.choice((100, 101, 102, 103))
        time += chance.randrange(1, 9)
        name = chance.choice(("poll", "ppoll", "select", "pselect6", "epoll_wait", "recvfrom"))
        if name == "recvfrom":
            trace.call(name, time, time + 1, chance.choice((5, -11)), tid=tid)
            time += 2
            continue
        kind = syscalls.class_of(name)
        count = chance.choice((0, 1, 2, 3, 4, 5, 8, 63, 64, 65, 90, 1500))
        given = name, count, chance.choice((0, -1, 5_000_000)), chance.randrange(3)
        lost = chance.random() < 0.1
        if last.get(tid) != given:
            last[tid] = given
            for record in told(tid, time, kind, given):
                if not (lost and chance.random() < 0.5):
                    trace.add(**record)
        arguments = {"poll": (7, count), "select": (count, 0), "epoll_wait": (4, 10)}[kind]
        trace.call(
            name,
            time,
            time + 3,
            chance.choice((0, 0, 1)),
            fd=arguments[0],
            arg=arguments[1],
            tid=tid,
        )
        time += 5
    return trace.records()


def told(tid, time, kind, given):
    """The records of a set."""
    name, count, timeout, _ = given
    number = syscalls.numbers()[name]
    dice = random.Random(f"{given}")
    more = {
        "poll": 0 if count < 2 else (min(count, 64) + 1) // 3,
        "select": min((count + 63) // 64, 16),
        "epoll_wait": 0,
    }[kind]
    polled = [dice.randrange(200) | dice.choice((1, 4, 5)) << 32 for _ in range(min(count, 64))]
    first = polled[0] if kind == "poll" and polled else 0
    head = {"kind": Kind.WATCHED, "time": time, "tid": tid}
    size = 0 if kind == "epoll_wait" else count
    yield head | {"nr": number, "start": timeout, "result": first, "fd": size, "arg": more}
    for piece in range(more):
        words = (polled[1 + 3 * piece : 4 + 3 * piece] + [0xFFFFFFFF] * 3)[:3]
        if kind == "select":
            words = [dice.getrandbits(62) for _ in SETS]
        yield head | {
            "nr": WATCHED_MORE + piece,
            "start": words[0],
            "result": words[1],
            "fd": np.uint32(words[2] & 0xFFFFFFFF).view(np.int32),
            "arg": words[2] >> 32,
        }


@pytest.mark.parametrize("count", [1, 2, 7, 400])
def test_each_call_watched_what_was_told_last_of_its_thread(count):
    for seed in range(12):
        records = random_trace(seed)
        wanted = watched(records)
        found = watched_by_calls(records, count)
        assert found == wanted
    assert any(wanted.values()) and None in wanted.values()
