"""CONTRIBUTING.md's example scenario, pasted as it stands: found by being there, and true to what is said of it."""

from __future__ import annotations

import re
import shutil

import pytest
from support.example import NAME, TEXT, passed_in, pasted, python

pytestmark = pytest.mark.skipif(not TEXT.is_file(), reason="no clone here")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return pasted(tmp_path_factory.mktemp("example"))


def without_times(lines: list[str]) -> list[str]:
    return [re.sub(r"[\d.]+ ms", "ms", line.strip()) for line in lines]


def test_it_prints_what_is_promised(clone):
    _, _, after = TEXT.read_text().partition(f"$ python3 -m scenarios.{NAME}\n")
    promised = after.partition("\n\n")[0].splitlines()
    printed = python(clone, "-m", f"scenarios.{NAME}").splitlines()
    assert without_times(printed) == without_times(promised)


def test_it_passes_what_every_scenario_must(clone):
    files = ("tests/unit/scenarios/test_scenarios.py", "tests/unit/cli/test_main.py")
    assert passed_in(clone, *files, "-k", f"[{NAME}] or list_shows") == 4


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler (cc)")
def test_its_twin_passes_what_every_twin_must(clone):
    """It compiles, runs over the same, and counts by hand what the Python program does; none is missing."""
    which = f"{NAME} or every_scenario"
    assert passed_in(clone, "tests/unit/scenarios/test_twins.py", "-k", which) == 4
