"""`iotrace bench` from the command line: bad input, Ctrl-C, where its result goes; no program is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.bench import usual
from support.contract import faults
from support.running import runner

from tracer.bench import readiness
from tracer.cli import bench
from tracer.cli.main import main
from tracer.kernel import features


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[readiness.Plan]:
    """The plans of which rounds were made; the third round is interrupted."""
    plans: list[readiness.Plan] = []

    def one(plan: readiness.Plan, number: int, *_: Any) -> Any:
        plans.append(plan)
        if number == 2:
            raise KeyboardInterrupt
        return usual()

    monkeypatch.setattr(bench, "_round", one)
    monkeypatch.setattr(features, "find", features.Features)
    monkeypatch.setattr(readiness, "program", lambda user: ("readiness", {"io_uring": "no ring"}))
    return plans


def run(*arguments: object) -> Any:
    return runner().invoke(main, ["bench", "readiness", *map(str, arguments)])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fd", "file"),
        ("--active", 0),
        ("--active", 1001),
        ("--active", 50, "--descriptors", 10),
        ("--descriptors", 100_001),
        ("--descriptors", "many"),
        ("--rounds", 0),
        ("more",),
        ("--nonsense",),
    ],
)
def test_bad_input_is_one_line_and_status_2(made: list, arguments: tuple[object, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2 and done.stdout == "" and not made
    assert len(done.stderr.splitlines()) == 1


def test_a_place_where_nothing_can_be_written_is_told_first(made: list, tmp_path: Path) -> None:
    for option in ("-o", "--svg", "--html"):
        done = run(option, tmp_path / "none" / "file")
        assert done.exit_code == 1 and len(done.stderr.splitlines()) == 1 and not made


def test_ctrl_c_keeps_the_rounds_that_were_made(made: list, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("result.json", "chart.svg", "page.html")]
    done = run("--json", "-o", files[0], "--svg", files[1], "--html", files[2])
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    assert not faults(result, "readiness")
    assert (result["rounds"], result["options"]["rounds"], result["interrupted"]) == (2, 7, True)
    assert done.stderr.splitlines()[-1] == "iotrace: interrupted: 2 of 7 rounds are shown"
    assert json.loads(files[0].read_text()) == result
    assert all(file.stat().st_size for file in files)
    assert {"call": "io_uring", "n": None, "why": "no ring"} in result["left_out"]


def test_without_a_round_there_is_nothing_to_keep(
    made: list, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "_round", interrupted)
    done = run("-o", tmp_path / "result.json")
    assert done.exit_code == 1 and done.stdout == "" and not [*tmp_path.iterdir()]
    assert done.stderr.splitlines()[-1] == "iotrace: interrupted"


def test_what_is_asked_for_is_what_is_planned(made: list) -> None:
    done = run("--fd", "udp", "--active", 20, "--churn", "--rounds", 1)
    assert done.exit_code == 0
    plan = made[0]
    assert (plan.fd, plan.active, plan.churn) == ("udp", 20, True)
    # of 10 descriptors 20 cannot be ready
    assert plan.sizes == ((100, 1000), (1000, 400), (10_000, 120))
    command = plan.command(True, 5, 9)
    assert command == ["readiness", "udp", "20", "1", "1", "5", "9", "100:1000,1000:400,10000:120"]
    full = bench.Asked("pipe", 1, False, True, (), None, None)
    assert full.numbers[-1] == 100_000 and full.times == 15
    assert all(full.operations(n) % 2 == 0 for n in full.numbers)
