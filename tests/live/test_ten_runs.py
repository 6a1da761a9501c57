"""Ten runs in a row of every scenario, in each language it has: the same counts and the same verdict every time.

sudo make test ARGS="--thorough -k ten_runs"
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from support.cases import PROGRAMS, ROUNDS, everyday
from support.running import check_closed_loop, check_rounds

from scenarios import find
from scenarios.kit.options import Options
from tracer.kernel import features
from tracer.recording import parquet
from tracer.report import build
from tracer.run import interleave
from tracer.run import scenario as experiment

RUNS, MESSAGES = 10, 23
MS = 1_000_000


def ten_runs(name: str, lang: str, interval_ns: int) -> Iterator[dict]:
    """The report of each run."""
    scenario = find(name)
    options = Options(
        MESSAGES, interval_ns, 64, scenario.protocols[0], False, scenario.sockets_default
    )
    plan = experiment.ScenarioPlan(
        name, lang, experiment.program(scenario, lang, None), options, 60, None, 16 << 20, False
    )
    with tempfile.TemporaryDirectory() as directory:

        @contextmanager
        def place(turn):
            yield str(Path(directory, f"{turn.round}.parquet")), lambda: None

        for run in interleave.run([plan], [RUNS], features.find(), place, lambda turn: None):
            if isinstance(run.error, experiment.CannotRun):
                pytest.skip(str(run.error))
            if run.error:
                raise run.error
            yield build.build(partial(parquet.columns, run.path), parquet.read_facts(run.path))


@pytest.mark.parametrize(("name", "lang"), everyday(PROGRAMS, lambda name, lang: False))
def test_ten_runs_of_what_receives(name, lang):
    assert (
        sum(check_closed_loop(its, name, MESSAGES) is None for its in ten_runs(name, lang, 2 * MS))
        == RUNS
    )


@pytest.mark.thorough
@pytest.mark.parametrize("lang", ["python", "c"])
@pytest.mark.parametrize("name", ROUNDS)
def test_ten_runs_of_what_does_not(name, lang):
    assert sum(check_rounds(its, MESSAGES) is None for its in ten_runs(name, lang, 10 * MS)) == RUNS
