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

from tracer.quantities import duration, share
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
    held_back(its, its["threads"])
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
            held_back(process, threads)
        for group in process["groups"]:
            consistent(group["model"])


@pytest.mark.parametrize("name", ["barrier", "condition", "condvar", "lock", "lock-pi", "mutex"])
def test_sleeps_at_futexes_are_the_time_that_threads_were_asleep_there(name: str) -> None:
    its = report(f"claims/{name}.parquet")
    asleep_ns = sum(
        its["activity"][times].get("waiting for futexes", 0)
        for times in ("times_ns", "idle_times_ns")
    )
    assert asleep_ns == sum(word["slept_ns"] for word in its["locks"]) > 0


def held_back(its: dict[str, Any], threads: list[dict[str, Any]]) -> None:
    """What holds some threads back: its sentence has its own numbers, and no more time than these threads had."""
    held = its["held_back"]
    if held["what"] is None:
        assert held["text"].startswith(("cannot tell: ", "no one thing: "))
        return
    part, of = held["ns"], held["of_ns"]
    assert 0 < part <= of and 2 * part > of
    assert held["share"] == pytest.approx(part / of, abs=1e-3)
    assert f"{share(part, of)} of the {duration(of)}" in held["text"]
    cpu, runnable, lives = (
        sum(sum(one[key] for key in keys) for one in threads)
        for keys in (("cpu_ns",), ("runnable_ns",), ("cpu_ns", "runnable_ns", "blocked_ns"))
    )
    if held["what"] == "nothing to do":
        assert part <= of - min(of, cpu + runnable)
    else:
        assert cpu + runnable <= of <= lives
        exactly = {"computing": cpu, "waiting for a CPU": runnable}
        assert part == exactly.get(held["what"], part) <= lives
    assert (held["what"] == "computing") == held["text"].startswith("CPU: it computes")


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


@pytest.mark.parametrize(
    ("recording", "says"),
    [
        ("linux-aio-socket", "sleeps in io_submit, where it asks"),
        ("linux-aio-poll", "Polls are submitted"),
        ("io-uring-inline", "which finds the data there and copies it"),
        ("io-uring", "completions read from another"),
        ("linux-aio", "collected later"),
    ],
)
def test_what_asynchronous_io_is_said_to_do_is_what_it_did(recording: str, says: str) -> None:
    assert says in report(f"{recording}.parquet")["model"]["manner"]
