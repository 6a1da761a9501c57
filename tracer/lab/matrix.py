"""The same scenarios on many kernels: one machine a kernel (several beside each other where CPUs allow), the running
kernel without one, every run recorded; and all of it as one dict."""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tracer
from tracer.lab import HOST, compare, identity, vm
from tracer.lab.lab import Lab
from tracer.lab.store import write_atomically
from tracer.recording import parquet
from tracer.recording.records import Kind

SCHEMA = 1
VERIFY = "verify"
_ROUND_TRIPS = 300


@dataclass(frozen=True)
class MatrixPlan:
    """What is run on each kernel: `iotrace run SCENARIO OPTION…` for each, and `iotrace verify CLAIM…` behind them.

    directory: gets the recordings, as KERNEL/SCENARIO.parquet.
    """

    scenarios: list[str]
    options: list[str]
    claims: list[str]
    directory: Path


def run(lab: Lab, kernels: list[str], plan: MatrixPlan, at_once: int, say: Callable[[str], None]) -> dict:
    """The plan on every kernel, `at_once` machines beside each other.

    say: told of progress, a line at a time. Returns the matrix (docs/json.md). Raises LabError, KeyboardInterrupt.
    """
    plan.directory.mkdir(parents=True, exist_ok=True)
    machines = [name for name in kernels if name != HOST]
    began = time.monotonic()
    accelerator, why = lab.prepare(machines) if machines else (None, None)
    results: dict[str, dict] = {}
    stop, stopped = os.pipe2(os.O_CLOEXEC)
    try:
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            # a thread lives as long as its machine: the kernel ends a machine with the thread that started it
            waiting = {
                pool.submit(_on_machine, lab, name, accelerator, plan, say, stop): name
                for name in machines
            }
            try:
                for done in concurrent.futures.as_completed(waiting):
                    results[waiting[done]] = done.result()
            except BaseException:
                os.write(stopped, b"\0")
                pool.shutdown(cancel_futures=True)
                raise
        if HOST in kernels:  # alone, since it runs beside nothing that it measures
            results[HOST] = _on_host(plan, say)
    finally:
        os.close(stop)
        os.close(stopped)
    ordered = sorted((results[name] for name in kernels), key=lambda its: _version(its["release"]))
    cells = {its["name"]: its.pop("cells") for its in ordered}
    for its in ordered:
        its["accel"] = None if its["name"] == HOST else accelerator
    return {
        "schema": SCHEMA,
        "scenarios": plan.scenarios,
        "run_options": plan.options,
        "icount": lab.how.icount,
        "accel": accelerator,
        "accel_why": why,
        "took_s": round(time.monotonic() - began, 1),
        "kernels": ordered,
        "cells": cells,
        "differs": compare.differences(ordered, plan.scenarios, cells),
    }


def complete(matrix: dict) -> bool:
    """Whether every scenario ran on every kernel, saw what the workload says in contiguous phases, and lost nothing."""
    cells = [
        matrix["cells"][kernel["name"]].get(name)
        for kernel in matrix["kernels"]
        for name in matrix["scenarios"]
    ]
    exact = all(
        its
        and its["status"] == 0
        and its.get("ledger")
        and its["contiguous"]
        and not its["differences"]
        and its["ledger"]["balanced"]
        and not its["ledger"]["lost"]
        for its in cells
    )
    return exact and all(
        kernel["claims"] != [] for kernel in matrix["kernels"]
    )  # [] is a `verify` that said nothing


def _on_machine(
    lab: Lab, name: str, accelerator: str, plan: MatrixPlan, say: Callable[[str], None], stop: int
) -> dict:
    names = [*plan.scenarios, *[VERIFY] * bool(plan.claims)]
    jobs = [
        vm.Job(
            (*lab.python(), "-m", "tracer.lab.roundtrip", str(_ROUND_TRIPS)),
            f"{vm.RESULTS}/0/report.json",
        )
    ]
    for number, scenario in enumerate(names, 1):
        place = f"{vm.RESULTS}/{number}"
        # what a run waits for its programs: an emulated machine on a busy host takes longer to start them than a host
        arguments = _arguments(
            plan, scenario, f"{place}/recording.parquet", ["--timeout", f"{lab.how.job_s / 2:g}"]
        )
        jobs.append(vm.Job(lab.iotrace(*arguments), f"{place}/report.json", f"{place}/error.txt"))

    def heard(line: str) -> None:
        word, *rest = line.split()
        if word == "up":
            say(f"{name}: booted {rest[0]}")
        elif word == "begin" and 0 < int(rest[0]) <= len(names):
            say(f"{name}: {names[int(rest[0]) - 1]}")

    with tempfile.TemporaryFile() as files:
        outcome = lab.run(
            name,
            accelerator,
            tuple(jobs),
            lambda port, data: port == "files" and files.write(data),
            heard,
            stop,
        )
        files.seek(0)
        archives = results(files)
    trip = _round_trip(archives.get(0, {}).get("report.json"))
    found = {
        "name": name,
        "release": outcome.release or lab.kernel(name).release,
        "ended": outcome.ended,
        "boot_s": round(outcome.up_s, 1) if outcome.up_s else None,
        "took_s": round(outcome.took_s, 1),
        "round_trip_ns": trip,
        "last_lines": [] if outcome.ended == "done" else outcome.last_lines,
        "claims": None,
        "cells": {},
    }
    if plan.claims:
        found["claims"] = _claims(archives.get(len(names), {}), plan.directory / name)
    say(
        f"{name}: off after {outcome.took_s:.0f} s"
        if outcome.ended == "done"
        else f"{name}: {outcome.ended}"
    )
    for number, scenario in enumerate(plan.scenarios, 1):
        if number in outcome.statuses:
            its = archives.get(number, {})
            found["cells"][scenario] = _cell(
                outcome.statuses[number], its, trip, plan.directory / name / scenario
            )
    return found


