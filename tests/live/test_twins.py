"""Every scenario's twin in C beside the Python program on the running kernel: the same model, counts and phases."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import Any

import pytest
from support.cases import ROUNDS, TWINS
from support.contract import faults
from support.running import check_closed_loop, check_rounds

from scenarios import find
from scenarios.kit.options import Options
from tracer.kernel import features
from tracer.recording import parquet
from tracer.report import build
from tracer.run import scenario as experiment

MESSAGES = 11  # waits on a futex say something from ten on
INTERVAL_NS = 2_000_000
RING_BYTES = 16 << 20


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_is_seen_as_the_python_program_is(name, tmp_path):
    in_python, in_c = (report_of(name, lang, str(tmp_path / lang)) for lang in ("python", "c"))
    for report in (in_python, in_c):
        if name in ROUNDS:
            check_rounds(report, MESSAGES)
        else:
            check_closed_loop(report, name, MESSAGES)
    assert shape(in_c) == shape(in_python)


@cache
def kernel() -> features.Features:
    return features.find()


def report_of(name: str, lang: str, path: str) -> dict[str, Any]:
    """What iotrace run says, without the start of a Python for it."""
    scenario = find(name)
    options = Options(
        MESSAGES,
        INTERVAL_NS,
        proto=scenario.protocols[0],
        sockets=scenario.sockets_default,
    )
    program = experiment.program(scenario, lang, None)
    plan = experiment.ScenarioPlan(name, lang, program, options, 60, None, RING_BYTES, False)
    try:
        experiment.traced(plan, kernel(), path, lambda count: None)
    except experiment.CannotRun as error:
        pytest.skip(str(error))
    report = build.build(partial(parquet.columns, path), parquet.read_facts(path))
    plain: dict[str, Any] = json.loads(json.dumps(report, default=list))
    assert not faults(plain)
    return plain


def shape(report: dict[str, Any]) -> dict[str, Any]:
    """What is the same however busy the machine is; how often each call was made, only where that is steady."""
    name, model, expected = report["scenario"], report["model"], report["expected"]
    variants = model.get("variants") or {}
    result = {
        "model": (model["name"], model["synchronous"]),
        "variant": max(variants, key=variants.__getitem__, default=None),  # of most operations
        "registered": [line for line in model["evidence"] if line.startswith("registered with")],
        "done": (expected["messages"], expected["bytes"], expected["dropped"]),
        "calls": sorted(expected["calls"]),
        # when it is noticed is the language's affair
        "phases": [
            its for its in ("wait", "copy", "completion") if report["phases"][its]["p50_ns"]
        ],
    }
    if find(name).steady and name != "nonblocking":  # how often it polls is the machine's affair
        result |= {its: expected[its] for its in ("calls", "errors", "signals")}
    return result
