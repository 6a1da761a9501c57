"""tracer/capture/collector.py: what CPUs' batches still hold, from the bytes of a made-up map."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tracer.bpf.map_values import BATCH
from tracer.capture.collector import Collector


def holding(*cpus: list[int]) -> Any:
    """A collector whose CPUs' batches hold records of these times; behind them stand older ones, which were sent."""
    batches = np.zeros(len(cpus), BATCH)
    for batch, times in zip(batches, cpus, strict=True):
        batch["elements"]["record"]["time"] = 1
        batch["elements"]["record"]["time"][: len(times)] = times
        batch["count"] = len(times)
    collector = Collector.__new__(Collector)
    table = SimpleNamespace(values=batches.tobytes)
    collector._probes = SimpleNamespace(maps={"batches": table})
    return collector


def test_the_oldest_record_may_stand_behind_one_that_an_interrupt_has_put_there():
    assert holding([70, 60, 80], [90], []).oldest_held() == 60


def test_nothing_is_held_where_all_batches_are_empty():
    assert holding([], []).oldest_held() is None
