"""What jobs left in a machine, and what of it is kept: recordings, reports, verdicts."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tracer.lab import compare
from tracer.lab.store import write_atomically
from tracer.recording import parquet
from tracer.recording.fields import Wakings

VERIFY = "verify"
_OF_CLAIM = ("number", "name", "verdict", "evidence", "qualification")
Files = dict[str, bytes]
"""{name: content}."""


def by_job(files: BinaryIO) -> dict[int, Files]:
    """{job: {file: its bytes}} of what a machine's jobs left: tar archives one behind another (vm.Job). What is named
    otherwise is passed over."""
    per_job: dict[int, Files] = {}
    try:
        with tarfile.open(fileobj=files, mode="r:", ignore_zeros=True) as archive:
            for member in archive:
                number, _, name = member.name.partition("/")
                if not (member.isfile() and number.isdecimal()):  # a link could lead elsewhere
                    continue
                if content := archive.extractfile(member):
                    per_job.setdefault(int(number), {})[name] = content.read()
    except tarfile.TarError:  # nothing came, or a machine ended in the middle: what is whole counts
        pass
    return per_job


def cell(status: int, files: Files, round_trip_ns: int | None, place: Path) -> dict[str, Any]:
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


def claims(files: Files, place: Path) -> list[dict[str, Any]]:
    """The verdicts of `iotrace verify`, none where it said nothing; all that it said is kept in place/verify.json."""
    text = files.get("report.json", b"")
    place.mkdir(parents=True, exist_ok=True)
    write_atomically(place / f"{VERIFY}.json", text)
    try:
        return [{key: claim[key] for key in _OF_CLAIM} for claim in json.loads(text)["claims"]]
    except (TypeError, ValueError, LookupError):
        return []


def round_trip(text: bytes) -> int | None:
    """The median that tracer/lab/roundtrip.py printed (ns), None where it did not come to that."""
    try:
        return int(json.loads(text)["p50_ns"])
    except (TypeError, ValueError, LookupError):
        return None


def _wakes(path: Path, report: dict[str, Any]) -> int | None:
    """How often the traced threads were woken inside the workload's window."""
    window = report["window_ns"]
    if not window:
        return None
    begin, end = (time + report["base_ns"] for time in window)
    times = (Wakings.of(batch).time for batch in parquet.columns(str(path), begin, end))
    return sum(int(np.count_nonzero((begin <= time) & (time <= end))) for time in times)
