"""CONTRIBUTING.md's example scenario, pasted as it stands: what holds of every scenario traced holds of it."""

from __future__ import annotations

import pytest
from support.example import NAME, TEXT, passed_in, pasted

pytestmark = pytest.mark.skipif(not TEXT.is_file(), reason="no clone here")


@pytest.mark.parametrize(
    "which",
    [
        "twenty_three or strace or twin",
        pytest.param("not twenty_three and not strace and not twin", marks=pytest.mark.thorough),
    ],
)
def test_it_passes_what_every_scenario_must(which, tmp_path):
    clone = pasted(tmp_path)
    files = ("tests/live/test_scenarios.py", "tests/live/test_twins.py")
    assert passed_in(clone, *files, "-k", f"{NAME} and ({which})") >= 1
