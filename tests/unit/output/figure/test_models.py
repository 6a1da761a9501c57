"""tracer/output/figure/models.py and what draws it: the textbook's figure 6.6 of what compare measured."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from rich.cells import cell_len
from support.comparison_samples import KNOWN, compared, program

from tracer.output.figure.models import columns, copy_title
from tracer.output.svg.bars import bars
from tracer.output.terminal import models as lines_of_models
from tracer.output.terminal.compare import render

SVG = "{http://www.w3.org/2000/svg}"


def column(name: str) -> Any:
    return columns([program(name)], [name])[0]


@pytest.mark.parametrize(
    ("name", "asks", "waiting", "begins", "copies", "ends"),
    [
        ("blocking", "initiates", "asleep", "", "in the call", "complete"),
        ("nonblocking", "checks", "× 6,023", "", "in the call", "complete"),
        ("epoll-lt", "checks", "asleep", "initiates", "in the call", "complete"),
        ("signal", "", "goes on", "initiates", "in the call", "complete"),
        ("posix-aio", "initiates", "goes on", "", "by a helper", "is notified"),
        ("io-uring", "initiates", "goes on", "", "task work", "complete"),
    ],
)
def test_each_model_does_as_the_textbook_says(
    name: str, asks: str, waiting: str, begins: str, copies: str, ends: str
) -> None:
    its = column(name)
    assert (its.asks, its.waiting, its.begins, its.copies, its.ends) == (
        *(asks, waiting, begins, copies, ends),
    )


def test_what_runs_do_not_agree_on_is_not_said() -> None:
    its = program("blocking") | {"meanwhile": None, "copied_by": None, "model": None}
    its["measures"]["wait_ns"] = None
    (shown,) = columns([its], ["blocking"])
    assert (shown.waits, shown.waiting, shown.copies, shown.took["wait"]) == (None, "", "", None)
    assert [*lines_of_models.lines([its, its], ["one", "two"], 80)]


@pytest.mark.parametrize(("estimated", "title"), [(True, "receive call"), (False, "copy")])
def test_the_copy_is_called_what_was_seen(estimated: bool, title: str) -> None:
    models = compared("blocking", "signal", "posix-aio", estimated=estimated)["models"]
    assert copy_title(columns(models, ["a", "b", "c"])) == title


def test_lines_have_every_program_its_wait_included_and_fit() -> None:
    drawn = render(compared(*KNOWN)).partition("side by side")[2].partition("\n── ")[0]
    lines = drawn.splitlines()
    assert all(cell_len(line) <= 80 for line in lines)
    assert all(name in drawn for name in KNOWN) and drawn.count("10 ms") == len(KNOWN)
    assert drawn.count("┃ × 6,023") == 1 and drawn.count("┊ asleep") == 2
    order = [
        next(i for i, line in enumerate(lines) if line.startswith(word))
        for word in ("ask", "│ wait", "ready", "│ notice", "│ receive", "done")
    ]
    assert order == sorted(order)
    assert "not to scale" in lines[-2] + lines[-1]


def test_one_program_is_not_compared() -> None:
    assert "side by side" not in render(compared("blocking"))


def test_the_picture_has_the_same_and_its_parts_lie_inside_it() -> None:
    root = ElementTree.fromstring(bars(compared(*KNOWN)))
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    words = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert words.count("10 ms") == len(KNOWN) and "× 6,023" in words and "by a helper" in words
    for element in root.iter():
        for key, most in (("x", width), ("x2", width), ("y", height), ("y2", height)):
            assert 0 <= float(element.get(key) or 0) <= most, element.attrib


@pytest.mark.parametrize("width", [30, 45, 60, 80])
def test_the_legend_is_whole_at_any_width(width: int) -> None:
    text = render(compared(*list(KNOWN)[:2]), width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    assert "┊ sleeps else free not to scale" in " ".join(text.split())
