"""tracer/cli/compare.py: which languages are compared, and what Ctrl-C leaves; nothing is traced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scenarios import Scenario, find
from tracer.cli import compare
from tracer.errors import IotraceError
from tracer.run import interleave, twin
from tracer.run import scenario as experiment

BLOCKING = find("blocking")
BARE = Scenario("scenarios.no_such_module", "bare", "has no twin", ("udp",), "", "blocking")


def asked(*langs: Any) -> compare.Asked:
    return compare.Asked(
        messages=20,
        interval=10**7,
        size=64,
        sockets=None,
        keep_awake=False,
        pin=None,
        timeout=None,
        as_root=True,
        langs=langs,
        rounds=3,
        proto="udp",
        output=None,
    )


def contenders(*langs: Any, of: tuple[Scenario, ...] = (BLOCKING, BARE)) -> Any:
    able, unavailable = compare._contenders(of, asked(*langs))
    return [(its.name, lang) for its, lang in able], unavailable


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "compiler", lambda: "/usr/bin/cc")


@pytest.mark.usefixtures("compiler")
def test_c_is_the_default_where_there_is_a_twin() -> None:
    assert contenders() == ([("blocking", "c"), ("bare", "python")], [])


def test_python_is_the_default_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "compiler", lambda: None)
    assert contenders() == ([("blocking", "python"), ("bare", "python")], [])


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(
    ("langs", "them"),
    [
        (("python",), ["python"]),
        (("both",), ["c", "python"]),
        (("python", "c"), ["python", "c"]),
        (("c", "both", "c"), ["c", "python"]),
    ],
)
def test_what_is_asked_for(langs: tuple[str, ...], them: list[str]) -> None:
    assert contenders(*langs, of=(BLOCKING,)) == ([("blocking", lang) for lang in them], [])


@pytest.mark.usefixtures("compiler")
def test_a_twin_that_is_asked_for_and_is_not_there() -> None:
    able, unavailable = contenders("both")
    assert able == [("blocking", "c"), ("blocking", "python"), ("bare", "python")]
    assert unavailable == [(("bare", "c"), "it has no twin in C")]
    with pytest.raises(IotraceError, match="none of these has a twin"):
        contenders("c", of=(BARE,))


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(
    ("langs", "runs"), [((), ["python"]), (("c",), []), (("both",), ["python"])]
)
def test_a_twin_that_cannot_be_built(
    langs: tuple[str, ...], runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise twin.CannotBuild("no libc.h")

    monkeypatch.setattr(twin, "built_as", broken)
    able, unavailable = compare._contenders((BLOCKING,), asked(*langs))
    field = compare._field(able, unavailable, asked(*langs), None)
    assert [plan.lang for plan in field.plans] == runs == [lang for _, lang in field.able]
    assert field.unavailable == [(("blocking", "c"), "no libc.h")]


def test_cpus_that_are_kept_awake() -> None:
    assert experiment.Cpus().awake == experiment.Cpus((0, 1)).awake == set()
    assert experiment.Cpus((1, 0), True).awake == {1}
    assert len(experiment.Cpus(None, True).awake) > 0


def ended_after(runs: int, monkeypatch: pytest.MonkeyPatch, cannot: int | None = None) -> Any:
    """What is compared, as (place, run) pairs, where Ctrl-C came after that many runs of two programs, three times
    each, of which `cannot` cannot run here; and whether the runs were put away."""
    away: list[bool] = []

    def run(_plans: object, counts: list[int], *_: object) -> Iterator[interleave.Run]:
        try:
            left = runs
            for turn in interleave.turns(counts):
                if turn.plan == cannot and turn.round:
                    continue
                if not left:
                    raise KeyboardInterrupt
                left -= 1
                refused = turn.plan == cannot
                error = experiment.CannotRun("not here") if refused else None
                yield interleave.Run(turn, None if refused else f"{turn.round}", error)
        finally:
            away.append(True)

    def measures(run: interleave.Run, _: object) -> Any:
        return {"lost": 0, "round": run.turn.round}

    monkeypatch.setattr(interleave, "run", run)
    monkeypatch.setattr(compare, "_measures", measures)
    plans: Any = [SimpleNamespace(), SimpleNamespace()]
    field = compare.Field(plans, [("one", "c"), ("other", "c")], [])
    kernel: Any = None
    made: Any = compare._measured(field, asked(), kernel, Path("kept"), None)
    assert away == [True]
    return made.interrupted, [(place, its["round"]) for place, its, _ in made.runs]


@pytest.mark.parametrize(
    ("runs", "compared"), [(2, 1), (3, 1), (4, 2), (5, 2)], ids="after-{0}-runs".format
)
def test_ctrl_c_leaves_the_whole_rounds(
    runs: int, compared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted, made = ended_after(runs, monkeypatch)
    assert interrupted
    assert sorted(made) == [(place, its) for place in (0, 1) for its in range(compared)]


def test_without_ctrl_c_all_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted, made = ended_after(6, monkeypatch)
    assert not interrupted and len(made) == 6


@pytest.mark.parametrize("runs", [0, 1])
def test_less_than_a_round_is_nothing_to_compare(
    runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        ended_after(runs, monkeypatch)


def test_a_round_is_whole_without_what_cannot_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended_after(3, monkeypatch, cannot=1) == (True, [(0, 0), (0, 1)])
