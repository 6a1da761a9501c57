"""Recordings as files, made by hand: valid facts, and whatever records a test wants in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tracer.recording.batch import RecordBatch
from tracer.recording.parquet import Writer

FACTS: dict[str, Any] = {
    "version": "0",
    "host": {"kernel": "6.18.0", "arch": "x86_64", "cpus": 2, "bcc": None, "python": "3.11.2"},
    "features": {},
    "scenario": None,
    "options": {"seconds": None, "follow": True, "ring_bytes": 1 << 24, "trace": []},
    "base_ns": 0,
    "end_ns": 1 << 40,
    "ended": "completed",
    "target": {"command": ["x"], "pid": 100, "exit_status": 0},
    "ledger": {
        "counted": 0,
        "delivered": 0,
        "lost": 0,
        "open": 0,
        "missed": 0,
        "untracked": 0,
        "unlearnt": 0,
        "balanced": True,
    },
}


def write_recording(path: Path | str, *batches: np.ndarray, **facts: Any) -> None:
    """RECORD[n] each, in the order of time; facts: in the place of those of FACTS."""
    writer = Writer(os.fspath(path))
    for batch in batches:
        writer.write(RecordBatch.of(batch))
    writer.close(FACTS | facts)
