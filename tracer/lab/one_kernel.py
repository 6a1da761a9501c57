"""A matrix's scenarios and claims on one kernel: in a machine, or on the host."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import tracer
from tracer.lab import HOST, identity, left_files
from tracer.lab.lab import Lab
from tracer.lab.left_files import VERIFY, Files
from tracer.lab.machine import RESULTS, Job, Outcome

_ROUND_TRIPS = 300


class Say(Protocol):
    """Is told of progress, a line at a time; begins: that a run begins."""

    def __call__(self, line: str, begins: bool = False) -> None: ...


@dataclass(frozen=True)
class MatrixPlan:
    """What is run on each kernel: `iotrace run SCENARIO OPTION…` for each, and `iotrace verify CLAIM…` behind them.

    directory: gets the recordings, as KERNEL/SCENARIO.parquet.
    """

    scenarios: list[str]
    options: list[str]
    claims: list[str]
    directory: Path

    @property
    def commands(self) -> list[str]:
        """The scenarios, and VERIFY behind them where claims are asked for."""
        return [*self.scenarios, *[VERIFY] * bool(self.claims)]

    def arguments(self, name: str, recording_path: str, defaults: Sequence[str] = ()) -> list[str]:
        """iotrace's command line for a scenario, with `defaults` that the options override; or for VERIFY."""
        if name == VERIFY:
            return ["verify", "--json", *self.claims]
        return ["run", name, *defaults, *self.options, "--json", "-o", recording_path]


def on_machine(
    lab: Lab, name: str, accelerator: str, plan: MatrixPlan, say: Say, stop: int
) -> dict[str, Any]:
    """The plan in a machine with the kernel of that name, as the matrix has it, with `cells` by scenario.

    stop: a descriptor that ends the machine when it is readable. Raises LabError.
    """
    with tempfile.TemporaryFile() as files:

        def take(port: str, data: bytes) -> None:
            if port == "files":
                files.write(data)

        heard = _progress(name, plan.commands, say)
        outcome = lab.run(name, accelerator, _jobs(lab, plan), take, heard, stop)
        files.seek(0)
        left = left_files.by_job(files)
    say(
        f"{name}: off after {outcome.took_s:.0f} s"
        if outcome.ended == "done"
        else f"{name}: {outcome.ended}"
    )
    place = plan.directory / name
    trip = left_files.round_trip(left.get(0, {}).get("report.json", b""))
    return {
        "name": name,
        "release": outcome.release or lab.kernel(name).release,
        "ended": outcome.ended,
        "boot_s": round(outcome.up_s, 1) if outcome.up_s else None,
        "took_s": round(outcome.took_s, 1),
        "round_trip_ns": trip,
        "last_lines": [] if outcome.ended == "done" else outcome.last_lines,
        "claims": left_files.claims(left.get(len(plan.commands), {}), place)
        if plan.claims
        else None,
        "cells": _cells(plan, name, outcome, left, trip),
    }


def _cells(
    plan: MatrixPlan, name: str, outcome: Outcome, left: dict[int, Files], trip: int | None
) -> dict[str, Any]:
    """The scenarios that were run to an exit status, as cells."""
    return {
        scenario: left_files.cell(
            outcome.statuses[number], left.get(number, {}), trip, plan.directory / name / scenario
        )
        for number, scenario in enumerate(plan.scenarios, 1)
        if number in outcome.statuses
    }


def _jobs(lab: Lab, plan: MatrixPlan) -> tuple[Job, ...]:
    """Job 0 measures round trips; the others are the plan's commands."""
    trips = (*lab.python(), "-m", "tracer.lab.roundtrip", str(_ROUND_TRIPS))
    jobs = [Job(trips, f"{RESULTS}/0/report.json")]
    # what a run waits for its programs: an emulated machine on a busy host takes longer to start them than a host
    limit = ["--timeout", f"{lab.options.job_s / 2:g}"]
    for number, name in enumerate(plan.commands, 1):
        place = f"{RESULTS}/{number}"
        arguments = plan.arguments(name, f"{place}/recording.parquet", limit)
        jobs.append(Job(lab.iotrace(*arguments), f"{place}/report.json", f"{place}/error.txt"))
    return tuple(jobs)


def _progress(kernel: str, commands: list[str], say: Say) -> Callable[[str], None]:
    """A function that turns a machine's lines into messages for the user."""

    def heard(line: str) -> None:
        word, *arguments = line.split()
        if word == "up":
            say(f"{kernel}: booted {arguments[0]}")
        elif word == "begin" and 0 < int(arguments[0]) <= len(commands):
            say(f"{kernel}: {commands[int(arguments[0]) - 1]}", begins=True)

    return heard


def on_host(plan: MatrixPlan, say: Say) -> dict[str, Any]:
    """The same on the running kernel, without a machine."""
    began = time.monotonic()
    with identity.as_root():
        trips = _run_here("tracer.lab.roundtrip", str(_ROUND_TRIPS))
        left: dict[str, tuple[int, Files]] = {}
        for name in plan.commands:
            say(f"{HOST}: {name}", begins=True)
            left[name] = _command_here(plan, name)
    place, trip = plan.directory / HOST, left_files.round_trip(trips.stdout)
    return {
        "name": HOST,
        "release": os.uname().release,
        "ended": "done",
        "boot_s": None,
        "took_s": round(time.monotonic() - began, 1),
        "round_trip_ns": trip,
        "last_lines": [],
        "claims": left_files.claims(left[VERIFY][1], place) if plan.claims else None,
        "cells": {
            name: left_files.cell(*left[name], trip, place / name) for name in plan.scenarios
        },
    }


def _command_here(plan: MatrixPlan, name: str) -> tuple[int, Files]:
    """One command's exit status and what it left."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "recording.parquet")
        done = _run_here("tracer", *plan.arguments(name, str(path)))
        files = {"report.json": done.stdout, "error.txt": done.stderr}
        if path.exists():
            files["recording.parquet"] = path.read_bytes()
    return done.returncode, files


def _run_here(module: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a module of iotrace with the Python that runs this."""
    return subprocess.run(
        [sys.executable, *["-I"] * sys.flags.isolated, "-m", module, *arguments],
        cwd=Path(tracer.__file__).parents[1],
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
