"""tracer/lab/compare.py, matrix.py: what is said to differ between kernels, and how it is drawn."""

from __future__ import annotations

from support.report_samples import _FAMILIES

from tracer.lab import (
    accel,
    compare,
)
from tracer.output import markdown
from tracer.output.terminal import matrix as matrix_terminal


def test_what_differs_is_said_with_the_kernel_since_which():
    report = _FAMILIES["blocking"]("blocking", 23)
    report["features"] = {"ready": "kprobe sock_def_readable"}
    new = {**report, "features": {"ready": "tracepoint sk_data_ready"}}
    cells = {
        name: {"blocking": compare.cell(0, None, its, 23, 1000, None)}
        for name, its in (("6.1", report), ("6.12", new), ("7.2", new))
    }
    found = compare.differences([{"name": name} for name in cells], ["blocking"], cells)
    assert [(its["what"], its["since"]) for its in found] == [("evidence of ready", "6.12")]
    assert found[0]["groups"][1]["kernels"] == ["6.12", "7.2"]
    assert compare.differences([{"name": "6.12"}, {"name": "7.2"}], ["blocking"], cells) == []


def made_matrix(verdicts: dict[str, str]) -> dict:
    """A matrix of one scenario and one claim on kernels by name."""
    report = _FAMILIES["blocking"]("blocking", 23)
    listed = [
        {
            "name": name,
            "release": f"{name}.0",
            "ended": "done",
            "boot_s": 3.1,
            "took_s": 20.0,
            "round_trip_ns": 264_000,
            "last_lines": [],
            "accel": "tcg",
            "claims": [
                {
                    "number": 7,
                    "name": "edges",
                    "verdict": verdict,
                    "evidence": "e",
                    "qualification": None,
                }
            ],
        }
        for name, verdict in verdicts.items()
    ]
    cells = {name: {"blocking": compare.cell(0, None, report, 23, 1000, None)} for name in verdicts}
    return {
        "schema": 1,
        "scenarios": ["blocking"],
        "run_options": [],
        "icount": False,
        "accel": "tcg",
        "accel_why": accel.EMULATED,
        "took_s": 60.0,
        "kernels": listed,
        "cells": cells,
        "differs": compare.differences(listed, ["blocking"], cells),
    }


def test_claims_that_differ_between_kernels_are_said_and_drawn():
    found = made_matrix({"5.10": "does not hold", "6.1": "holds", "7.2": "holds"})
    assert [(its["what"], its["since"]) for its in found["differs"]] == [("claim edges", "6.1")]
    text = matrix_terminal.render(found, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert ["7", "edges", "−", "+", "+"] in [line.split() for line in text.splitlines()]
    assert "| 7 | edges | − | + | + |" in markdown.render(found)


def test_fewer_columns_get_lists_that_fit_them():
    found = made_matrix({"5.10": "does not hold", "6.1": "holds", "7.2": "holds"})
    for width in (30, 45, 79):
        lines = matrix_terminal.render(found, width).splitlines()
        assert max(map(len, lines)) <= width
        words = " ".join(" ".join(lines).split())
        assert "7: claim edges, 5.10 −, 6.1 +, 7.2 +" in words


def test_why_a_kernel_could_not_is_said():
    found = made_matrix({"5.10": "holds", "6.1": "holds"})
    found["cells"]["5.10"]["blocking"] = compare.cell(
        3, "iotrace: it is too old", None, None, 1000, None
    )
    found["differs"] = compare.differences(found["kernels"], ["blocking"], found["cells"])
    text = matrix_terminal.render(found, 80)
    assert (
        "1 scenario and 1 claim on 2 kernels" in text
        and "exit 3" in text
        and "exit status 3: it is too old" in text
    )


def test_without_claims_there_is_no_table_of_them():
    found = made_matrix({"6.1": "holds", "7.2": "holds"})
    assert found["differs"] == []
    for kernel in found["kernels"]:
        kernel["claims"] = None
    assert "Claims" not in matrix_terminal.render(found, 80)
    assert "1 scenario on 2 kernels, in 1 min 0 s" in matrix_terminal.render(found, 80)


def test_claims_alone_have_no_events():
    found = made_matrix({"6.1": "holds"})
    found["scenarios"], found["cells"] = [], {"6.1": {}}
    text = matrix_terminal.render(found, 80)
    assert "1 claim on 1 kernel, in 1 min 0 s" in text
    assert ["6.1", "6.1.0", "3.1", "s", "20", "s", "264", "µs", "–", "–", "–"] in map(
        str.split, text.splitlines()
    )
