"""tracer/analysis/operations against tests/reference: the same operations with the same boundaries."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from reference import (
    handover,
    io_uring,
    linux_aio,
    order,
    posix_aio,
    readiness,
    request_stories,
    signals,
)
from reference import operations as reference
from reference import stories as receive_stories
from reference.order import Operation
from reference.story import Story
from support.analysing import operations_of
from support.records_builder import Trace

from tracer.analysis.operations.table import COMPLETION_KINDS, WAIT_KINDS, Operations
from tracer.terms import BOUNDARIES, MOVABLE

COMPARED = (
    *("tid", "receiver_tid", "fd", "inode", "bytes", "queued", *BOUNDARIES),
    *(f"raw_{name}" for name in MOVABLE),
)
OF_RECEIVES = (
    *("eagain_count", "timeouts", "idle_waits", "slept", "slept_looking"),
    *("waited_asleep", "slept_nr"),
    *("fell_asleep", "epfd", "events"),
    *("signal", "generated", "delivered", "named", "by_sigwait", "inside"),
    "told_tid",
)
# When a receiving thread was woken is compared in test_handover.py. Here the two differ in some stories of many scenes,
# where which wake-up was meant is not clear.
_ELSEWHERE = ("woken", "running")
OF_REQUESTS = ("slept", "inside", "in_call")
# Which values hypothesis prefers depends on the modules that are loaded, derandomized or not: so many stories that the
# rarest line is reached whichever tests run.
told = settings(
    max_examples=900,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
plainly = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def by_reference(story: Story) -> list[Operation]:
    """The operations of a story of receives, by the plain rules."""
    found = reference.received(story)
    reference.settled(story, found)
    posix_aio.complete(story, found)
    return found


def requests_by_reference(story: Story) -> list[Operation]:
    """The operations of a story of requests, by the plain rules."""
    found = io_uring.reads(story) + linux_aio.reads(story)
    reference.settled(story, found)
    return found


def wanted(operations: list[Operation]) -> list[dict[str, Any]]:
    """The reference's operations as dicts, in an order of their own."""
    return ordered(
        {name: getattr(op, name) for name in COMPARED if not name.startswith("raw_")}
        | {f"raw_{name}": op.raw[name] for name in MOVABLE}
        | {"wait_kind": op.wait_kind, "completion_kind": op.completion_kind}
        | {"estimated": sorted(op.estimated)}
        | {name: value for name, value in op.more.items() if name not in _ELSEWHERE}
        for op in operations
    )


def analysed(operations: Operations, more: tuple[str, ...]) -> list[dict[str, Any]]:
    """The analysis' operations in the same form; more: further columns to compare."""
    return ordered(
        {name: row[name] for name in (*COMPARED, *more)}
        | {"wait_kind": WAIT_KINDS[row["wait_kind"]]}
        | {"completion_kind": COMPLETION_KINDS[row["completion_kind"]]}
        | {
            "estimated": sorted(
                its for i, its in enumerate(BOUNDARIES) if row["estimated"] >> i & 1
            )
        }
        for row in operations.rows()
    )


