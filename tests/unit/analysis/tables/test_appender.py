"""tracer/analysis/tables/appender.py: whatever is added comes out, in its order and its types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tracer.analysis.tables import appender
from tracer.analysis.tables.appender import Appender
from tracer.analysis.tables.table import Table


@dataclass(slots=True)
class Pair(Table):
    number: np.ndarray
    flag: np.ndarray


def pair(first: int, count: int) -> Pair:
    number = np.arange(first, first + count, dtype=np.int64)
    return Pair(number, number % 2 == 0)


@pytest.mark.parametrize(
    "sizes", [[], [0], [5], [1, 0, 2], [3] * 50, [1, 200, 1], [70, 1, 1, 1, 300]]
)
def test_all_comes_out_in_order(sizes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appender, "_LEAST", 4)
    monkeypatch.setattr(appender, "_MOST", 64)
    table, total = Appender(pair(0, 0)), 0
    for size in sizes:
        table.add(pair(total, size))
        total += size
    whole = table.whole()
    assert whole.number.tolist() == list(range(total)) and whole.number.dtype == np.int64
    assert (
        whole.flag.tolist() == [number % 2 == 0 for number in range(total)]
        and whole.flag.dtype == bool
    )
