"""Scenarios run several times under the probes, in turns, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tracer.errors import IotraceError, NothingSeen
from tracer.kernel.features import Features
from tracer.run import scenario
from tracer.run.scenario import ScenarioPlan


@dataclass(frozen=True)
class Turn:
    """One turn: its number among all turns (from 0), its round (from 0), and the index of its plan."""

    number: int
    round: int
    plan: int


@dataclass(frozen=True)
class Run:
    """The outcome of a turn: the path of its recording, or the error for which there is none.

    error: CannotRun where this machine cannot run the plan, NothingSeen, RunFailed (also for a time-out).
    """

    turn: Turn
    path: str | None
    error: IotraceError | None = None


class TracingFailed(scenario.RunFailed):
    """iotrace itself failed while the scenario ran."""


Place = Callable[[Turn], AbstractContextManager[tuple[str, Callable[[], None]]]]


def turns(counts: Sequence[int]) -> Iterator[Turn]:
    """The turns of plans; counts: how often each plan is run.

    Round n has one turn of each plan whose count is above n. Each round begins with the next plan in the order, so that
    no plan always follows the same one.
    """
    number = 0
    for this_round in range(max(counts, default=0)):
        present = [plan for plan, count in enumerate(counts) if this_round < count]
        for place in range(len(present)):
            yield Turn(number, this_round, present[(place + this_round) % len(present)])
            number += 1


def run(
    plans: Sequence[ScenarioPlan],
    counts: Sequence[int],
    features: Features,
    place: Place,
    progress: Callable[[Turn], None],
    left_out: set[int] | None = None,
) -> Generator[Run, None, None]:
    """Runs every plan as often as `counts` says, in turns. A plan that failed yields one Run, and is not run again.

    place: of a turn, a context that gives the path to record to, and what to call when the recording is whole and has
    been looked at; it is left when the next run is asked for.
    progress: called before each run.
    left_out: indices of plans that are not run (any more); the caller may add to it between runs.
    Raises CannotTrace, OSError, and KeyboardInterrupt for a run that was interrupted.
    """
    left_out = set() if left_out is None else left_out
    for turn in turns(counts):
        if turn.plan in left_out:
            continue
        progress(turn)
        with place(turn) as (path, keep):
            try:
                _traced(plans[turn.plan], features, path)
            except (scenario.CannotRun, NothingSeen, scenario.RunFailed) as error:
                left_out.add(turn.plan)
                yield Run(turn, None, error)
                continue
            yield Run(turn, path)
            keep()


def _traced(plan: ScenarioPlan, features: Features, path: str) -> None:
    """One run, complete; raises what scenario.traced does, TracingFailed, and RunFailed for a time-out."""
    ended = scenario.traced(plan, features, path, lambda count: None)
    if ended == "interrupted":
        raise KeyboardInterrupt
    if ended == "failed":
        raise TracingFailed(f"iotrace failed: {scenario.failure_of(path)}")
    if ended == "timeout":
        raise scenario.RunFailed(f"{plan.scenario} had not ended after {plan.timeout:g} s")
