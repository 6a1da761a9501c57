"""`iotrace diff` from the command line: its two ways to name runs, its statuses, its outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.contract import faults
from support.diffing import blocking, polling
from support.running import ROOT, runner

from tracer.cli.main import main

DATA = ROOT / "tests" / "data"
PARTS = {"what", "where", "a", "b", "effect", "interval", "p"}


def diff(*arguments: object, status: int = 0) -> str:
    """What it prints; it ends with this status, and says no more than a line on stderr."""
    done = runner().invoke(main, ["diff", *map(str, arguments)])
    assert done.exit_code == status, done.stderr
    assert len(done.stderr.splitlines()) == (status > 1)
    return done.stdout if status <= 1 else done.stderr


def of(*arguments: object, status: int = 0) -> dict:
    result = json.loads(diff(*arguments, "--json", status=status))
    assert not faults(result, "diff")
    assert all(its.keys() == PARTS for its in result["differences"])
    return result


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Five runs of each of these."""
    place = tmp_path_factory.mktemp("sets")
    kinds = {"base": {}, "again": {"seed": 50}, "late": {"notice": 10_000, "seed": 100}}
    return {
        kind: [
            blocking(
                place / f"{kind}-{at}.parquet", **{**options, "seed": options.get("seed", 0) + at}
            )
            for at in range(5)
        ]
        for kind, options in kinds.items()
    }


def test_sets_of_runs_are_named_by_two_options(sets: dict[str, list[str]]) -> None:
    same = of("--exit-code", "--a", *sets["base"], "--b", *sets["again"])
    assert same["same"] and same["how"] == "sets" and len(same["a"]) == len(same["b"]) == 5
    late = of("--a", *sets["base"], "--exit-code", "--b", *sets["late"], status=1)
    found = {its["what"]: its for its in late["differences"]}
    assert 4000 < found["notice p50"]["effect"] < 6000 and found["notice p50"]["p"] <= 0.01
    others = {"wait p50", "fetching p50", "copy p50", "recvfrom calls", "usual sequence", "verdict"}
    assert not others & set(found)
    # with = and one by one, as other options are given
    several = [f"--a={path}" for path in sets["base"]] + [f"--b={path}" for path in sets["late"]]
    assert of(*several)["differences"] == late["differences"]


def test_one_run_each(sets: dict[str, list[str]], tmp_path: Path) -> None:
    base, late = sets["base"][0], sets["late"][0]
    assert of(base, base, "--exit-code")["same"] and of(base, late, "--exit-code")["same"]
    far = blocking(tmp_path / "far.parquet", notice=120_000, seed=9)
    assert {its["what"] for its in of(base, far)["differences"]} == {"notice p50", "waking p50"}
    waits = blocking(tmp_path / "waits.parquet", notice=120_000, seed=9, waits=True)
    assert of(base, waits)["same"]  # others had the CPU
    assert "They differ in 2 measures." in diff(base, far, "--exit-code", status=1)
    assert "No difference is told." in diff(base, late)


def test_an_extra_call_is_told_and_how_often_one_polls_is_not(tmp_path: Path) -> None:
    base = blocking(tmp_path / "base.parquet")
    extra = blocking(tmp_path / "extra.parquet", extra=1, seed=3)
    found = {its["what"]: its for its in of(base, extra)["differences"]}
    assert set(found) == {"usual sequence", "usual getppid calls"}
    assert found["usual sequence"]["b"] == "getppid, recvfrom"
    one, other = (polling(tmp_path / f"{seed}.parquet", seed=seed) for seed in (1, 2))
    assert of(one, other)["same"]
    told = of(base, one)["differences"]
    assert {"verdict", "usual sequence"} <= {its["what"] for its in told}


@pytest.mark.parametrize("name", sorted(path.stem for path in DATA.glob("*.parquet")))
def test_every_recording_is_the_same_as_itself(name: str) -> None:
    path = DATA / f"{name}.parquet"
    assert of(path, path, "--exit-code")["same"]


def test_models_differ_by_what_they_do() -> None:
    result = of(DATA / "select.parquet", DATA / "epoll-lt.parquet")
    found = {its["what"]: (its["a"], its["b"]) for its in result["differences"]}
    assert found["verdict"] == ("select", "epoll-lt")
    assert found["usual sequence"] == ("pselect6, recvfrom", "epoll_wait, recvfrom")
    assert found["usual pselect6 calls"] == (1, 0) and found["usual epoll_wait calls"] == (0, 1)


def test_a_page_beside_what_is_printed(sets: dict[str, list[str]], tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    diff("--a", *sets["base"], "--b", *sets["late"], "--html", page)
    text = page.read_text()
    assert "<script" not in text and "default-src 'none'" in text
    assert text.count("<circle") >= 10 and "notice p50" in text


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        ((), 2, "two recordings"),
        (("x",), 2, "two recordings"),
        (("x", "y", "z"), 2, "two recordings"),
        (("--a", "x"), 2, "two recordings"),
        (("x", "--a", "x", "--b", "y"), 2, "either"),
        (("x", "y"), 2, "x: "),
        ((DATA / "poll.parquet", "/dev/null"), 2, "/dev/null"),
        ((DATA / "poll.parquet", __file__), 2, "test_diff.py"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments, status: int, word: str) -> None:
    assert word in diff(*arguments, status=status)
