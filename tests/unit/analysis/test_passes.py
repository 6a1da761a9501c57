"""tracer/analysis/passes.py: a new analysis is one file; steps come after those that they need."""

from __future__ import annotations

from graphlib import CycleError
from pathlib import Path
from typing import Any

import pytest
from support.analysing import results_of
from support.records_builder import Trace
from support.reports import built

import tracer.analysis
import tracer.analysis.counts
from tracer.analysis import passes
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.threads.timeline import TimelineStep
from tracer.recording.batch import RecordBatch
from tracer.report.build import KEYS

NEW = '''
"""How often threads slept."""

from typing import Any

from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.threads.timeline import TimelineStep
from tracer.recording.batch import RecordBatch


class Naps(ReportPart):
    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._count = 0

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._count += len(state[TimelineStep].absences)

    def finish(self, results: Results) -> dict[str, Any]:
        return {"naps": self._count}
'''


@pytest.fixture
def looks_again() -> Any:
    """The registry looks anew, now and after the test."""
    passes.registered.cache_clear()
    yield
    passes.registered.cache_clear()


def test_a_new_analysis_is_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks_again: Any
) -> None:
    trace = Trace().sleep(20, 30, 40).call("read", 10, 50, 1).sleep(60, 70, 80)
    before = built(trace)
    on_request = {
        "redacted",
        "slowest",
        "states_over_time",
        "operations_over_time",
        "kernel_events",
    }
    always = tuple(key for key in KEYS if key not in on_request)
    assert tuple(before) == always
    (tmp_path / "naps.py").write_text(NEW)
    places = [*tracer.analysis.counts.__path__, str(tmp_path)]
    monkeypatch.setattr(tracer.analysis.counts, "__path__", places)
    passes.registered.cache_clear()
    after = built(trace)
    assert after["naps"] == 2
    assert tuple(after) == (*always, "naps")
    assert {key: after[key] for key in always if key != "operations"} == {
        key: before[key] for key in always if key != "operations"
    }


class _First(Step[int, str]):
    def feed(self, batch: RecordBatch, state: State) -> int:
        return len(batch)

    def finish(self, results: Results) -> str:
        return "first"


class _Second(ReportPart):
    NEEDS = (_First,)

    def __init__(self) -> None:
        self._rows = 0

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._rows += state[_First]

    def finish(self, results: Results) -> dict[str, Any]:
        return {"second": (results[_First], self._rows)}


@pytest.mark.parametrize("steps", [(_Second,), (_Second, _First), (_First, _Second)])
def test_a_step_comes_after_those_that_it_needs(steps: Any) -> None:
    assert passes.ordered(steps) == (_First, _Second)
    records = Trace().call("read", 10, 20, 1).records()
    results = results_of(records, *steps, count=2)
    assert passes.parts(results, steps) == {"second": ("first", len(records))}


def test_steps_that_need_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_First, "NEEDS", (_Second,))
    with pytest.raises(CycleError):
        passes.ordered([_First])


def test_who_does_not_say_what_it_needs_does_not_get_it() -> None:
    class Forgetful(Step[None, None]):
        def feed(self, batch: RecordBatch, state: State) -> None:
            state[TimelineStep]

        def finish(self, results: Results) -> None:
            """Nothing."""

    with pytest.raises(KeyError):
        results_of(Trace().records(), Forgetful)


def test_the_registry_has_the_steps_of_all_folders() -> None:
    steps = passes.registered(tracer.analysis)
    assert {TimelineStep, Identity, OperationsInWindow} <= set(steps)
    assert len(steps) == len(set(steps)) and ReportPart not in steps
