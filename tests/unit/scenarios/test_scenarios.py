"""What a scenario says of itself: complete, true to the lists that show it, and never read by what judges it."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from support.running import ROOT

import scenarios
import tracer
from scenarios import scenarios as all_scenarios
from scenarios.kit import transport

COLUMNS = 80
MODELS = {
    "blocking",
    "nonblocking",
    "select",
    "poll",
    "epoll-lt",
    "epoll-et",
    "signal",
    "posix-aio",
    "linux-aio",
    "io-uring",
}
INSTEAD = {"mutual exclusion", "synchronisation", "concurrent", "parallel"}
STATED = ("model", "instead", "synchronous", "completes", "steady")  # for tests and docs alone
every = pytest.mark.parametrize("scenario", all_scenarios(), ids=lambda scenario: scenario.name)


def place(scenario: scenarios.Scenario, name: str) -> str:
    """scenarios/blocking.py:6, the line on which the scenario states it; its first line where it does not."""
    path = Path(import_module(scenario.module).__file__)
    lines = path.read_text().splitlines()
    number = next((n for n, line in enumerate(lines, 1) if line.startswith(f"{name} =")), 1)
    return f"scenarios/{path.name}:{number}"


@every
def test_its_line_in_the_list_fits(scenario):
    names = max(len(its.name) for its in all_scenarios())
    room = COLUMNS - names - 2
    assert len(scenario.summary) <= room, (
        f"{place(scenario, 'SUMMARY')}: SUMMARY has {len(scenario.summary)} characters, "
        f"and `iotrace list` has room for {room} beside the longest NAME"
    )


@every
def test_it_states_a_verdict_that_there_is(scenario):
    sends = scenario.protocols != ("none",)
    wanted = MODELS if sends else {"none"}
    assert scenario.model in wanted, (
        f"{place(scenario, 'MODEL')}: MODEL is one of {', '.join(sorted(wanted))}"
    )
    assert (scenario.instead in INSTEAD) is not sends, (
        f"{place(scenario, 'INSTEAD')}: INSTEAD says what a scenario without messages does, "
        f"one of {', '.join(sorted(INSTEAD))}"
    )


@every
def test_it_travels_by_what_there_is(scenario):
    known = {*transport.PROTOCOLS, "file", "none"}
    assert set(scenario.protocols) <= known, f"{place(scenario, 'PROTOCOLS')}: one is not known"


def test_no_two_have_one_name():
    names = [name for its in all_scenarios() for name in (its.name, *its.aliases)]
    twice = {name for name in names if names.count(name) > 1}
    wrong = [
        f"{place(its, 'NAME')}: {name} is another's name too"
        for its in all_scenarios()
        for name in twice & {its.name, *its.aliases}
    ]
    assert not wrong, "\n".join(wrong)


def test_no_model_means_that_one_is_missing(tmp_path):
    module = type(scenarios)("half")
    module.NAME = "half"
    with pytest.raises(TypeError, match="model"):
        scenarios.described(module)


def test_what_judges_never_reads_what_a_scenario_states():
    """Not by its name in the module, and not from a scenario object, which the command line has. (`iotrace list` shows
    what is stated, and judges nothing.)"""
    wrong = []
    package = Path(tracer.__file__).parent
    for path in {*package.rglob("*.py")} - {package / "cli" / "list.py"}:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Attribute):
                continue
            owner = getattr(node.value, "id", getattr(node.value, "attr", ""))
            of_module = node.attr in {name.upper() for name in STATED}
            if of_module or (node.attr in STATED and owner in ("scenario", "wanted")):
                wrong.append(f"{path}:{node.lineno}: reads {owner}.{node.attr}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not (ROOT / "docs" / "scenarios.md").is_file(), reason="no clone here")
def test_the_rows_of_the_page_are_true():
    """A row may have several names; also, program and figure are compared where its table has them."""
    known = {scenario.name: scenario for scenario in all_scenarios()}
    head: list[str] = []
    wrong, rows = [], 0
    for number, line in enumerate((ROOT / "docs" / "scenarios.md").read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            head = []
        elif not head:
            head = cells
        elif head[0] == "name" and "the program" in head and not line.startswith("|--"):
            rows += 1
            for name in re.findall(r"`([\w-]+)`", cells[0]):
                where = f"docs/scenarios.md:{number}: `{name}`"
                if name not in known:
                    wrong.append(f"{where} is no scenario")
                    continue
                scenario = known[name]
                cell = dict(zip(head, cells, strict=True))
                also = set(re.findall(r"`([\w-]+)`", cell.get("also", "")))
                if not also <= set(scenario.aliases):
                    wrong.append(f"{where} is also {', '.join(scenario.aliases) or 'nothing'}")
                if cell.get("figure", scenario.figure) != scenario.figure:
                    wrong.append(f"{where} has figure {scenario.figure}")
    assert rows > 20 and not wrong, "\n".join(wrong)
