"""No sentence of a report contradicts a number of the same report: all recordings, and stories made by chance."""

from __future__ import annotations

import re
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from reference.stories import drawn, made_of, records
from support.reports import built

from tracer.recording import parquet
from tracer.report import build
from tracer.terms import MODELS

DATA = Path(__file__).parents[1] / "data"
RECORDINGS = sorted(path.relative_to(DATA).as_posix() for path in DATA.rglob("*.parquet"))
SLEEPS = re.compile(r"The thread sleeps in (\w+), ")
TOLD = re.compile(r"(\d+) of \d+ receives came after (\w+) had said .* return; ([\d,]+) times? ")


@cache
def report(name: str) -> dict[str, Any]:
    path = str(DATA / name)
    made: dict[str, Any] = build.build(partial(parquet.columns, path), parquet.read_facts(path))
    return made


def check(its: dict[str, Any]) -> None:
    """What must hold of a report."""
    consistent(its["model"])
    for process in its["processes"]:
        consistent(process["model"])
        activity, waits = process["activity"], process["waits"]
        if activity["mostly"]:
            whole = sum(activity["times_ns"].values())
            assert activity["share"] == pytest.approx(
                activity["times_ns"][activity["mostly"]] / whole, abs=1e-3
            )
        threads = [one for one in its["threads"] if one["tgid"] == process["tgid"]]
        if len([one for one in its["processes"] if one["tgid"] == process["tgid"]]) == 1:
            assert sum(waits.values()) <= sum(one["blocked_ns"] for one in threads)
        for group in process["groups"]:
            consistent(group["model"])


def consistent(model: dict[str, Any]) -> None:
    """A verdict and its sentences."""
    assert ("reason" in model) == (model["name"] == "unknown")
    assert ("manner" in model) == (model["name"] in MODELS)
    said = " ".join(model["evidence"])
    assert model["busy"] == ("none of these slept" in said)
    if model["name"] == "unknown":
        assert model["synchronous"] is None and not model["confidence"]
    manner = model.get("manner", "")
    if "costs a CPU" in manner:
        assert model["busy"]
    if "sleeps in the receive call" in manner:
        slept, of = map(int, re.findall(r"(\d+) of (\d+) receives slept inside", said)[0])
        assert 2 * slept >= of > 0
    if told := TOLD.search(said):
        shown, call, times = int(told[1]), told[2], int(told[3].replace(",", ""))
        sleeps = SLEEPS.match(manner)
        if sleeps and sleeps[1] == call:
            assert 2 * times >= shown
        elif model["name"] in MODELS and "another one" not in manner:
            assert 2 * times < shown or not shown


@pytest.mark.parametrize("name", RECORDINGS)
def test_of_a_recording(name: str) -> None:
    check(report(name))


@pytest.mark.parametrize("seed", range(12))
def test_of_a_story(seed: int) -> None:
    random = Random(seed)
    check(built(records(made_of(drawn(random, 40), poll_requests=False))))