def results(files) -> dict[int, dict[str, bytes]]:
    """{job: {file: its bytes}} of what a machine's jobs left: tar archives one behind another (vm.Job). What is named
    otherwise is passed over."""
    found: dict[int, dict[str, bytes]] = {}
    try:
        with tarfile.open(fileobj=files, mode="r:", ignore_zeros=True) as archive:
            for member in archive:
                number, _, name = member.name.partition("/")
                if member.isfile() and number.isdecimal():
                    found.setdefault(int(number), {})[name] = archive.extractfile(member).read()
    except tarfile.TarError:  # nothing came, or a machine ended in the middle: what is whole counts
        pass
    return found


def _on_host(plan: MatrixPlan, say: Callable[[str], None]) -> dict:
    began = time.monotonic()
    python = [sys.executable, *["-I"] * sys.flags.isolated]
    surroundings = dict(
        cwd=Path(tracer.__file__).parents[1], capture_output=True, stdin=subprocess.DEVNULL
    )
    with identity.as_root():
        trip = _round_trip(
            subprocess.run(
                [*python, "-m", "tracer.lab.roundtrip", str(_ROUND_TRIPS)], **surroundings
            ).stdout
        )
        cells = {}
        for scenario in [*plan.scenarios, *[VERIFY] * bool(plan.claims)]:
            say(f"{HOST}: {scenario}")
            with tempfile.TemporaryDirectory() as temporary:
                path = Path(temporary, "recording.parquet")
                done = subprocess.run(
                    [*python, "-m", "tracer", *_arguments(plan, scenario, str(path))],
                    **surroundings,
                )
                its = {"report.json": done.stdout, "error.txt": done.stderr}
                if path.exists():
                    its["recording.parquet"] = path.read_bytes()
            cells[scenario] = done.returncode, its
    claims = _claims(cells.pop(VERIFY)[1], plan.directory / HOST) if plan.claims else None
    return {
        "name": HOST,
        "release": os.uname().release,
        "ended": "done",
        "boot_s": None,
        "took_s": round(time.monotonic() - began, 1),
        "round_trip_ns": trip,
        "last_lines": [],
        "claims": claims,
        "cells": {
            scenario: _cell(status, its, trip, plan.directory / HOST / scenario)
            for scenario, (status, its) in cells.items()
        },
    }


def _cell(status: int, files: dict[str, bytes], round_trip_ns: int | None, place: Path) -> dict:
    """One run as a cell of the matrix; its recording and report are kept at `place`.parquet and .json."""
    kept = wakes = report = None
    place.parent.mkdir(parents=True, exist_ok=True)
    if "recording.parquet" in files:
        kept = place.with_suffix(".parquet")
        write_atomically(kept, files["recording.parquet"])
    try:
        report = json.loads(files["report.json"])
        write_atomically(place.with_suffix(".json"), files["report.json"])
    except (LookupError, ValueError):
        pass
    if report and kept:
        wakes = _wakes(kept, report)
    error = files.get("error.txt", b"").decode(errors="replace").strip() or None
    return compare.cell(status, error, report, wakes, round_trip_ns, str(kept) if kept else None)


def _wakes(path: Path, report: dict) -> int | None:
    """How often the traced threads were woken inside the workload's window."""
    window = report["window_ns"]
    if not window:
        return None
    begin, end = (time + report["base_ns"] for time in window)
    return sum(
        int(
            np.count_nonzero(
                (batch.kind == Kind.WAKING) & (batch.time >= begin) & (batch.time <= end)
            )
        )
        for batch in parquet.columns(str(path), begin, end)
    )


def _arguments(
    plan: MatrixPlan, name: str, recording_path: str, defaults: Sequence[str] = ()
) -> list[str]:
    """iotrace's command line for a scenario, with `defaults` that the plan's options override; or for VERIFY."""
    if name == VERIFY:
        return ["verify", "--json", *plan.claims]
    return ["run", name, *defaults, *plan.options, "--json", "-o", recording_path]


def _claims(files: dict[str, bytes], place: Path) -> list[dict]:
    """The verdicts of `iotrace verify`, none where it said nothing; all that it said is kept in place/verify.json."""
    text = files.get("report.json", b"")
    place.mkdir(parents=True, exist_ok=True)
    write_atomically(place / f"{VERIFY}.json", text)
    try:
        return [
            {key: claim[key] for key in ("number", "name", "verdict", "evidence", "qualification")}
            for claim in json.loads(text)["claims"]
        ]
    except (TypeError, ValueError, LookupError):
        return []


def _round_trip(text: bytes | None) -> int | None:
    try:
        return json.loads(text)["p50_ns"]
    except (TypeError, ValueError, LookupError):
        return None


def _version(release: str) -> list[int]:
    return [int(part) for part in release.split("-")[0].split("+")[0].split(".") if part.isdigit()]
