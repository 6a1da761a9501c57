"""The scenarios, their languages and their protocols as pytest's parameters."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.mark.structures import MarkDecorator, ParameterSet

from scenarios import Scenario, find, names, scenarios
from tracer.run import twin

HAVE_CC = shutil.which("cc") is not None
SENT = [scenario for scenario in scenarios() if scenario.protocols != ("none",)]
NAMES = [scenario.name for scenario in SENT]
ROUNDS = [name for name in names() if name not in NAMES]  # nothing is sent
LACKING = {
    library: f"{library.package} is not installed"
    for library in twin.LIBRARIES
    if HAVE_CC
    and subprocess.run(
        ["cc", "-E", "-include", library.header, "-xc", "/dev/null"], capture_output=True
    ).returncode
}


def lacking(scenario: Scenario, lang: str) -> str:
    """Why this machine cannot make the scenario's program, '' if it can."""
    return "" if lang == "python" or scenario.twin is None else lacking_for(scenario.twin)


def lacking_for(path: Path) -> str:
    """Why this machine cannot compile the C program at `path`, '' if it can."""
    if not HAVE_CC:
        return "no cc"
    return "; ".join(LACKING[its] for its in twin.libraries(path) if its in LACKING)


def _unless(why: str) -> MarkDecorator:
    return pytest.mark.skipif(bool(why), reason=why)


PROGRAMS = [
    pytest.param(scenario.name, lang, marks=_unless(lacking(scenario, lang)))
    for scenario in SENT
    for lang in scenario.languages
]
CASES = [
    pytest.param(*program.values, proto, marks=program.marks)
    for program in PROGRAMS
    for proto in find(str(program.values[0])).protocols
]
TWINS = [
    pytest.param(scenario.name, marks=_unless(lacking(scenario, "c")))
    for scenario in scenarios()
    if scenario.twin
]
C_FILES = [
    pytest.param(path, id=path.stem, marks=_unless(lacking_for(path)))
    for path in sorted(twin.SOURCES.rglob("*.c"))
]
PAIRS = [(scenario.name, proto) for scenario in SENT for proto in scenario.protocols]


def everyday(cases: list[ParameterSet], wanted: Callable[..., bool]) -> list[ParameterSet]:
    """The cases, those that are not `wanted` of every run of the tests marked as thorough."""
    return [
        case
        if wanted(*case.values)
        else pytest.param(*case.values, marks=[*case.marks, pytest.mark.thorough])
        for case in cases
    ]


def in_python(name: str, lang: str, proto: str | None = None) -> bool:
    """In Python, and over the scenario's first protocol."""
    return lang == "python" and proto in (None, find(name).protocols[0])


FAST = ("--interval", "2ms", "--no-cost")
