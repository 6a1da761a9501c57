"""The report of every recording in tests/data holds to docs/schema/report.schema.json; a changed one does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from support.contract import faults, holds
from support.records_builder import Trace
from support.reports import built as built_by_hand

from tracer.recording import parquet
from tracer.report import build

DATA = Path(__file__).parents[1] / "data"
PATHS = sorted(DATA.rglob("*.parquet"))
Place = tuple[str | int, ...]
# Objects whose keys are names of the recording's own: any key may come or go.
MAPS = {
    "calls",
    "errors",
    "estimated",
    "features",
    "hist",
    "raw",
    "shares",
    "signals",
    "time_shares",
    "times_ns",
    "idle_times_ns",
    "variants",
}
OPTIONAL = {
    "options.address",
    "options.lang",
    "options.net",
    "options.sockets",
    "operations.helper_tid",
    "operations.how",
    "operations.raw",
    "syscalls.library",
    "figure.prelude",
    "figure.steps.signal",
    *(
        f"{of}.{key}"
        for of in ("model", "processes.model")
        for key in ("instead", "variants", "manner", "reason", "waits_in")
    ),
}
CHANGED = ("signal-rt", "posix-aio", "io-uring", "claims/lock", "claims/parallel")


@cache
def report(name: str) -> dict[str, Any]:
    """The report of tests/data/NAME.parquet, as JSON has it."""
    path = str(DATA / f"{name}.parquet")
    made = build.build(partial(parquet.columns, path), parquet.read_facts(path))
    return plain(made)


def plain(made: Any) -> dict[str, Any]:
    its: dict[str, Any] = json.loads(json.dumps(made | {"operations": list(made["operations"])}))
    return its


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_recordings_report_holds_to_the_schema(path: Path) -> None:
    assert not faults(report(path.relative_to(DATA).with_suffix("").as_posix()))


def shortened(value: Any) -> Any:
    """The same, with no more than the first and the last entry of each list."""
    if isinstance(value, dict):
        return {key: shortened(its) for key, its in value.items()}
    if isinstance(value, list):
        return [shortened(its) for its in (value if len(value) < 3 else [value[0], value[-1]])]
    return value


@cache
def short(name: str) -> dict[str, Any]:
    its: dict[str, Any] = shortened(report(name))
    assert holds(its)
    return its


def places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value in a report, and where it is."""
    yield place, value
    if isinstance(value, dict):
        for key, its in value.items():
            yield from places(its, (*place, key))
    elif isinstance(value, list):
        for index, its in enumerate(value):
            yield from places(its, (*place, index))


def changed(name: str, place: Place, value: Any = None, *, gone: bool = False) -> dict[str, Any]:
    """A report with one value replaced, or taken away."""
    its = copy.deepcopy(short(name))
    inner: Any = its
    for key in place[:-1]:
        inner = inner[key]
    if gone:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return its


def named(place: Place) -> str:
    """The place without the numbers of lists."""
    return ".".join(key for key in place if isinstance(key, str))


def is_map(place: Place) -> bool:
    """Whether an object's keys are not the contract's; `signals` and the like are lists elsewhere."""
    names = [its for its in place if isinstance(its, str)]
    return bool(names) and (names[-1] in MAPS or "errors" in names)


@pytest.mark.parametrize("name", CHANGED)
def test_a_key_that_is_missing_is_refused(name: str) -> None:
    for place, _ in places(short(name)):
        if place and isinstance(place[-1], str) and not is_map(place[:-1]):
            refused = not holds(changed(name, place, gone=True))
            assert refused is (named(place) not in OPTIONAL), place


@pytest.mark.parametrize("name", CHANGED)
def test_a_key_that_nobody_knows_is_refused(name: str) -> None:
    for place, value in places(short(name)):
        if isinstance(value, dict) and (not is_map(place) or place[-1] == "raw"):
            assert not holds(changed(name, (*place, "new"), 1)), place


@pytest.mark.parametrize("name", CHANGED)
def test_a_value_of_another_type_is_refused(name: str) -> None:
    """Nothing is a list of lists; what counts or is a time in ns is whole; what is no text is none."""
    for place, value in places(short(name)):
        if place:
            assert not holds(changed(name, place, [[]])), place
            assert not holds(changed(name, place, {"new": []})), place
        if isinstance(value, int) and place[-1] != "timeout_s":
            assert not holds(changed(name, place, 0.5)), place
        if place and not isinstance(value, str | None) and place[-1] != "result":
            assert not holds(changed(name, place, "0")), place


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), 2),
        (("ended",), "done"),
        (("operations", 0, "bytes"), -1),
        (("operations", 0, "queued_ns"), -1),
        (("operations", 0, "estimated"), ["asked"]),
        (("window_ns",), [1]),
        (("estimated",), {"asked": 1}),
        (("model", "name"), "bloking"),
        (("model", "name"), "mixed"),  # without shares
        (("model", "name"), "none"),  # and synchronous
        (("model", "instead"), "computing"),  # beside a model
        (("model", "shares"), {"blocking": 1.0}),  # the same
        (("model", "synchronous"), None),
        (("model", "confidence"), 1.5),
        (("activity", "share"), None),
        (("activity", "mostly"), None),
        (("phases", "wait", "hist"), {"8k": 1}),
        (("phases", "wait", "hist"), {"8192": 0}),
        (("scenario",), None),
        (("cost",), {"estimate": True}),
        (("figure", "steps", 0, "kind"), "sleep"),
        (("ledger", "missed"), -1),
        (("host", "cpus"), 0),
    ],
)
def test_a_value_that_cannot_be_is_refused(place: Place, value: Any) -> None:
    assert holds(short("blocking"))
    assert not holds(changed("blocking", place, value))


def test_a_report_of_no_scenario_has_the_options_of_trace() -> None:
    host = {"kernel": "6.18.0", "arch": "x86_64", "cpus": 2, "bcc": None, "python": "3.11.2"}
    its = plain(
        built_by_hand(
            Trace().preempted(2, 3).call("recvfrom", 1, 9, 64),
            host=host,
            options={"seconds": None, "follow": True, "ring_bytes": 4096, "trace": []},
            target={"command": ["x"], "pid": 1, "exit_status": None},
            ledger={
                **dict.fromkeys(("counted", "delivered", "lost", "open"), 0),
                "missed": None,
                "untracked": 0,
                "unlearnt": 0,
                "balanced": True,
            },
            event_cost_ns=100.0,
        )
    )
    assert its["scenario"] is None and not faults(its)
    assert not holds(its | {"options": report("blocking")["options"]})
    assert not holds(its | {"expected": report("blocking")["expected"]})
    measured = {
        "per": "message",
        **dict.fromkeys(("untraced_cpu_ns", "traced_cpu_ns", "untraced_runs"), 1),
        **dict.fromkeys(("untraced_cpu_ns_per_op", "traced_cpu_ns_per_op"), 1),
        "untraced_spread_ns": [1, 1],
        "ratio": 1.0,
    }
    assert holds(report("blocking") | {"cost": measured})
    assert not holds(its | {"cost": measured})
