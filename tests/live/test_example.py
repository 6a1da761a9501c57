"""CONTRIBUTING.md's example scenario, pasted as it stands: what holds of every scenario traced holds of it."""

from __future__ import annotations

import pytest
from support.example import NAME, TEXT, passed_in, pasted

pytestmark = pytest.mark.skipif(not TEXT.is_file(), reason="no clone here")


@pytest.mark.parametrize(
    "which",
    [
        "twenty_three or strace",
        pytest.param("not twenty_three and not strace", marks=pytest.mark.thorough),
    ],
)
def test_it_passes_what_every_scenario_must(which, tmp_path):
    clone = pasted(tmp_path)
    assert passed_in(clone, "tests/live/test_scenarios.py", "-k", f"{NAME} and ({which})") >= 1
