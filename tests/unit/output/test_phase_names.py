"""tracer/output/phase_names.py: the phase copy is called the receive call where the copy's start is not seen."""

from __future__ import annotations

from typing import Any

import pytest
from support.report_samples import sample, summed

from tracer.output import phase_names
from tracer.output.format import Kind, Options
from tracer.output.html import FORMAT as PAGE
from tracer.output.svg import FORMAT as PICTURE
from tracer.output.terminal.report import render

UNSEEN = ["copy_start"]


def named(count: int, unseen: int, done: dict[str, int]) -> str:
    """What `count` operations, `unseen` of them without a copy's start, call it; done: how many were done how."""
    return phase_names.copy_name(
        {
            "operations": [{}] * count,
            "estimated": {"copy_start": unseen} if unseen else {},
            "model": {"variants": done},
        }
    )


@pytest.mark.parametrize(
    ("count", "unseen", "variants", "name"),
    [
        (23, 0, {}, "copy"),
        (23, 11, {}, "copy"),
        (23, 12, {}, "receive call"),
        (23, 23, {"signal": 23}, "receive call"),  # POSIX aio: a helper thread's call
        (23, 23, {"inline": 23}, "receive"),
        (23, 23, {"in io_submit": 20}, "receive"),
        (23, 23, {"after io_submit": 23}, "copy"),  # a device
        (0, 0, {}, "copy"),
    ],
)
def test_of_a_report(count: int, unseen: int, variants: dict[str, int], name: str) -> None:
    assert named(count, unseen, variants) == name


@pytest.mark.parametrize(
    ("operation", "moved", "name"),
    [
        ({"estimated": []}, False, "copy"),
        ({"estimated": ["ready"]}, False, "copy"),
        ({"estimated": UNSEEN}, False, "receive call"),
        ({"estimated": UNSEEN}, True, "copy"),
        ({"estimated": UNSEEN, "how": "suspend"}, False, "receive call"),
        ({"estimated": UNSEEN, "how": "multishot"}, False, "receive"),
        ({"estimated": UNSEEN, "how": "device"}, False, "copy"),
    ],
)
def test_of_one_operation(operation: dict[str, Any], moved: bool, name: str) -> None:
    assert phase_names.copy_name_of(operation, moved) == name


@pytest.mark.parametrize(
    ("estimated", "by", "name"),
    [
        (UNSEEN, "its own call", "receive call"),
        (UNSEEN, "a helper thread", "receive call"),
        (UNSEEN, "task work of its own", "receive"),
        (UNSEEN, "the device", "copy"),
        ([], "its own call", "copy"),
    ],
)
def test_of_a_program_of_a_comparison(estimated: list[str], by: str, name: str) -> None:
    assert phase_names.of_contender({"estimated": estimated, "copied_by": by}) == name


def seen(report: dict[str, Any]) -> dict[str, Any]:
    """The report as if each copy's start had been seen."""
    for operation in report["operations"]:
        operation["estimated"] = []
    return summed(report)


@pytest.mark.parametrize("copied", [False, True])
def test_every_output_calls_it_the_same(copied: bool) -> None:
    report = sample("blocking")
    report["slowest"] = [{"index": 3, "phases": {"wait": 9, "notice": 8, "copy": 7}, "reasons": []}]
    report = seen(report) if copied else report
    page = "".join(map(str, PAGE.renders[Kind.REPORT](report, Options())))
    page = page.partition('<section id="figure"')[2].partition("<script")[0]
    drawn = "".join(map(str, PICTURE.renders[Kind.REPORT](report, Options())))
    table = render(report).partition("Phases")[2]
    for text in (page, drawn, table):
        assert ("receive call" in text.replace("the receive call", "")) is not copied
    assert ("copy 7 ns" in table) is copied and ("receive call 7 ns" in page) is not copied
