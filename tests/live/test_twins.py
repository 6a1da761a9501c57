"""Every scenario's twin in C beside the Python program on the running kernel: the same model, counts and phases."""

from __future__ import annotations

from typing import Any

import pytest
from support.cases import FAST, ROUNDS, TWINS
from support.running import check_closed_loop, check_rounds, report_of

from scenarios import find

MESSAGES = 7


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_is_seen_as_the_python_program_is(name):
    in_python, in_c = (
        report_of("run", name, "--lang", lang, "--messages", MESSAGES, *FAST)
        for lang in ("python", "c")
    )
    for report in (in_python, in_c):
        if name in ROUNDS:
            check_rounds(report, MESSAGES)
        else:
            check_closed_loop(report, name, MESSAGES)
    assert shape(in_c, name) == shape(in_python, name)


def shape(report: dict[str, Any], name: str) -> dict[str, Any]:
    """What is the same however busy the machine is; how often each call was made, only where that is steady."""
    model, expected = report["model"], report["expected"]
    result = {
        "model": (model["name"], model["synchronous"], model.get("variants")),
        "registered": [line for line in model["evidence"] if line.startswith("registered with")],
        "done": (expected["messages"], expected["bytes"], expected["dropped"]),
        "calls": sorted(expected["calls"]),
        # in most operations; who notices sooner is the language's affair
        "phases": [
            its for its in ("wait", "copy", "completion") if report["phases"][its]["p50_ns"]
        ],
    }
    if find(name).steady and name != "nonblocking":  # how often it polls is the machine's affair
        result |= {its: expected[its] for its in ("calls", "errors", "signals")}
    return result
