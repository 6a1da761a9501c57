"""tracer/analysis/operations/monotone.py: boundaries in order, against the same rule for one operation at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reference import order

from tracer.analysis.operations.monotone import hold_in_order
from tracer.analysis.operations.readiness import Match
from tracer.analysis.operations.table import BLOCKED, IO_URING, UNKNOWN, bit, with_defaults
from tracer.terms import BOUNDARIES, MOVABLE

times = st.integers(0, 12)
maybe = st.one_of(st.none(), times)
rows = st.lists(st.tuples(*[times] * 5, maybe, maybe, st.booleans(), st.booleans()), max_size=12)


def arrays(values: list[tuple[int | None, ...]]) -> list[np.ndarray]:
    """Columns of rows; None is UNKNOWN."""
    columns = list(zip(*values, strict=True)) or [()] * 9
    return [
        np.array([UNKNOWN if value is None else int(value) for value in column], np.int64)
        for column in columns
    ]


@given(rows)
def test_the_same_as_one_by_one(values: list[tuple[int | None, ...]]) -> None:
    ask, ready, told, copy_start, copy_end, seen, late, is_uring, unseen_copy = arrays(values)
    count = len(ask)
    operations = with_defaults(
        count,
        {
            "wait_kind": np.where(is_uring, IO_URING, BLOCKED),
            "ask": ask,
            "ready": ready,
            "told": told,
            "copy_start": copy_start,
            "copy_end": copy_end,
            "estimated": bit("copy_start", unseen_copy > 0) | bit("done", is_uring > 0),
        },
    )
    hold_in_order(operations, Match(seen, late, np.zeros(count, np.int64)))
    for row, was in zip(operations.rows(), values, strict=True):
        op = one(was)
        order.settle(op, was[5], was[6])
        assert {name: row[name] for name in (*MOVABLE, "copy_end", "queued")} == {
            name: getattr(op, name) for name in (*MOVABLE, "copy_end", "queued")
        }
        assert {name: row[f"raw_{name}"] for name in MOVABLE} == op.raw
        assert {
            its for i, its in enumerate(BOUNDARIES) if row["estimated"] >> i & 1
        } == op.estimated


def one(was: tuple[Any, ...]) -> order.Operation:
    """The reference's operation of a row."""
    ask, ready, told, copy_start, copy_end, _, _, is_uring, unseen_copy = was
    estimated = ({"copy_start"} if unseen_copy else set()) | ({"done"} if is_uring else set())
    kind = "io-uring" if is_uring else "blocked"
    return order.Operation(
        1, 0, 4, 9, 64, kind, ask, ready, told, copy_start, copy_end, copy_end, estimated
    )
