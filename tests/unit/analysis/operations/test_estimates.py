"""tracer/analysis/operations/estimates.py: the cause that applied to these operations, and no other."""

from __future__ import annotations

import stat

import numpy as np
import pytest
from support.analysing import operations_of
from support.records_builder import Trace

from tracer.analysis.operations.estimates import Cause, Estimate, estimates
from tracer.recording.records import Kind
from tracer.report.wording.estimates import why
from tracer.terms import BOUNDARIES


def one(**columns: int) -> list[Estimate]:
    """The estimates of one blocking receive with these columns changed; mode: of its file."""
    mode = columns.pop("mode", stat.S_IFSOCK)
    trace = Trace().add(Kind.DESCRIPTOR, 1, start=9000, fd=4, arg=stat.S_IFSOCK)
    operations = operations_of(trace.call("recvfrom", 10, 20, 64, fd=4))
    assert len(operations) == 1
    for name, value in columns.items():
        getattr(operations, name)[:] = value
    return estimates(operations, np.array([mode]))


def estimated(*names: str) -> int:
    return sum(1 << BOUNDARIES.index(name) for name in names)


@pytest.mark.parametrize(
    ("boundary", "columns", "cause"),
    [
        ("ready", {"raw_ready": 30, "ready": 20}, Cause.SEEN_LATE),
        ("ready", {"raw_ready": 5, "ready": 10}, Cause.THERE_BEFORE),
        ("ready", {"raw_ready": 10, "ready": 10}, Cause.NOT_SEEN),
        ("ready", {"raw_ready": 10, "ready": 10, "mode": stat.S_IFIFO}, Cause.OF_PIPE),
        ("ask", {"raw_ask": 9, "ask": 10}, Cause.HELD),
        ("ask", {"raw_ask": 10, "ask": 10}, Cause.NO_CALL),
        ("ask", {"told_tid": 7}, Cause.INFERRED),
        ("told", {"told_tid": 0}, Cause.HELD),
        ("told", {"told_tid": 7}, Cause.INFERRED),
        ("copy_start", {}, Cause.NOT_SEEN),
        ("copy_start", {"mode": stat.S_IFIFO}, Cause.OF_PIPE),
        ("copy_start", {"mode": stat.S_IFREG}, Cause.OF_FILE),
        ("copy_end", {}, Cause.BY_DEVICE),
        ("done", {}, Cause.IN_MEMORY),
    ],
)
def test_the_cause(boundary: str, columns: dict[str, int], cause: Cause) -> None:
    (found,) = one(estimated=estimated(boundary), **columns)
    assert found == Estimate(boundary, cause, 1)
    assert why(found)


def test_what_was_seen_has_no_cause() -> None:
    assert one(estimated=0) == []


def test_every_cause_is_said_in_less_than_a_line() -> None:
    for boundary in BOUNDARIES:
        for cause in Cause:
            try:
                text = why(Estimate(boundary, cause, 1))
            except KeyError:
                continue  # this boundary cannot have that cause
            assert len(f"{boundary} in all: {text}") <= 68
