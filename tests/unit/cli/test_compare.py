"""tracer/cli/compare.py: which languages are compared; nothing is traced."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios import Scenario, find
from tracer.cli import compare
from tracer.errors import IotraceError
from tracer.run import scenario as experiment
from tracer.run import twin

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
