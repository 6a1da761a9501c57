"""The reports of the recordings in tests/data, as text and as JSON, are as they were when somebody looked at them."""

from __future__ import annotations

import difflib

import pytest
from support.golden_reports import GOLDEN, reports_of
from support.pictures import KEPT


@pytest.mark.parametrize("name", KEPT)
def test_a_report_is_as_it_was_when_somebody_looked_at_it(name: str) -> None:
    for form, made in reports_of(name):
        kept = (GOLDEN / f"{name}.{form}").read_text()
        lines = difflib.unified_diff(kept.splitlines(), made.splitlines(), "kept", "made", n=1)
        assert made == kept, "\n".join(["look at it, then tests/support/golden_reports.py", *lines])
