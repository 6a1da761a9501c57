"""tracer/report/comparison.py and its renderer, on recordings and made-up runs: what is said to differ."""

from __future__ import annotations

import copy
import json
from functools import partial
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from rich.cells import cell_len
from support.running import ROOT

from tracer.output.svg.bars import bars
from tracer.output.terminal.brackets import groups
from tracer.output.terminal.compare import LEGEND, render
from tracer.recording import parquet
from tracer.report import build, comparison

SCHEMA = json.loads((ROOT / "docs" / "schema" / "compare.schema.json").read_text())
LABELS = [f"{label:<12}" for label, _ in LEGEND]
ABOUT: Any = {
    "host": {"kernel": "6.18.0", "arch": "x86_64", "cpus": 2, "bcc": "0.26.0", "python": "3.11.2"},
    "options": {
        "messages": 5,
        "interval_ns": 10**7,
        "size": 64,
        "proto": "udp",
        "sockets": None,
        "rounds": 3,
    },
    "interrupted": False,
}


def measured(name: str) -> Any:
    path = str(ROOT / "tests" / "data" / f"{name}.parquet")
    report: Any = build.build(partial(parquet.columns, path), parquet.read_facts(path))
    its: Any = comparison.measured(report)
    its["values"]["anonymous_bytes"] = 9 << 20  # these recordings are older than that note
    return its


def compared(*runs: dict[str, Any], lang: str = "python") -> Any:
    """Each of `runs` is a contender's only run, given thrice."""
    contenders: Any = [(f"model-{i}", lang) for i in range(len(runs))]
    rows: Any = [(i, its, None) for _ in range(3) for i, its in enumerate(runs)]
    return comparison.comparison(contenders, rows, [], ABOUT)


def varied(its: dict[str, Any], measure: str, value: float) -> Any:
    changed = copy.deepcopy(its)
    changed["values"][measure] = value
    return changed


def check(result: dict[str, Any]) -> None:
    assert Draft202012Validator(Draft202012Validator.META_SCHEMA).is_valid(SCHEMA)
    assert list(Draft202012Validator(SCHEMA).iter_errors(json.loads(json.dumps(result)))) == []


@pytest.mark.parametrize(
    ("name", "meanwhile", "copied_by", "synchronous", "calls"),
    [
        ("blocking", "asleep", "its own call", True, 1),
        ("select", "asleep", "its own call", True, 2),
        ("signal", "free", "its own call", True, 3),
        ("posix-aio", "free", "a helper thread", False, None),
        ("nonblocking", "asking", "its own call", True, None),
        ("io-uring", "free", "task work of its own", False, 1),
        ("io-uring-worker", None, "a kernel worker", False, None),
        ("io-uring-inline", None, "its own call", True, None),
        ("linux-aio-socket", "asleep", "its own call", True, 2),
        ("linux-aio", "asleep", "the device", False, 2),
    ],
)
def test_what_is_derived_from_a_recording(
    name: str, meanwhile: Any, copied_by: Any, synchronous: Any, calls: Any
) -> None:
    its = measured(name)
    assert meanwhile is None or its["meanwhile"] == meanwhile
    assert its["copied_by"] == copied_by and its["synchronous"] is synchronous
    assert calls is None or its["values"]["calls"] == calls
    assert 0 <= its["values"]["waiting_cpu"] <= 1
    assert (its["values"]["waiting_cpu"] > 0.5) == (name == "nonblocking")


def test_valid_against_its_schema_and_no_wider_than_80_columns() -> None:
    result = compared(*map(measured, ("blocking", "nonblocking", "signal", "posix-aio")))
    check(result)
    for unicode in (True, False):
        text = render(result, unicode=unicode)
        assert max(map(cell_len, text.splitlines())) <= 80 and "\x1b" not in text
        assert unicode or text.isascii()


def test_the_schema_can_refuse() -> None:
    result = compared(measured("blocking"))
    for broken in (result | {"more": 1}, result | {"models": []}, {**result, "schema": 2}):
        assert list(Draft202012Validator(SCHEMA).iter_errors(broken))
    del result["models"][0]["measures"]["calls"]
    assert list(Draft202012Validator(SCHEMA).iter_errors(result))


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ([1, 2, 3, 4, 5], [14, 15, 16, 17, 18], True),
        ([14, 15, 16, 17, 18], [1, 2, 3, 4, 5], True),
        ([1, 2, 3, 4, 15], [14, 15, 16, 17, 18], False),
        ([1, 19, 2, 3, 4], [3, 4, 5, 6, 7], False),
        ([2] * 5, [2] * 5, False),
        ([1, 2, 3, 4], [14, 15, 16, 17], False),  # too few to say anything
    ],
)
def test_a_difference_inside_the_spread_is_none(one: Any, other: Any, differs: bool) -> None:
    its = measured("blocking")
    runs: list[Any] = [
        (which, varied(its, "calls", value), None)
        for which, values in enumerate((one, other))
        for value in values
    ]
    result: Any = comparison.comparison([("a", "python"), ("b", "python")], runs, [], ABOUT)
    found = {entry["measure"]: entry for entry in result["differences"]}
    assert found["calls"]["differs"] is differs
    assert not any(entry["differs"] for name, entry in found.items() if name != "calls")
    said = [its for its in render(result).splitlines() if its.startswith("calls   ")][-1]
    assert ("no difference is told" in said) is not differs
    first, last = sorted("ab", key=lambda name: {"a": one, "b": other}[name][0])
    assert (f"[{first}] [{last}]" in said) is differs


