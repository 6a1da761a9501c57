"""The operations in a report: each as a dict when it is asked for, and their times together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.estimates import Estimates
from tracer.analysis.operations.in_window import InsideWaits, OperationsInWindow
from tracer.analysis.operations.table import COMPLETION_KINDS, Operations
from tracer.analysis.operations.waits_inside import WaitsInside
from tracer.analysis.steps.step import ReportPart, Results
from tracer.analysis.tables.distribution import distribution
from tracer.report.wording.estimates import why
from tracer.terms import BOUNDARIES, MOVABLE, NOTICE_SPANS, PHASES

_AT_ONCE = 4096


class OperationsPart(ReportPart):
    """The report's `operations`, `estimated`, `estimates`, `queued` and `phases`."""

    NEEDS = (OperationsInWindow, InsideWaits, Identity, Estimates)

    def finish(self, results: Results) -> dict[str, Any]:
        operations = results[OperationsInWindow]
        names = ("tid", "tgid", "receiver_tid", "told_tid")
        shown = results[Identity].with_ids(operations, names)
        return {
            "operations": Listed(shown, results[InsideWaits], results.recording.base_ns),
            "estimated": _estimated(operations),
            "estimates": [
                {"boundary": its.boundary, "count": its.operations, "text": why(its)}
                for its in results[Estimates]
            ],
            "queued": distribution(operations.queued[operations.queued > 0]),
            "phases": {
                name: distribution(took)
                for name, took in zip(PHASES, operations.phases(), strict=True)
            }
            | {
                name: distribution(getattr(operations, end) - getattr(operations, begin))
                for name, (begin, end) in NOTICE_SPANS.items()
            },
        }


class Listed(Sequence[dict[str, Any]]):
    """Operations as the dicts of the JSON contract, each made when it is asked for: there can be millions."""

    def __init__(self, operations: Operations, waits_inside: WaitsInside, base: int) -> None:
        self._operations, self._waits_inside, self._base = operations, waits_inside, base

    def __len__(self) -> int:
        return len(self._operations)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        row = index % len(self)
        return self._operation(row, next(self._operations.rows(slice(row, row + 1))))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for first in range(0, len(self), _AT_ONCE):
            for index, operation in enumerate(
                self._operations.rows(slice(first, first + _AT_ONCE)), first
            ):
                yield self._operation(index, operation)

    def _operation(self, index: int, operation: dict[str, Any]) -> dict[str, Any]:
        waits = self._waits_inside.of(operation["serial"]) if operation["inside"] else []
        return _operation(index, operation, waits, self._base)


def _operation(
    index: int, operation: dict[str, Any], waits: list[tuple[int, int]], base: int
) -> dict[str, Any]:
    entry = {
        "index": index,
        "tid": operation["tid"],
        "fd": operation["fd"],
        "bytes": operation["bytes"] if operation["bytes"] >= 0 else None,
    }
    if operation["messages"] > 1:
        entry["messages"] = operation["messages"]
    entry |= {f"{name}_ns": operation[name] - base for name in BOUNDARIES}
    entry["waits_inside"] = [{"from_ns": begin - base, "to_ns": end - base} for begin, end in waits]
    if operation["completion_kind"]:
        entry["how"] = COMPLETION_KINDS[operation["completion_kind"]]
    entry["queued_ns"] = operation["queued"]
    entry["estimated"] = [
        name for i, name in enumerate(BOUNDARIES) if operation["estimated"] >> i & 1
    ]
    if operation["receiver_tid"]:
        entry["helper_tid"] = operation["receiver_tid"]
    entry["handover"] = _handover(operation, base)
    raw = {
        f"{name}_ns": operation[f"raw_{name}"] - base
        for name in MOVABLE
        if operation[f"raw_{name}"] != operation[name]
    }
    return entry | {"raw": raw} if raw else entry


def _handover(operation: dict[str, Any], base: int) -> dict[str, Any] | None:
    """Which thread was told, where another received, and how that one learnt of it."""
    if not operation["told_tid"]:
        return None
    woken, running = operation["woken"], operation["running"]
    return {
        "tid": operation["told_tid"],
        "told_ns": operation["raw_told"] - base,
        "woken_ns": woken - base if woken else None,
        "running_ns": running - base if running else None,
    }


def _estimated(operations: Operations) -> dict[str, Any]:
    """How many operations had each boundary estimated; those that none had are left out."""
    counts = {name: int((operations.estimated >> i & 1).sum()) for i, name in enumerate(BOUNDARIES)}
    return {name: count for name, count in counts.items() if count}
