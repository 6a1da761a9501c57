"""tracer/output/terminal/narrow.py and what else is drawn in fewer than 80 columns: all fits, and says the same."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len
from support.comparison_samples import KNOWN, compared
from support.report_samples import NAMES, sample

from tracer.output.figure.composition import build
from tracer.output.terminal import compare
from tracer.output.terminal.report import render
from tracer.output.units import duration

WIDTHS = (30, 40, 60, 79)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_report_fits_and_has_what_the_figure_has(name: str, width: int) -> None:
    report = sample(name)
    drawn = render(report, width, verbose=False)
    assert max(map(cell_len, drawn.splitlines())) <= width
    flat = " ".join(drawn.replace("┃", " ").replace("┊", " ").split())
    figure = build(report)
    assert figure is not None
    for row in figure.rows:
        for text in (row.application, row.kernel.strip(" ·↓")):
            assert " ".join(text.split()) in flat, text
    for phase in report["phases"].values():
        assert not phase["max_ns"] or duration(phase["p50_ns"]) in drawn
    assert "operations show it" in flat and "traced exactly so" in flat


def test_all_that_is_asked_for_is_drawn_in_80() -> None:
    report = sample("blocking")
    assert render(report, 60, verbose=True) == render(report, 80, verbose=True)
    assert render(report, 60, hist=True, verbose=False) == render(report, 80, True, verbose=False)


def test_ascii_alone() -> None:
    assert render(sample("posix-aio"), 50, unicode=False, verbose=False).isascii()


@pytest.mark.parametrize(
    "hole", [{"figure": None}, {"operations": []}, {"phases": {}}, {"model": None}]
)
def test_what_is_missing_stops_nothing(hole: dict[str, Any]) -> None:
    assert render(sample("blocking", **hole), 50, verbose=False)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_comparison_fits_and_has_every_program(width: int) -> None:
    drawn = compare.render(compared(*KNOWN) | {"host": {"kernel": "6.18"}}, width)
    assert max(map(cell_len, drawn.splitlines())) <= width
    assert all(name in drawn for name in KNOWN) and "side by side" in drawn
