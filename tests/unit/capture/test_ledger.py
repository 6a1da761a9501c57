"""tracer/capture/ledger.py: the counters of all CPUs summed, and what a recording keeps of them."""

from __future__ import annotations

import numpy as np
import pytest

from tracer.bpf.map_values import BATCH, LEDGER
from tracer.capture.ledger import Ledger


@pytest.fixture
def ledger():
    ledgers, batches = np.zeros(3, LEDGER), np.zeros(3, BATCH)
    for number, name in enumerate(("counted", "lost", "untracked", "unlearnt", "unentered")):
        ledgers[name] = [10**number, 2 * 10**number, 0]
    batches["counted"], batches["lost"] = [1000, 0, 2000], [0, 7, 0]
    batches["count"], batches["busy"] = 5, 1  # which are no counters
    return Ledger.of(ledgers, batches, delivered=2966, still_open=2, missed=None)


def test_counters_are_summed_over_cpus(ledger):
    assert ledger == Ledger(3003, 2966, 37, 2, None, 300, 3000, 30000)
    assert ledger.balanced


def test_what_does_not_add_up_is_said(ledger):
    ledger.delivered -= 1
    assert ledger.facts() == {
        "counted": 3003,
        "delivered": 2965,
        "lost": 37,
        "open": 2,
        "missed": None,
        "untracked": 300,
        "unlearnt": 3000,
        "unentered": 30000,
        "added": 0,
        "balanced": False,
    }
