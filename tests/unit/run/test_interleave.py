"""tracer/run/interleave.py: the order of turns, and what becomes of a plan whose run fails."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.kit.options import Options
from tracer.errors import NothingSeen
from tracer.kernel.features import Features
from tracer.run import interleave, scenario
from tracer.run.scenario import CannotRun, RunFailed, ScenarioPlan


@given(st.integers(1, 9), st.integers(1, 9))
def test_every_round_has_each_once_and_begins_one_further(plans, rounds):
    turns = list(interleave.turns([rounds] * plans))
    assert Counter((turn.round, turn.plan) for turn in turns) == Counter(
        (number, plan) for number in range(rounds) for plan in range(plans)
    )
    assert [turn.number for turn in turns] == list(range(plans * rounds))
    assert [turn.round for turn in turns] == sorted(turn.round for turn in turns)
    assert [turns[number * plans].plan for number in range(rounds)] == [
        number % plans for number in range(rounds)
    ]


@given(st.lists(st.integers(0, 4), max_size=6))
def test_each_has_as_many_turns_as_it_is_to_have_in_the_first_rounds(counts):
    turns = list(interleave.turns(counts))
    assert Counter(turn.plan for turn in turns) == Counter(dict(enumerate(counts)))
    assert {(turn.plan, turn.round) for turn in turns} == {
        (plan, number) for plan, count in enumerate(counts) for number in range(count)
    }


def test_those_that_are_to_run_once_do_not_stand_in_the_way_of_turning():
    turns = [(turn.round, turn.plan) for turn in interleave.turns([2, 1, 2])]
    assert turns == [(0, 0), (0, 1), (0, 2), (1, 2), (1, 0)]


def plan(name: str) -> ScenarioPlan:
    return ScenarioPlan(name, "python", ("true",), Options(), 60, None, 1 << 20, False)


@pytest.fixture
def ran(monkeypatch):
    """Runs plans by their names, twice each, where scenario.traced does for each what `outcomes` says."""

    def run(outcomes: dict[str, object], left_out=None):
        asked = []

        def traced(plan, features, path, progress):
            asked.append(plan.scenario)
            outcome = outcomes[plan.scenario]
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        @contextmanager
        def place(turn):
            yield f"{turn.plan}-{turn.round}", lambda: None

        monkeypatch.setattr(scenario, "traced", traced)
        monkeypatch.setattr(scenario, "failure_of", lambda path: f"fault in {path}")
        plans = [plan(name) for name in outcomes]
        results = interleave.run(
            plans, [2] * len(plans), Features(), place, lambda turn: None, left_out
        )
        return [
            (result.turn.plan, result.path, type(result.error), str(result.error or ""))
            for result in results
        ], asked

    return run


def test_runs_are_given_out_as_they_are_made(ran):
    results, asked = ran({"a": "completed", "b": "completed"})
    assert results == [(which, f"{which}-{n}", type(None), "") for which, n in ((0, 0), (1, 0))] + [
        (which, f"{which}-1", type(None), "") for which in (1, 0)
    ]
    assert asked == ["a", "b", "b", "a"]


@pytest.mark.parametrize("error", [CannotRun("no"), NothingSeen("no"), RunFailed("no")])
def test_one_that_fails_is_given_out_once_and_the_others_go_on(ran, error):
    results, asked = ran({"a": error, "b": "completed"})
    assert results[0] == (0, None, type(error), "no")
    assert [which for which, *_ in results] == [0, 1, 1] and asked == ["a", "b", "b"]


def test_a_time_out_and_a_fault_of_iotraces_own_are_failures(ran):
    results, _ = ran({"slow": "timeout", "faulty": "failed"})
    assert results == [
        (0, None, RunFailed, "slow had not ended after 60 s"),
        (1, None, interleave.TracingFailed, "iotrace failed: fault in 1-0"),
    ]


def test_an_interrupted_run_interrupts_all(ran):
    with pytest.raises(KeyboardInterrupt):
        ran({"a": "interrupted"})


def test_what_the_caller_leaves_out_is_not_run(ran):
    assert ran({"a": "completed", "b": "completed"}, {0})[1] == ["b", "b"]
