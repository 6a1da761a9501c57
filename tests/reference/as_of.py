"""Which process a thread is of at a time, by reading all records up to then; in plain Python."""

from __future__ import annotations

import numpy as np

from tracer.recording.records import Kind


def process_of(records: np.ndarray, tid: int, time: int) -> int:
    """What the last birth up to then said; the thread's own ID where there was none."""
    births = [
        its
        for its in records
        if its["kind"] in (Kind.THREAD, Kind.START) and its["tid"] == tid and its["time"] <= time
    ]
    return int(births[-1]["result"]) if births else tid