def test_of_eight_that_are_the_same_none_differ_and_too_few_runs_are_told() -> None:
    """28 pairs in ten measures: without a correction two or three would."""
    its, random = measured("blocking"), np.random.default_rng(3)
    contenders: Any = [(f"model-{i}", "python") for i in range(8)]
    for rounds, told in ((5, "--rounds 8 can"), (8, "")):
        runs: list[Any] = []
        for which in range(8):
            for noise in random.lognormal(0, 0.2, (rounds, len(comparison.MEASURES))):
                run = copy.deepcopy(its)
                for measure, by in zip(comparison.MEASURES, noise, strict=True):
                    run["values"][measure] = (run["values"][measure] or 1) * float(by)
                runs.append((which, run, None))
        about: Any = ABOUT | {"options": ABOUT["options"] | {"rounds": rounds}}
        result: Any = comparison.comparison(contenders, runs, [], about)
        check(result)
        assert result["rounds_needed"] == 8 and not any(
            pair["differs"] for pair in result["differences"]
        )
        assert ("can tell nothing of 28 pairs" in render(result)) is bool(told)
        assert told in render(result)


def test_what_is_not_told_apart_shares_a_bracket() -> None:
    apart = {frozenset("ac"), frozenset("ad"), frozenset("bd")}
    assert groups("abcd", apart) == [["a", "b"], ["b", "c"], ["c", "d"]]
    assert groups("abcd", {frozenset("ab")}) == [["a", "c", "d"], ["b", "c", "d"]]
    assert groups("abc", set()) == [["a", "b", "c"]] and groups("", set()) == [[]]


def test_the_legend_has_a_line_for_each_column_in_their_order() -> None:
    lines = render(compared(measured("blocking"))).splitlines()
    head = next(line for line in lines if "notice" in line)
    named = [line.split()[0] for line in lines if line.startswith(tuple(LABELS))]
    assert named == [*head.split(), "±"] and max(map(len, lines)) <= 80


def test_the_spread_of_the_runs_is_shown() -> None:
    its = measured("blocking")
    result: Any = comparison.comparison(
        [("a", "python")],
        [(0, varied(its, "notice_ns", ns), None) for ns in (30_000, 31_000, 40_000)],
        [],
        ABOUT,
    )
    assert result["models"][0]["measures"]["notice_ns"] == {
        "median": 31_000,
        "min": 30_000,
        "max": 40_000,
        "runs": [30_000, 31_000, 40_000],
    }
    text = render(result)
    assert "31µs" in text and "±5µs" in text


def test_runs_that_say_different_things_are_not_summed_up() -> None:
    one, other = measured("blocking"), measured("signal")
    (entry,) = comparison.comparison(
        [("a", "python")], [(0, one, None), (0, other, None)], [], ABOUT
    )["models"]
    assert entry["model"] is None and entry["meanwhile"] is None and entry["synchronous"] is True
    assert entry["runs"] == 2


def test_what_could_not_be_run_is_said_and_the_rest_is_there() -> None:
    its = measured("blocking")
    result: Any = comparison.comparison(
        [("a", "python"), ("b", "c")], [(0, its, "a.parquet")], [(1, "no cc here")], ABOUT
    )
    check(result)
    assert result["unavailable"] == [{"name": "b", "lang": "c", "why": "no cc here"}]
    assert [entry["name"] for entry in result["models"]] == [
        "a"
    ] and "b in C: no cc here" in render(result)
    assert result["models"][0]["recordings"] == ["a.parquet"]


def test_estimated_boundaries_are_marked() -> None:
    text = " ".join(render(compared(measured("blocking"), measured("io-uring"))).split())
    assert "~estimated copy_start in all" in text and "done in model-1" in text


def test_lost_events_are_loud() -> None:
    assert "!! lost" in render(compared(measured("blocking") | {"lost": 3}))


def test_a_long_name_goes_on_in_the_next_line() -> None:
    result = compared(measured("blocking"))
    result["models"][0]["name"] = "epoll-herd-exclusive"
    lines = render(result).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("epoll-herd-exclus"))
    assert lines[at + 1].startswith("ive")


@pytest.mark.parametrize("width", [60, 80])
def test_what_was_interrupted_says_how_many_rounds_are_compared(width: int) -> None:
    its = measured("blocking")
    contenders: Any = [("one", "c"), ("other", "c")]
    for whole, words in ((1, "the 1 whole one is compared"), (2, "the 2 whole ones are compared")):
        rows: Any = [(at, its, None) for at in (0, 1)] * whole
        result: Any = comparison.comparison(contenders, rows, [], ABOUT | {"interrupted": True})
        check(result)
        text = " ".join(render(result, width, unicode=False).split())
        assert f"interrupted: of 3 rounds {words}" in text
        assert width < 80 or f"each run {whole} time" in text
        assert "interrupted" not in render(compared(its, its), width)
    assert "2 runs of each, interrupted" in " ".join(bars(result).split())