def ordered(operations: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(operations, key=lambda op: (op["copy_end"], op["tid"], op["ask"], op["fd"]))


# One long story holds more than many short ones, and takes the analysis hardly longer. `make mutants` runs these alone.


@cache
def long_story(seed: int) -> tuple[Trace, list[dict[str, Any]]]:
    """A long story of receives: its records, and its operations by the reference."""
    story = receive_stories.made_of(receive_stories.drawn(Random(seed), 300), seed % 2 == 1)
    return receive_stories.records(story), wanted(by_reference(story))


@cache
def long_story_of_requests(seed: int) -> tuple[Trace, list[dict[str, Any]]]:
    """A long story of requests."""
    story = request_stories.made_of(request_stories.drawn(Random(seed), 200), seed % 2 == 1)
    return request_stories.records(story), wanted(requests_by_reference(story))


@pytest.mark.parametrize("seed", range(4))
def test_a_long_story_of_receives(seed: int) -> None:
    trace, found = long_story(seed)
    assert analysed(operations_of(trace, 1 + seed), OF_RECEIVES) == found


@pytest.mark.parametrize("seed", range(4))
def test_a_long_story_of_requests(seed: int) -> None:
    trace, found = long_story_of_requests(seed)
    assert analysed(operations_of(trace, 1 + seed), OF_REQUESTS) == found


# The same stories in every run: in rare ones the two differ (the next test), and which of them is right is open.
@settings(plainly, derandomize=True)
@given(receive_stories.stories)
def test_receives_are_the_same_one_by_one(story: Story) -> None:
    found = by_reference(story)
    for op in found:
        event(f"waited for: {op.wait_kind}")
    assert analysed(operations_of(receive_stories.records(story)), OF_RECEIVES) == wanted(found)


@pytest.mark.xfail(strict=True, reason="who told a helper: the analysis and the plain rules differ")
def test_two_helpers_told_in_turns_by_one_thread() -> None:
    helped = ("register", "several", "helper several", "helper receive", "helper receive")
    told = [
        *[(("receive",), 100, 4, 0)] * 2,
        (("pause",), 100, 4, 0),
        (("register", "wait", "helper woken", "helper nap", "helper receive"), 100, 7, 3342851),
        (helped, 100, 4, 1),
        (helped, 100, 4, 65537),
        (("receive", "receive"), 100, 7, 33554530),
        (("receive",), 100, 4, 0),
    ]
    story = receive_stories.made_of([receive_stories.Scene(*scene) for scene in told])
    found = by_reference(story)
    assert analysed(operations_of(receive_stories.records(story)), OF_RECEIVES) == wanted(found)


@plainly
@given(request_stories.stories)
def test_requests_are_the_same_one_by_one(story: Story) -> None:
    found = requests_by_reference(story)
    for op in found:
        event(f"completed: {op.completion_kind}")
    records = request_stories.records(story)
    assert analysed(operations_of(records), OF_REQUESTS) == wanted(found)


# The comparison says something of a rule only where stories come to it: they come to every kind, and to every line.

LEAST = 5  # how often each kind must occur, and each line of a rule run, in the stories of `told`
NOT_RULES = {"__init__", "<lambda>", "<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>"}


@contextmanager
def lines_run_in(modules: list[ModuleType]) -> Iterator[Counter[tuple[str, int]]]:
    """Counts how often each line of these modules runs, by file and line."""
    files, runs = {str(module.__file__) for module in modules}, Counter[tuple[str, int]]()

    def in_function(frame: FrameType, what: str, _: object) -> Callable[..., Any]:
        if what == "line":
            runs[frame.f_code.co_filename, frame.f_lineno] += 1
        return in_function

    def at_call(frame: FrameType, what: str, _: object) -> Callable[..., Any] | None:
        return in_function if frame.f_code.co_filename in files else None

    before = sys.gettrace()
    sys.settrace(at_call)
    try:
        yield runs
    finally:
        sys.settrace(before)


def lines_of(module: ModuleType) -> Iterator[tuple[str, int]]:
    """The lines of a module's functions that can run."""
    path = Path(str(module.__file__))
    todo: list[CodeType] = [compile(path.read_text(), str(path), "exec")]
    while todo:
        code = todo.pop()
        todo += [its for its in code.co_consts if isinstance(its, CodeType)]
        if code.co_name not in NOT_RULES and code.co_flags & 0x2:  # CO_NEWLOCALS: a function
            lines = {line for _, _, line in code.co_lines() if line and line > code.co_firstlineno}
            yield from ((str(path), line) for line in lines)


RULES = [reference, handover, signals, posix_aio, order, readiness, io_uring, linux_aio]
KINDS = {("wait_kind", kind) for kind in WAIT_KINDS} | {
    ("completion_kind", kind) for kind in COMPLETION_KINDS
}


def test_stories_come_to_every_kind_and_to_every_line_of_the_rules() -> None:
    occurred = Counter[tuple[str, str]]()

    def count(operations: list[Operation]) -> None:
        for op in operations:
            occurred.update([("wait_kind", op.wait_kind), ("completion_kind", op.completion_kind)])

    @told
    @given(receive_stories.stories)
    def receives(story: Story) -> None:
        count(by_reference(story))

    @told
    @given(request_stories.stories)
    def requests(story: Story) -> None:
        count(requests_by_reference(story))

    with lines_run_in(RULES) as runs:
        receives()
        requests()
    assert not {kind: occurred[kind] for kind in KINDS if occurred[kind] < LEAST}
    lines = sorted({line for module in RULES for line in lines_of(module)})
    assert len(lines) > 200
    assert not {line: runs[line] for line in lines if runs[line] < LEAST}
