"""tracer/analysis/tables/asof.py: preceding and following, against the same said one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.analysis.tables.asof import at, following, preceding

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=12)


def columns(rows: Any) -> Any:
    return tuple(np.array([row[i] for row in rows], np.int64) for i in range(2))


@given(ROWS, ROWS)
def test_the_nearest_of_the_same_key(rows: Any, questions: Any) -> None:
    before, after = (
        preceding(*columns(rows), *columns(questions)),
        following(*columns(rows), *columns(questions)),
    )
    for (key, time), last, first in zip(questions, before.tolist(), after.tolist(), strict=True):
        earlier = [t for k, t in rows if k == key and t <= time]
        later = [t for k, t in rows if k == key and t >= time]
        assert (rows[last] if last >= 0 else None) == ((key, max(earlier)) if earlier else None)
        assert (rows[first] if first >= 0 else None) == ((key, min(later)) if later else None)


def test_of_rows_at_one_time_the_last_counts_before_and_the_first_after() -> None:
    assert preceding(*columns([(1, 5), (1, 5)]), *columns([(1, 5)])).tolist() == [1]
    assert following(*columns([(1, 5), (1, 5)]), *columns([(1, 5)])).tolist() == [0]


def test_nothing_can_be_asked_for() -> None:
    assert at(np.empty(0, np.int64), np.array([-1, -1])).tolist() == [0, 0]
