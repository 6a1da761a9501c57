"""The scenarios, their languages and their protocols as pytest's parameters."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark.structures import MarkDecorator, ParameterSet

from scenarios import Scenario, find, names, scenarios
from tracer.run import twin


@cache
def _has_header(header: str) -> bool:
    asked = ["cc", "-E", "-include", header, "-x", "c", os.devnull]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def compilable(path: Path) -> list[MarkDecorator]:
    """The marks of a test that compiles the C program at `path`: skipped where that cannot be done."""
    if not shutil.which("cc"):
        return [pytest.mark.skip(reason="no cc")]
    lacking = [its.package for its in twin.libraries(path) if not _has_header(its.header)]
    return [pytest.mark.skip(reason=f"no {package}") for package in lacking]


def runnable(scenario: Scenario, lang: str) -> list[MarkDecorator]:
    """The marks of a test that runs the scenario in `lang`."""
    return compilable(scenario.twin) if lang == "c" and scenario.twin else []


SENT = [scenario for scenario in scenarios() if scenario.protocols != ("none",)]
NAMES = [scenario.name for scenario in SENT]
ROUNDS = [name for name in names() if name not in NAMES]  # nothing is sent
PROGRAMS = [
    pytest.param(scenario.name, lang, marks=runnable(scenario, lang))
    for scenario in SENT
    for lang in scenario.languages
]
CASES = [
    pytest.param(*program.values, proto, marks=program.marks)
    for program in PROGRAMS
    for proto in find(str(program.values[0])).protocols
]
TWINS = [
    pytest.param(scenario.name, marks=runnable(scenario, "c"))
    for scenario in scenarios()
    if scenario.twin
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
