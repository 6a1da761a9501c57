"""The textbook's comparison of the models (Stevens, UNP, figure 6.6) as columns, from what compare measured.

Stevens parts an operation in two, waiting for data and copying it; here notice lies between them, completion behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracer.output import phase_names
from tracer.output.format import Result
from tracer.output.units import clean, number

TITLE = "The models side by side"
AS = "as Stevens, UNP, figure 6.6"
PHASES = ("wait", "notice", "copy", "completion")
_MULTIPLEXED = ("select", "poll", "epoll-lt", "epoll-et")
_OWN = "its own call"
_COPIERS = {  # in few words
    _OWN: "in the call",
    "a helper thread": "by a helper",
    "task work of its own": "task work",
    "the ring's kernel thread": "by a kthread",
    "a kernel worker": "by a worker",
    "the device": "by device",
}


@dataclass(frozen=True)
class Column:
    """One program.

    label: its name; waits: asleep, asking or free, None where its runs differ; took: ns of each phase (median of the
    runs' medians), None where it is not known.
    asks, waiting, begins, ends: what it does when it wants the data, until that is there, before the copy, and when it
    has the data.
    copies: who does; free: whether that leaves the program free; copy: what the phase copy is called.
    """

    label: str
    waits: str | None
    took: dict[str, float | None]
    asks: str
    waiting: str
    begins: str
    copies: str
    free: bool
    copy: str
    ends: str


def columns(models: Sequence[Result], labels: Sequence[str]) -> list[Column]:
    """A column for each program of a comparison; labels: their names."""
    return [_column(model, label) for model, label in zip(models, labels, strict=True)]


def copy_title(shown: Sequence[Column]) -> str:
    """What the row of the phase copy is called: the receive call where that is all that is seen of most."""
    names = [column.copy for column in shown]
    return max(dict.fromkeys(names), key=names.count) if names else phase_names.COPY


def _column(model: Result, label: str) -> Column:
    waits, name = model.get("meanwhile"), model.get("model")
    by = clean(model.get("copied_by") or "")
    later = name in _MULTIPLEXED or name == "signal"
    took = {phase: _median(model, f"{phase}_ns") for phase in PHASES}
    return Column(
        label=label,
        waits=waits,
        took=took,
        asks="checks"
        if waits == "asking" or name in _MULTIPLEXED
        else ""
        if name == "signal"
        else "initiates",
        waiting=_waiting(model),
        begins="" if took["notice"] is None else "initiates" if later else "",
        copies=_COPIERS.get(by, by),
        free=by not in (_OWN, ""),
        copy=phase_names.of_contender(model),
        ends="is notified" if took["completion"] else "complete",
    )


def _waiting(model: Result) -> str:
    """What the program does until the data is there."""
    waits, calls = model.get("meanwhile"), _median(model, "calls")
    if waits == "asking" and calls and calls >= 2:
        return f"× {number(round(calls))}"
    return {"asleep": "asleep", "asking": "checks again", "free": "goes on"}.get(waits or "", "")


def _median(model: Result, measure: str) -> float | None:
    spread = (model.get("measures") or {}).get(measure)
    median: float | None = spread["median"] if spread else None
    return median
