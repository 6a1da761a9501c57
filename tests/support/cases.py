"""The scenarios, their languages and their protocols as pytest's parameters."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from _pytest.mark.structures import ParameterSet

from scenarios import find, names, scenarios

HAVE_CC = shutil.which("cc") is not None
SENT = [scenario for scenario in scenarios() if scenario.protocols != ("none",)]
NAMES = [scenario.name for scenario in SENT]
ROUNDS = [name for name in names() if name not in NAMES]  # nothing is sent
PROGRAMS = [
    pytest.param(
        scenario.name, lang, marks=pytest.mark.skipif(lang == "c" and not HAVE_CC, reason="no cc")
    )
    for scenario in SENT
    for lang in scenario.languages
]
CASES = [
    pytest.param(*program.values, proto, marks=program.marks)
    for program in PROGRAMS
    for proto in find(str(program.values[0])).protocols
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
