"""tracer/analysis/tables/asof.py: the last entry of a key not later than a time, against a plain search."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.analysis.tables.asof import AsOf

entries = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(1, 99)), max_size=30
)
questions = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 35)), min_size=1, max_size=20)


def plainly(rows: list[tuple[int, int, int]], key: int, time: int) -> int | None:
    fitting = [
        (at, i, value) for i, (its, at, value) in enumerate(rows) if its == key and at <= time
    ]
    return max(fitting)[2] if fitting else None


@given(entries, entries, questions, st.integers(0, 30))
def test_what_is_found_is_the_last(first: Any, second: Any, asked: Any, forgotten: Any) -> None:
    table = AsOf(1)
    for rows in (first, second):
        if rows:
            table.add(*(np.array(column) for column in zip(*rows, strict=True)))
    keys, times = (np.array(column) for column in zip(*asked, strict=True))
    wanted = [plainly(first + second, key, time) for key, time in asked]
    found, values = table.find(keys, times)
    assert found.tolist() == [value is not None for value in wanted]
    assert values[:, 0].tolist() == [value or 0 for value in wanted]
    table.forget_before(forgotten)
    later = times >= forgotten
    found, values = table.find(keys[later], times[later])
    assert values[:, 0].tolist() == [
        value or 0 for value, kept in zip(wanted, later.tolist(), strict=True) if kept
    ]
