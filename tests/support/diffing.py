"""Runs for `iotrace diff`, made by hand: recordings of a program that receives, and what a run says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.recordings import write_recording
from support.records_builder import EAGAIN, Trace

from tracer.report.difference.run import Place, Run, Usual, Where, number

HOST = {"kernel": "6.18.0", "arch": "x86_64", "cpus": 2, "bcc": None, "python": "3.11.2"}
MS = 1_000_000


def blocking(
    path: Path,
    *,
    messages: int = 40,
    notice: int = 5000,
    extra: int = 0,
    seed: int = 0,
    waits: bool = False,
) -> str:
    """A recording of a thread that sleeps in recvfrom and has its data `notice` ns after it came, some more or less by
    `seed`; it is woken so late, or (waits) waits for a CPU. `extra` calls of getppid follow each receive. Its path."""
    random, trace = np.random.default_rng(seed), Trace()
    slow = random.normal(0, 0.03 * notice)  # of this run
    for at in range(MS, (messages + 1) * MS, MS):
        ready = at + 500_000
        took = max(int(notice + slow + random.normal(0, 0.1 * notice)), 200)
        woken = ready + 50 if waits else ready + took - 100
        trace.sleep(at + 200, woken, ready + took - 40, waker=0).ready(ready).copy(ready + took)
        trace.call("recvfrom", at, ready + took + 1000, 64)
        for number_ in range(extra):
            trace.call("getppid", ready + took + 2000 + 20 * number_, ready + took + 2010, 1)
    write_recording(path, trace.records())
    return str(path)


def polling(path: Path, *, messages: int = 40, seed: int = 0) -> str:
    """A recording of a thread that asks until its data is there, each time another number of times. Its path."""
    random, trace = np.random.default_rng(seed), Trace()
    for at in range(MS, (messages + 1) * MS, MS):
        asked = int(random.integers(2, 30))
        for time in range(at, at + 1000 * asked, 1000):
            trace.call("recvfrom", time, time + 500, EAGAIN)
        end = at + 1000 * asked
        trace.ready(end - 300).call("recvfrom", end, end + 500, 64)
    write_recording(path, trace.records())
    return str(path)


def run_of(
    phases: dict[str, np.ndarray],
    usual: dict[str, Usual] | None = None,
    verdict: str = "blocking",
    name: str = "run",
) -> Run:
    """A run whose operations took so long in these phases (ns)."""
    place = Place(min(map(len, phases.values())), words={"verdict": verdict}, usual=usual or {})
    for phase, took in phases.items():
        place.numbers[f"{phase} p50_ns"] = number(took, 0.5)
        place.numbers[f"{phase} p90_ns"] = number(took, 0.9)
    return Run(name, {Where(): place}, 0, None, HOST)
