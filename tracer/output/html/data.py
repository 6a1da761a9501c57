"""What the page's timeline draws, as columns that a browser reads as typed arrays; of bounded size."""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Iterable
from typing import Any

from tracer.output.format import Result
from tracer.output.phase_names import copy_name
from tracer.output.units import clean
from tracer.report.contract import BOUNDARIES, PHASES

_TIMES = ("queued_ns", "inside_ns", *(f"{name}_ns" for name in BOUNDARIES))
_NUMBERS = ("index", "tid", "fd", "bytes", "estimated", "waker", "sender")
_LARGEST = (1 << 31) - 1


def data(report: Result) -> str:
    """A JSON object that can stand inside <script>; of times doubles (exact up to 2^53 ns), little-endian, base64."""
    states = report.get("states_over_time") or {"threads": []}
    operations = report.get("operations_over_time") or {"columns": {}, "descriptors": []}
    columns = operations["columns"]
    told: dict[str, Any] = {
        "begin": states.get("begin_ns", 0),
        "end": states.get("end_ns", 1),
        "exact": states.get("exact", True),
        "cell": states.get("cell_ns", 0),
        "changes": states.get("changes", 0),
        "moreThreads": states.get("more_threads", 0),
        "threads": [_thread(thread) for thread in states["threads"]],
        "names": _names(report),
        "count": operations.get("count", 0),
        "operations": {name: doubles(columns.get(name, ())) for name in _TIMES}
        | {name: integers(columns.get(name, ())) for name in _NUMBERS},
        "descriptors": [_descriptor(its) for its in operations["descriptors"]],
        "moreDescriptors": operations.get("more_descriptors", 0),
        "copyName": copy_name(report),
        "phases": {
            name: {key: phase[key] for key in ("count", "p50_ns", "p90_ns", "p99_ns", "hist")}
            for name in PHASES
            if (phase := (report.get("phases") or {}).get(name) or {}).get("total_ns")
        },
    }
    # nothing in it may end the element, or begin another
    return json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")


def _thread(thread: Result) -> dict[str, Any]:
    return {
        "tid": thread["tid"],
        "tgid": thread["tgid"],
        "name": clean(thread["name"]),
        "at": doubles(thread["at_ns"]),
        "end": thread["end_ns"],
        "states": _text(bytes(thread["states"])),
    }


def _descriptor(its: Result) -> dict[str, Any]:
    return {
        "tgid": its["tgid"],
        "fd": its["fd"],
        "file": clean(its["file"] or ""),
        "from": doubles(its["from_ns"]),
        "to": doubles(its["to_ns"]),
    }


def _names(report: Result) -> dict[str, str]:
    """Thread → name."""
    listed = report.get("threads") or []
    return {str(thread["tid"]): clean(thread.get("name") or "") for thread in listed}


def doubles(values: Iterable[int]) -> str:
    """float64[n]."""
    return _packed(array("d", values))


def integers(values: Iterable[int]) -> str:
    """int32[n]; what is larger, which no ID, descriptor or number of an operation is, as the largest."""
    return _packed(array("i", (max(-_LARGEST, min(value, _LARGEST)) for value in values)))


def _packed(values: array[Any]) -> str:
    if sys.byteorder == "big":
        values.byteswap()
    return _text(values.tobytes())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
