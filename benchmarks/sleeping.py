"""What a notice is made of: with the receiver's CPU idle when its data comes, and kept awake; in C and in Python.

Receiver and sender are bound to two CPUs. Each run is under the probes, and each of its messages is told apart by what
the receiver's CPU did before the receiver got it (sched_switch): nothing (the CPU was halted), something else, or the
receiver had it all along. So other work on the machine takes messages away from the figure, and changes none.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from calls import Setting
from machine import PYTHON
from rounds import Failed, Noisy, interleave
from table import goal, render

from tracer.analysis.tables.asof import preceding
from tracer.recording import parquet
from tracer.recording.fields import SwitchesIn

SCENARIOS = ("blocking", "select", "poll", "epoll-lt", "signal")
MESSAGES, QUICK_MESSAGES = 40, 10
_LEAST = 5  # messages of a run that must be of use
_US = 1000.0


@dataclass
class Contender:
    """A scenario in a language, with the receiver's CPU kept awake or not."""

    name: str
    scenario: str
    lang: str
    awake: bool
    missing: str | None = None


@dataclass(frozen=True)
class Median:
    """Of one run's messages that are of use (µs), and how many these are; nothing where there are none."""

    notice: float | None
    until_done: float | None
    messages: int


def sleeping(setting: Setting) -> dict[str, Any]:
    """The figure: notice with an idle CPU and with one kept awake, in µs."""
    field = [
        Contender(f"{scenario} {lang} {'awake' if awake else 'idle'}", scenario, lang, awake)
        for scenario in SCENARIOS[:: 3 if setting.quick else 1]
        for lang in ("c", "python")
        for awake in (False, True)
    ]
    found = interleave(field, lambda its: _measured(its, setting), setting.rounds, setting.say)
    rows = {name: _over(medians) for name, medians in found.items()}
    table = [[name, *_shown(its)] for name, its in rows.items()]
    head = ["", "notice µs", "of runs", "ready → done", "messages"]
    return {
        "table": render("Notice, with the receiver's CPU idle and kept awake", head, table),
        "rows": rows,
        "goals": [goal("runs that could be measured", len(found), len(field), most=False)],
    }


def _measured(its: Contender, setting: Setting) -> Median:
    """One run; raises Failed, and Noisy where other work had the receiver's CPU most of the time."""
    path = setting.room / "sleeping.parquet"
    path.unlink(missing_ok=True)
    messages = QUICK_MESSAGES if setting.quick else MESSAGES
    command = [*PYTHON, "-m", "tracer", "run", its.scenario, "--lang", its.lang, "--no-cost"]
    command += ["--pin", f"{setting.load_cpu},{setting.tracer_cpu}", "--messages", str(messages)]
    command += ["--as-root", "--json", "-o", str(path), *["--keep-awake"] * its.awake]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    report = json.loads(done.stdout)
    useful = [
        op for op, fits in zip(report["operations"], _fits(report, path, its), strict=True) if fits
    ]
    if not useful:
        raise Noisy(Median(None, None, 0))
    median = Median(
        statistics.median(op["copy_start_ns"] - op["ready_ns"] for op in useful) / _US,
        statistics.median(op["done_ns"] - op["ready_ns"] for op in useful) / _US,
        len(useful),
    )
    if len(useful) < min(_LEAST, messages):
        raise Noisy(median)
    return median


def _fits(report: dict[str, Any], path: Path, its: Contender) -> Iterator[bool]:
    """Of each message whether the receiver's CPU was as it should be, or the receiver's own all along."""
    base, operations = report["base_ns"], report["operations"]
    tid, time, previous = _switches(path)
    receiver = np.array([op.get("helper_tid") or op["tid"] for op in operations])
    fetched = np.array([op["copy_start_ns"] + base for op in operations])
    rows = preceding(tid, time, receiver, fetched)
    for op, row in zip(operations, rows.tolist(), strict=True):
        slept = row >= 0 and time[row] >= op["ready_ns"] + base
        yield not op["queued_ns"] and (not slept or bool(previous[row] == 0) != its.awake)


def _switches(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who got a CPU, when, and who had it before (0: nobody)."""
    views = [SwitchesIn.of(batch) for batch in parquet.columns(str(path), None, None)]
    columns = ("tid", "time", "previous")
    tid, time, previous = (
        np.concatenate([getattr(view, name).astype(np.int64) for view in views]) for name in columns
    )
    return tid, time, previous


def _over(medians: list[Median]) -> dict[str, Any]:
    """Over all rounds: the median of the runs' medians, the least and the greatest."""
    known = [its for its in medians if its.notice is not None]
    notices = sorted(its.notice for its in known if its.notice is not None)
    done = [its.until_done for its in known if its.until_done is not None]
    return {
        "notice_us": statistics.median(notices) if notices else None,
        "runs_us": notices,
        "until_done_us": statistics.median(done) if done else None,
        "messages": sum(its.messages for its in medians),
    }


def _shown(its: dict[str, Any]) -> list[str]:
    if its["notice_us"] is None:
        return ["–", "–", "–", "0"]
    runs = its["runs_us"]
    spread = f"{runs[0]:.1f}–{runs[-1]:.1f}"
    return [f"{its['notice_us']:.1f}", spread, f"{its['until_done_us']:.1f}", str(its["messages"])]
